"""Doors whose files change while they run, and what their processes say of it."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.conftest import CertificateFiles
from tests.gunicorn import Process, wait_for
from tests.integration.door import Equipment, equip


def equip_apart(folder: Path, certificates: CertificateFiles, journal_url: str) -> Equipment:
    """Equip a door with certificate files of its own, to be changed."""
    own = equip(folder / "door", certificates, journal_url)
    for file in (certificates.server.certificate, certificates.server.key, certificates.crl, certificates.ca):
        shutil.copy(file, folder / file.name)
        own.configure((str(file), str(folder / file.name)))
    own.empty_journal()
    return own


def workers_of(door: Process) -> list[int]:
    """Return the worker processes that have started, in that order."""
    return [line["process"] for line in door.written() if line["event"] == "worker ready"]


def processes_that_said(door: Process, event: str) -> set[int]:
    """Return the processes, workers or the master, that have logged an event."""
    return {line["process"] for line in door.lines() if line["event"] == event}


def write_slowly(file: Path, content: bytes) -> None:
    """Write a file in two pieces, as a copy over a network does."""
    with file.open("wb") as opened:
        opened.write(content[: len(content) // 2])
        opened.flush()
        time.sleep(0.3)
        opened.write(content[len(content) // 2 :])


def wait_for_all(door: Process, event: str = "certificates renewed") -> None:
    """Wait until each worker process has said it since now, which is when the files have come to rest."""
    since = datetime.now(UTC) + timedelta(seconds=0.2)  # what is said before may be about half a file
    workers = set(workers_of(door))  # and the master says it, too

    def said() -> bool:
        lines = [line for line in door.lines() if line["event"] == event]
        return {line["process"] for line in lines if datetime.fromisoformat(line["at"]) > since} >= workers

    wait_for(said, 30)


def wait_for_events(door: Process, event: str, count: int) -> None:
    """Wait until so many log lines say it."""
    wait_for(lambda: len([line for line in door.lines() if line["event"] == event]) >= count)
