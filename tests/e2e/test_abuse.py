"""The door under attack: nobody gets in, and nobody who may push is refused. `make abuse` takes longer over each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.e2e.attacks_http import ATTACKS, FLOODS, THROUGH_NGINX
from tests.e2e.doors import run_another_door, run_door_behind_nginx
from tests.e2e.running import ROOT, Stack
from tests.e2e.victim import Victims
from tests.e2e.window import get, list_alerts, settled

Environment = Mapping[str, str]
SHORT_SECONDS = 1.5
RATE = 5  # of the source that floods, in pushes per second
ALTOGETHER = 50  # of all: what is refused to the one that floods is not taken from the others
LONG_SECONDS = float(os.environ.get("ABUSE_SECONDS") or 20)
# The doors, by their fixtures, as the table of what came of it names them. One source of `with_rates` floods it, and is
# told when to come again.
PLACES = {
    "run": "",
    "behind_nginx": ", through nginx",
    "unpacking": ", where packed bodies are taken",
    "with_rates": "",
}
CASES = [
    *(("run", attack) for attack in ATTACKS),
    *(("behind_nginx", attack) for attack in THROUGH_NGINX),
    ("unpacking", "gzip bombs"),
    *(("with_rates", attack) for attack in FLOODS),
]


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

    def at(self, place: str) -> "Row":
        """Return the row under a name that says which door was attacked."""
        return replace(self, attack=self.attack + place)

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


@pytest.fixture(scope="module")
def behind_nginx(stack: Stack, open_folder: Path) -> Iterator[Environment]:
    """Run a door behind nginx; return what to know of it."""
    with run_door_behind_nginx(stack, open_folder / "nginx") as (facts, _door, _nginx):
        yield facts


@pytest.fixture(scope="module")
def with_rates(stack: Stack, open_folder: Path) -> Iterator[Environment]:
    """Run a door that allows the source `reseller` a few pushes a second, and all together some more."""
    rate = ('name = "reseller"', f'name = "reseller"\npushes_per_second = {RATE}.0')
    altogether = ("[sealing]", f"[door]\npushes_per_second = {ALTOGETHER}.0\n\n[sealing]")
    with run_another_door(stack, open_folder / "rates", rate, altogether) as (facts, _door):
        yield facts | {"RESELLER_PUSHES_PER_SECOND": str(RATE)}


@pytest.fixture(scope="module")
def unpacking(stack: Stack, open_folder: Path) -> Iterator[Environment]:
    """Run a door that unpacks bodies; return what to know of it."""
    allowed = ("[sealing]", "[door]\ncompressed_bodies = true\n\n[sealing]")
    with run_another_door(stack, open_folder / "unpacking", allowed) as (facts, _door):
        yield facts


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


@pytest.mark.parametrize(("door", "attack"), CASES)
def test_attack_lets_nobody_in_and_keeps_nobody_out(
    request: pytest.FixtureRequest,
    attackers: "subprocess.Popen[str]",
    note_abuse: Callable[[Row], None],
    door: str,
    attack: str,
) -> None:
    """Whatever the attack, none of its tries is let in, and no valid push is refused meanwhile."""
    row = suffer(request.getfixturevalue(door), attackers, attack, SHORT_SECONDS)
    note_abuse(row.at(PLACES[door]))


@pytest.mark.long
@pytest.mark.parametrize(("door", "attack"), CASES)
def test_long_attack_slows_nobody_down(
    request: pytest.FixtureRequest,
    attackers: "subprocess.Popen[str]",
    note_abuse: Callable[[Row], None],
    door: str,
    attack: str,
) -> None:
    """Over a longer time none has to be repeated either, and 99 of 100 valid pushes are answered within a second."""
    row = suffer(request.getfixturevalue(door), attackers, attack, LONG_SECONDS)
    note_abuse(row.at(PLACES[door]))
    if attack in FLOODS:
        assert row.tries > 10 * RATE * LONG_SECONDS, row
    assert row.repeated == 0, row
    assert row.p99_ms < 1000, row


def test_nothing_of_the_attacks_is_kept(run: Environment) -> None:
    """After all of it the books balance, and no alert of an attacker's is there."""
    settled(run)
    assert get(run, "/v1/audit")["balanced"] is True
    assert not list(list_alerts(run, provider_alert_id="ABUSE"))
