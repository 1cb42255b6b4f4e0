"""Counts over a running window that all worker processes of a door share, without a lock that could be left locked.

Each process writes only into a row of its own and reads all of them, so a process that dies or hangs in the midst of
anything holds up nobody. What it counted stays, and grows old like the rest. A row belongs to the process that holds
the file lock on its byte; the kernel lets go of it when the process ends, however it ends.
"""

import fcntl
import mmap
import os
import time
from contextlib import suppress

ROWS = 128  # worker processes; any more share the last row, and may count a little too few
SLOTS = 16  # of time, kept for each bucket
COUNT_BITS = 24
WORD = 8  # bytes, written and read whole


class Tally:
    """Counts in `buckets`, over a running window of `window` slots of `slot_seconds` each.

    Make it before the processes fork. The window begins with a whole slot, so it is up to one slot shorter.
    """

    def __init__(self, buckets: int, slot_seconds: float, window: int) -> None:
        if window >= SLOTS:
            raise ValueError(f"a window of {window} slots does not fit into {SLOTS}")
        self._buckets = buckets
        self._slot_seconds = slot_seconds
        self._window = window
        self._file = os.memfd_create("alert-intake-tally")
        size = WORD * ROWS * (1 + buckets * SLOTS)
        os.ftruncate(self._file, size)
        self._words = memoryview(mmap.mmap(self._file, size)).cast("q")
        self._owner = 0
        self._row = 0
        self._rows_in_use = 0

    def add(self, bucket: int, count: int = 1) -> None:
        """Count something now; or, with a negative count, take back what was counted just now."""
        if self._owner != os.getpid():
            self._take_row()
        slot = self._slot_now()
        place = self._place(self._row, bucket) + slot % SLOTS
        kept_slot, kept = divmod(self._words[place], 1 << COUNT_BITS)
        total = max(0, kept + count) if kept_slot == slot else max(0, count)
        self._words[place] = slot << COUNT_BITS | min(total, (1 << COUNT_BITS) - 1)

    def count(self, bucket: int) -> int:
        """Return how many were counted within the window, by all processes."""
        return sum(self._by_slot(bucket, self._slot_now()))

    def seconds_until_below(self, bucket: int, limit: int) -> float:
        """Return how long until fewer than `limit` are within the window, if nothing more is counted. 0.0: already."""
        slot = self._slot_now()
        counts = self._by_slot(bucket, slot)
        left = sum(counts)
        if left < limit:
            return 0.0
        leaving = 0
        while left >= limit and leaving < self._window:
            left -= counts[leaving]
            leaving += 1
        return (slot + leaving) * self._slot_seconds - time.monotonic()

    def _by_slot(self, bucket: int, slot: int) -> list[int]:
        """Return the counts of the window, the oldest slot first."""
        first = slot - self._window + 1
        counts = [0] * self._window
        for row in range(self._look_for_rows()):
            place = self._place(row, bucket)
            for word in self._words[place : place + SLOTS]:
                age = (word >> COUNT_BITS) - first
                if 0 <= age < self._window:
                    counts[age] += word & ((1 << COUNT_BITS) - 1)
        return counts

    def _look_for_rows(self) -> int:
        """Return how many rows have been in use: the first ones, since they are taken in order."""
        while self._rows_in_use < ROWS and self._words[self._rows_in_use]:
            self._rows_in_use += 1
        return self._rows_in_use

    def _take_row(self) -> None:
        """Take the first row that no living process has."""
        self._owner, self._row = os.getpid(), ROWS - 1
        for row in range(ROWS):
            self._words[row] = 1  # before the lock, so that no row in use ever lies behind one that seems not to be
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, row)
                self._row = row
                break

    def _slot_now(self) -> int:
        return int(time.monotonic() / self._slot_seconds)

    def _place(self, row: int, bucket: int) -> int:
        return ROWS + (row * self._buckets + bucket) * SLOTS
