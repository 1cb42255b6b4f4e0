"""Counts that several processes of one service make together (prometheus-client), in files that do not multiply.

prometheus-client gives each process a file named after its pid, and keeps the files of the dead: their counts must not
be lost. A service whose processes come and go would fill its folder. So here a file belongs to a slot, a small number
that one living process holds by a lock; the next process that takes the slot counts on where the last one ended. There
are never more files than processes that ran at the same time.

The folder is PROMETHEUS_MULTIPROC_DIR, one for each service; without it a process counts for itself alone. Whoever
takes a slot while nobody else holds one begins anew: counts are those since the start of the service.
"""

import fcntl
import os
import struct
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import IO

from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
LOCKS = "*.lock"


class Slots:
    """The slots in one folder, as one process and those it forks see them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: int | None = None
        self._slot = 0
        self._lock: IO[bytes] | None = None

    def number(self) -> int:
        """Return the slot of this process. A child takes one of its own: locks are not inherited."""
        if self._process != os.getpid():
            self.folder.mkdir(parents=True, exist_ok=True)
            self._slot = next(slot for slot in count() if self._take(slot))
            self._process = os.getpid()
            if self._alone():
                self._remove("*.db")
            self._remove_broken()
        return self._slot

    def _take(self, slot: int) -> bool:
        file = (self.folder / f"{slot}.lock").open("ab")
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._lock = file
        return True

    def _alone(self) -> bool:
        own = f"{self._slot}.lock"  # not to be opened again: closing it would end the lock
        return not any(is_locked(file) for file in self.folder.glob(LOCKS) if file.name != own)

    def _remove(self, pattern: str) -> None:
        for file in self.folder.glob(pattern):
            file.unlink(missing_ok=True)

    def _remove_broken(self) -> None:
        """Give up the counts of a predecessor that a power failure left unreadable."""
        for file in self.folder.glob(f"*_{self._slot}.db"):
            try:
                for _ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]  # has no types
                    pass
            except (OSError, RuntimeError, ValueError, struct.error):
                file.unlink(missing_ok=True)


def is_locked(file: Path) -> bool:
    """Tell whether another process holds the lock. Those who ask do not take each other for one."""
    with file.open("rb") as opened:
        try:
            fcntl.lockf(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def someone_counts(folder: Path) -> bool:
    """Tell whether a process of the service runs: another one that holds a slot."""
    return any(is_locked(file) for file in folder.glob(LOCKS))


@cache
def find_slots() -> Slots | None:
    """Return the slots of this service, None where each process counts for itself."""
    name = os.environ.get(FOLDER_VARIABLE, "")
    return Slots(Path(name)) if name else None


@cache
def count_together() -> Path | None:
    """Let this process count in the folder, if there is one (before the first metric is made), and return that."""
    slots = find_slots()
    if slots is None:
        return None
    values.ValueClass = values.MultiProcessValue(slots.number)  # type: ignore[no-untyped-call]  # has no types
    return slots.folder


def show_process() -> None:
    """Take a slot now, and not only with the first count, so that others see that this process runs."""
    slots = find_slots()
    if slots is not None:
        slots.number()


def show_counts(folder: Path | None, *others: Collector) -> bytes:
    """Return what all processes counted in the folder, and what the other collectors say, as Prometheus reads it."""
    registry = CollectorRegistry()
    if folder is not None and folder.is_dir():
        MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]  # published without a type
    for collector in others:
        registry.register(collector)
    return generate_latest(registry)


class BuildInfo(Collector):
    """Which version answers here, and which part of it."""

    def __init__(self, part: str) -> None:
        self._part = part

    def collect(self) -> Iterator[Metric]:
        """Say it."""
        family = GaugeMetricFamily("alert_intake_build_info", "1, with the version and the part", labels=LABELS)
        family.add_metric([self._part, read_version()], 1)
        yield family


LABELS = ("part", "version")


def read_version() -> str:
    """Return the version of the product as it was installed."""
    try:
        return version("alert-intake")
    except PackageNotFoundError:
        return "unknown"
