"""When a file that has changed is believed to be whole, whatever its times say."""

import os
import time
from pathlib import Path

import pytest

from ingress.trust import files
from ingress.trust.files import FileWatch, rest_of

HOUR = 3600


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file, and have a twentieth of a second be rest enough."""
    monkeypatch.setattr(files, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(files, "REST_SECONDS", 0.05)
    written = tmp_path / "crl.pem"
    written.write_text("old")
    return written


@pytest.mark.parametrize("offset", [HOUR, -HOUR])
def test_copy_that_keeps_the_time_of_another_host(file: Path, offset: int) -> None:
    """What rsync -t or cp -p brings counts when it has rested here, though its own time lies ahead or long ago."""
    watch = FileWatch(str(file))
    file.write_text("new")
    os.utime(file, (time.time() + offset, time.time() + offset))
    assert not watch.has_changed()
    time.sleep(0.1)
    assert watch.has_changed()
    assert not watch.has_changed()


def test_clock_that_was_set_back() -> None:
    """A change that lies ahead of the clock is over: nothing waits until that time has come."""
    ahead = time.time_ns() + HOUR * 10**9
    assert rest_of(((ahead, ahead, 1, 1),)) >= files.REST_SECONDS


def test_file_that_was_touched_just_now(file: Path) -> None:
    """Who asks after a while is not given a file that is being written."""
    watch = FileWatch(str(file))
    time.sleep(0.1)
    file.write_text("half")
    assert not watch.has_changed()
