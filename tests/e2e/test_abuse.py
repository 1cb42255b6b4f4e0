"""The door under attack: nobody gets in, and nobody who may push is refused. `make abuse` takes longer over each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.e2e.attacks_http import ATTACKS
from tests.e2e.running import ROOT
from tests.e2e.victim import Victims
from tests.e2e.window import get, list_alerts, settled

Environment = Mapping[str, str]
SHORT_SECONDS = 1.5
LONG_SECONDS = float(os.environ.get("ABUSE_SECONDS") or 20)


@dataclass(frozen=True, slots=True)
class Row:
    """What one attack achieved, and what became of the pushes of others meanwhile."""

    attack: str
    tries: int
    let_in: int
    pushes: int
    repeated: int
    refused: int
    p99_ms: float
    injected: int = 1

    def cells(self) -> list[str]:
        """Return the row as text."""
        counts = (self.tries, self.let_in, self.pushes, self.repeated, self.refused)
        return [self.attack, *map(str, counts), f"{self.p99_ms:.0f}"]


@pytest.fixture(scope="module")
def attackers() -> Iterator["subprocess.Popen[str]"]:
    """Run the attackers, in a process of their own."""
    command = [sys.executable, "-m", "tests.e2e.attacks_http"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def suffer(run: Environment, attackers: "subprocess.Popen[str]", attack: str, seconds: float) -> Row:
    """Have an attack run while valid pushes go on; return what came of it."""
    assert attackers.stdin is not None
    assert attackers.stdout is not None
    with Victims(run) as victims:
        attackers.stdin.write(json.dumps([run, attack, seconds]) + "\n")
        attackers.stdin.flush()
        tries, let_in = json.loads(attackers.stdout.readline())
    refused, repeated = victims.refused.total(), victims.repeated.total()
    row = Row(attack, tries, let_in, len(victims.seconds), repeated, refused, victims.p99_ms())
    assert row.tries > 0
    assert row.let_in == 0, row
    assert row.refused == 0, victims.refused
    assert row.pushes > 0
    return row


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_attack_lets_nobody_in_and_keeps_nobody_out(
    run: Environment, attackers: "subprocess.Popen[str]", note_abuse: Callable[[Row], None], attack: str
) -> None:
    """Whatever the attack, none of its tries is let in, and no valid push is refused meanwhile."""
    note_abuse(suffer(run, attackers, attack, SHORT_SECONDS))


@pytest.mark.long
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_long_attack_slows_nobody_down(
    run: Environment, attackers: "subprocess.Popen[str]", note_abuse: Callable[[Row], None], attack: str
) -> None:
    """Over a longer time none has to be repeated either, and 99 of 100 valid pushes are answered within a second."""
    row = suffer(run, attackers, attack, LONG_SECONDS)
    note_abuse(row)
    assert row.repeated == 0, row
    assert row.p99_ms < 1000, row


def test_nothing_of_the_attacks_is_kept(run: Environment) -> None:
    """After all of it the books balance, and no alert of an attacker's is there."""
    settled(run)
    assert get(run, "/v1/audit")["balanced"] is True
    assert not list(list_alerts(run, provider_alert_id="ABUSE"))
