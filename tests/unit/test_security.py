"""What SECURITY.md says is shown by a test is shown by one that is there."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
SAID = (TESTS.parent / "SECURITY.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    """A test that is renamed or removed takes its line in the threat model with it."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", SAID)
    assert len(named) > 50
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (TESTS / file).is_file() or f"def {name}(" not in (TESTS / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_threat_names_its_test() -> None:
    """No row of the tables says that something is stopped without saying what shows it."""
    rows = [line.split("|")[1:-1] for line in SAID.splitlines() if line.startswith("| ")]
    threats = [row for row in rows if row[0].strip() not in {"tried", "---"}]
    assert len(threats) > 30
    assert [row[0] for row in threats if len(row) != 3 or "::" not in row[2]] == []
