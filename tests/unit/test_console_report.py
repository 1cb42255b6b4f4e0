"""Reports show what is there, and let nothing from outside rule the terminal."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import orjson
import pytest

from console.report import encode_json, print_table


def test_json_has_times_in_utc_and_ids_and_decimals_as_text() -> None:
    """Times end in Z whatever their zone was."""
    document = {
        "at": datetime(2026, 11, 20, 19, 0, tzinfo=timezone(timedelta(hours=2))),
        "since": datetime(2026, 11, 20, tzinfo=UTC),
        "id": UUID(int=1),
        "amount": Decimal("1.50"),
    }
    assert orjson.loads(encode_json(document)) == {
        "at": "2026-11-20T17:00:00.000Z",
        "since": "2026-11-20T00:00:00.000Z",
        "id": "00000000-0000-0000-0000-000000000001",
        "amount": "1.50",
    }


def test_cells_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither markup nor escape sequences of a sender have any effect, and nothing is cut."""
    name = "x" * 200
    print_table(("a", "b"), [("[red]\x1b[31mA[/red]\x9b", name)])
    shown = capsys.readouterr().out
    assert "[red][31mA[/red]" in shown
    assert "\x1b" not in shown
    assert shown.count("x") == 200
