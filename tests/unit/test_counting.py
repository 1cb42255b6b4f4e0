"""Slots: processes that count together share a folder without sharing a file, and without filling it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.telemetry.counting import is_locked, read_version

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, sys, schemas.telemetry.counting
slots = schemas.telemetry.counting.Slots(pathlib.Path(sys.argv[1]))
print(slots.number(), flush=True)
input()
"""
ASK = """
import fcntl, pathlib, sys
import schemas.telemetry.counting

real = fcntl.lockf
fcntl.lockf = lambda *arguments: (real(*arguments), print(flush=True), input())
schemas.telemetry.counting.is_locked(pathlib.Path(sys.argv[1]))
"""


@contextmanager
def hold_slot(folder: Path) -> Iterator[int]:
    """Have another process hold a slot until the block ends; return which."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_slots_are_taken_by_one_process_each_and_given_back(tmp_path: Path) -> None:
    """The lowest free slot is taken; that of a killed process is free again."""
    with hold_slot(tmp_path) as first:
        with hold_slot(tmp_path) as second:
            assert (first, second) == (0, 1)
            assert is_locked(tmp_path / "0.lock")
        with hold_slot(tmp_path) as again:
            assert again == 1


def test_who_asks_is_not_taken_for_who_holds(tmp_path: Path) -> None:
    """Two that ask at once are both told that nobody holds the slot."""
    file = tmp_path / "0.lock"
    file.touch()
    asking = subprocess.Popen(
        [sys.executable, "-c", ASK, str(file)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    try:
        assert asking.stdout.readline() == "\n"
        assert not is_locked(file)
    finally:
        asking.communicate("\n")


def test_counts_are_kept_while_somebody_counts_and_forgotten_at_a_new_start(tmp_path: Path) -> None:
    """What the dead have counted stays as long as the service runs; whoever comes when nobody is there begins anew."""
    (tmp_path / "counter_7.db").touch()
    with hold_slot(tmp_path):
        assert not list(tmp_path.glob("*.db"))
        kept = tmp_path / "counter_8.db"
        kept.touch()
        with hold_slot(tmp_path):
            assert kept.exists()


def test_unreadable_counts_of_a_predecessor_are_given_up(tmp_path: Path) -> None:
    """A file that a crash left in pieces is removed by whoever takes its slot, and by nobody else."""
    with hold_slot(tmp_path):
        broken = (100_000).to_bytes(4, "little") + bytes(4) + b"\xff" * 64
        for slot in (1, 2):
            (tmp_path / f"counter_{slot}.db").write_bytes(broken)
        with hold_slot(tmp_path) as second:
            assert second == 1
            assert [file.name for file in tmp_path.glob("*.db")] == ["counter_2.db"]


def test_version_is_that_of_the_package() -> None:
    """The installed package says its version."""
    assert read_version()[0].isdigit()
