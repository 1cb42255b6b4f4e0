"""Leftovers: entries that were handed out and not finished, and which of them are to be taken next.

- what was put back untried (its count is 0) may come together again
- all else comes alone: taking over raises the count of whatever is taken, and an entry that kills its process must not
  condemn those that lay beside it
- what a server failed over when it was alone is held by nobody (`ASIDE`), its count says how often. Whatever else there
  is goes first, and it is tried again after a pause that grows
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any, cast

import redis

from schemas.journal.append import ASIDE, GROUP
from schemas.settings.journal import Drain
from workers.intake.incarnation import JournalReplaced

# In `stale_after`: how long an entry rests that was set aside once, twice, ... The last one holds from then on.
# Fewer than the deliveries of what is poisoned, since an older version takes the one count for the other.
PAUSES = (1, 4, 16, 40)


@dataclass(frozen=True, slots=True)
class Leftover:
    """An entry that is pending with `holder`, handed out `count` times and last so many milliseconds ago."""

    entry_id: bytes
    holder: str
    idle: int
    count: int


class Leftovers:
    """What one drain may take over: its own at once, others' when they are stale."""

    def __init__(self, client: redis.Redis, stream: str, name: str, settings: Drain) -> None:
        self._client = client
        self._stream = stream
        self._name = name
        self._page = settings.batch
        self.stale_after = int(settings.stale_after * 1000)
        self._after: str | None = "-"  # from where to look for what a predecessor of this name left; None: done

    def look_behind(self, entry_id: bytes) -> None:
        """Look next for what this drain has behind that entry."""
        self._after = "(" + entry_id.decode()

    def find(self, most: int) -> tuple[list[Leftover], int]:
        """Return what to take next, and for how many milliseconds it has to have been left alone by then."""
        if self._after is not None:
            own = first_of(self._walk(0, self._name, self._after), most)
            if own:
                self.look_behind(own[-1].entry_id)
                return own, 0
            self._after = None
        stale = (found for found in self._walk(self.stale_after, None, "-") if found.holder != ASIDE)
        return first_of(stale, most), self.stale_after

    def find_aside(self) -> Leftover | None:
        """Return an entry that was set aside and has rested."""
        aside = self._walk(self.stale_after, ASIDE, "-")
        return next((found for found in aside if found.idle >= self.stale_after * pause_after(found.count)), None)

    def _walk(self, idle: int, holder: str | None, after: str) -> Iterator[Leftover]:
        """Yield what has been pending with this holder, or any, for so many milliseconds: the oldest entry first."""
        while True:
            try:
                page: list[dict[str, Any]] = cast(
                    "list[dict[str, Any]]",
                    self._client.xpending_range(
                        self._stream,
                        GROUP,
                        min=after,
                        max="+",
                        count=self._page,
                        consumername=holder,
                        idle=idle or None,
                    ),
                )
            except redis.ResponseError as error:
                if "NOGROUP" in str(error):
                    raise JournalReplaced(str(error)) from error
                raise
            for found in page:
                yield Leftover(
                    found["message_id"],
                    found["consumer"].decode(),
                    found["time_since_delivered"],
                    found["times_delivered"],
                )
            if len(page) < self._page:
                return
            after = "(" + page[-1]["message_id"].decode()


def first_of(found: Iterator[Leftover], most: int) -> list[Leftover]:
    """Return the first that are untried, `most` at most, or the first one alone."""
    first = next(found, None)
    if first is None or first.count:
        return [first] if first else []
    return [first, *islice(takewhile(lambda one: not one.count, found), most - 1)]


def pause_after(count: int) -> int:
    """Return how long an entry rests that was set aside so often, in `stale_after`."""
    return PAUSES[min(max(count, 1), len(PAUSES)) - 1]
