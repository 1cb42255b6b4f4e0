"""The door under attack: nobody gets in, and nobody who may push is refused. `make abuse` takes longer over each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.e2e.attacks_http import ATTACKS
from tests.e2e.running import ROOT
from tests.e2e.victim import Victims
from tests.e2e.window import get, list_alerts, settled

Environment = Mapping[str, str]
SHORT_SECONDS = 2.0
LONG_SECONDS = float(os.environ.get("ABUSE_SECONDS") or 20)


@dataclass(frozen=True, slots=True)
class Row:
    """What one attack achieved, and what became of the pushes of others meanwhile."""

    attack: str
    tries: int
    let_in: int
    pushes: int
    refused: int
    p99_ms: float
    injected: int = 1

    def cells(self) -> list[str]:
        """Return the row as text."""
        return [self.attack, *map(str, (self.tries, self.let_in, self.pushes, self.refused)), f"{self.p99_ms:.0f}"]


def suffer(run: Environment, attack: str, seconds: float) -> tuple[Row, Victims]:
    """Run an attack, in a process of its own, while valid pushes go on; return what came of it."""
    with Victims(run) as victims:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.e2e.attacks_http", attack, str(seconds)],
            input=json.dumps(run), capture_output=True, text=True, timeout=seconds + 60, cwd=ROOT, check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    row = Row(
        attack, counts["tries"], counts["let_in"], len(victims.seconds), victims.refused.total(), victims.p99_ms()
    )
    assert row.tries > 0
    assert row.let_in == 0, row
    assert row.refused == 0, victims.refused
    assert row.pushes > 0
    return row, victims


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_attack_lets_nobody_in_and_keeps_nobody_out(
    run: Environment, note_abuse: Callable[[Row], None], attack: str
) -> None:
    """Whatever the attack, none of its tries is let in, and no valid push is refused meanwhile."""
    row, _ = suffer(run, attack, SHORT_SECONDS)
    note_abuse(row)


@pytest.mark.long
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_long_attack_slows_nobody_down(run: Environment, note_abuse: Callable[[Row], None], attack: str) -> None:
    """Over a longer time, too, and 99 of 100 valid pushes are answered within a second."""
    row, _ = suffer(run, attack, LONG_SECONDS)
    note_abuse(row)
    assert row.p99_ms < 1000, row


def test_nothing_of_the_attacks_is_kept(run: Environment) -> None:
    """After all of it the books balance, and no alert of an attacker's is there."""
    settled(run)
    assert get(run, "/v1/audit")["balanced"] is True
    assert not list(list_alerts(run, provider_alert_id="ABUSE"))
