"""Consume: take entries off the journal, and settle them once Postgres has them.

Entries that were handed out and not settled are taken over after a while (`leftovers`).
"""

import time
from typing import Any, cast

import redis

from schemas.journal.append import ASIDE, GROUP
from schemas.settings.journal import Drain
from workers.database.connections import BLOCK
from workers.intake.incarnation import JournalReplaced, incarnation_key
from workers.intake.leftovers import PAUSES, Leftover, Leftovers
from workers.intake.outcomes import Entry
from workers.intake.weight import MOST_BYTES, PIECE, count_fitting, weigh

LOOK_EVERY = 1.0
ALONE = 1  # the count of an entry that is to come alone


class Consumer:
    """One drain's hands at the journal. `name` is stable, so that a process finds what its predecessor left."""

    def __init__(self, client: redis.Redis, stream: str, incarnation: str, name: str, settings: Drain) -> None:
        self.client = client
        self.stream = stream
        self.incarnation = incarnation
        self.name = name
        self._settings = settings
        self._leftovers = Leftovers(client, stream, name, settings)
        self._piece = PIECE
        self._next_look = 0.0
        self._next_look_aside = time.monotonic() + LOOK_EVERY  # whatever else there is comes first

    @property
    def knows_of_more(self) -> bool:
        """Whether the next to take are leftovers, or may be: these need not be waited for."""
        return time.monotonic() >= self._next_look

    def take(self, seconds: float) -> list[Entry]:
        """Return what to work on next: leftovers, else new entries, waiting up to `seconds` for them, one at most.

        Raises JournalReplaced, or redis.RedisError when the journal does not answer.
        """
        if self.knows_of_more:
            entries = self._claim(*self._leftovers.find(min(self._piece, self._settings.batch)))
            if entries:
                return entries
            self._next_look = time.monotonic() + LOOK_EVERY
        if time.monotonic() >= self._next_look_aside:
            entries = self._take_aside()
            if entries:
                return entries
            self._next_look_aside = time.monotonic() + LOOK_EVERY
        return self.take_new(min(seconds, BLOCK)) or self._take_aside()

    def take_new(self, seconds: float) -> list[Entry]:
        """Return entries that nobody has had, waiting up to `seconds` for them, one at most. Raises as `take`.

        What is too much for one batch is put back, and comes next.
        """
        taken: list[Entry] = []
        wait: float | None = seconds
        while (wanted := min(self._piece, self._settings.batch - len(taken))) > 0 and weigh(taken) < MOST_BYTES:
            piece = self._read_new(wanted, wait)
            taken += piece
            if len(piece) < wanted:
                break
            wait = None
        return self._keep_fitting(taken)

    def _read_new(self, most: int, wait: float | None) -> list[Entry]:
        block = None if wait is None else max(1, int(wait * 1000))
        pipeline = self.client.pipeline(transaction=False)
        pipeline.xreadgroup(GROUP, self.name, {self.stream: ">"}, count=most, block=block)
        pipeline.get(incarnation_key(self.stream))  # answered after what was read, however long that took
        try:
            answer, incarnation = pipeline.execute()
        except redis.ResponseError as error:
            if "NOGROUP" in str(error) or "UNBLOCKED" in str(error):
                raise JournalReplaced(str(error)) from error
            raise
        entries = [Entry(entry_id, fields) for _stream, found in answer or [] for entry_id, fields in found]
        if entries:
            self._require_incarnation(incarnation)
        return entries

    def _keep_fitting(self, taken: list[Entry]) -> list[Entry]:
        """Return as many of the first as one batch may have, and put back the others; read fewer from then on."""
        fitting = count_fitting(taken)
        if fitting < len(taken):
            self.put_back(taken[fitting:])
            self._leftovers.look_behind(taken[fitting - 1].entry_id)
            self._next_look = 0.0
            self._piece = fitting
        self._piece = min(PIECE, 2 * self._piece)
        return taken[:fitting]

    def settle(self, entries: list[Entry]) -> None:
        """Forget entries whose receipts are committed. Never before the commit."""
        ids = [entry.entry_id for entry in entries]
        pipeline = self.client.pipeline(transaction=True)
        pipeline.xack(self.stream, GROUP, *ids)
        pipeline.xdel(self.stream, *ids)
        pipeline.execute()

    def put_back(self, entries: list[Entry], *, apart: bool = False) -> None:
        """Take back the delivery of entries that a server failed: they are not to blame. `apart`: each comes alone."""
        least = ALONE if apart else 0
        for count in {max(least, entry.deliveries - 1) for entry in entries}:
            ids = [entry.entry_id for entry in entries if max(least, entry.deliveries - 1) == count]
            self._hand_over(ids, self.name, count)

    def set_aside(self, entry: Entry) -> None:
        """Put an entry where it holds up no other, for a longer time each time. That is not held against it either."""
        self._hand_over([entry.entry_id], ASIDE, min(entry.set_aside + 1, len(PAUSES)))
        self._next_look_aside = time.monotonic() + LOOK_EVERY

    def _hand_over(self, ids: list[bytes], holder: str, count: int) -> None:
        """Let entries be pending with `holder`, as if handed out so often. Those that are settled are left out."""
        self.client.xclaim(self.stream, GROUP, holder, 0, cast("Any", ids), retrycount=count, justid=True)

    def _take_aside(self) -> list[Entry]:
        found = self._leftovers.find_aside()
        return self._claim([found], self._leftovers.stale_after) if found else []

    def _claim(self, leftovers: list[Leftover], idle: int) -> list[Entry]:
        """Take over what nobody else has taken over meanwhile."""
        if not leftovers:
            return []
        found = {leftover.entry_id: leftover for leftover in leftovers}
        aside = leftovers[0].holder == ASIDE  # then it is the only one, and its count is another one
        count = ALONE + 1 if aside else leftovers[0].count + 1
        answer = self.client.xclaim(
            self.stream, GROUP, self.name, min_idle_time=idle, message_ids=cast("Any", list(found)), retrycount=count
        )
        self._require_incarnation(cast("bytes | None", self.client.get(incarnation_key(self.stream))))
        there = ((entry_id, fields) for entry_id, fields in cast("Any", answer) if fields)
        return self._keep_fitting([Entry(*one, count, found[one[0]].count if aside else 0) for one in there])

    def _require_incarnation(self, current: bytes | None) -> None:
        """Ids change only to fresh random ones: one that is the same before and after reading was it throughout."""
        if (current or b"").decode() != self.incarnation:
            raise JournalReplaced("the journal's incarnation changed")
