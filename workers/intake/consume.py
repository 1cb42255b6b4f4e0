"""Consume: take entries off the journal, and settle them once Postgres has them.

Entries that were handed out and not settled are taken over after a while. They come one at a time: taking over raises
the count of whatever is taken, and an entry that kills its process must not condemn those that lay beside it.
"""

import time
from typing import Any, cast

import redis

from schemas.journal.append import GROUP
from schemas.settings.journal import Drain
from workers.database.connections import BLOCK
from workers.intake.incarnation import JournalReplaced, incarnation_key
from workers.intake.outcomes import Entry

LOOK_FOR_STALE_EVERY = 1.0


class Consumer:
    """One drain's hands at the journal. `name` is stable, so that a process finds what its predecessor left."""

    def __init__(self, client: redis.Redis, stream: str, incarnation: str, name: str, settings: Drain) -> None:
        self.client = client
        self.stream = stream
        self.incarnation = incarnation
        self.name = name
        self._settings = settings
        self._left_behind: str | None = "-"  # from where to look for what a predecessor of this name left; None: done
        self._next_look = 0.0

    def take(self, seconds: float) -> list[Entry]:
        """Return what to work on next: leftovers, else new entries, waiting up to `seconds` for them, one at most.

        Raises JournalReplaced, or redis.RedisError when the journal does not answer.
        """
        if time.monotonic() >= self._next_look:
            entries = self._take_over()
            if entries:
                return entries
            self._next_look = time.monotonic() + LOOK_FOR_STALE_EVERY
        return self.take_new(min(seconds, BLOCK))

    def take_new(self, seconds: float) -> list[Entry]:
        """Return entries that nobody has had, waiting up to `seconds` for them, one at most. Raises as `take`."""
        pipeline = self.client.pipeline(transaction=False)
        pipeline.xreadgroup(
            GROUP, self.name, {self.stream: ">"}, count=self._settings.batch, block=max(1, int(seconds * 1000))
        )
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

    def settle(self, entries: list[Entry]) -> None:
        """Forget entries whose receipts are committed. Never before the commit."""
        ids = [entry.entry_id for entry in entries]
        pipeline = self.client.pipeline(transaction=True)
        pipeline.xack(self.stream, GROUP, *ids)
        pipeline.xdel(self.stream, *ids)
        pipeline.execute()

    def put_back(self, entries: list[Entry]) -> None:
        """Take back the delivery of entries that were not worked on because a server failed: they are not to blame."""
        for deliveries in {entry.deliveries for entry in entries}:
            self.client.xclaim(
                self.stream,
                GROUP,
                self.name,
                min_idle_time=0,
                message_ids=cast("Any", [entry.entry_id for entry in entries if entry.deliveries == deliveries]),
                retrycount=deliveries - 1,
                justid=True,
            )

    def _take_over(self) -> list[Entry]:
        """Claim what was taken and not finished: this consumer's own at once, others' when they are stale."""
        idle = int(self._settings.stale_after * 1000)
        pending: list[dict[str, Any]] = []
        if self._left_behind is not None:
            idle, pending = 0, self._pending(0, self.name, self._left_behind)
            if not pending:
                self._left_behind, idle = None, int(self._settings.stale_after * 1000)
        if not pending:
            pending = self._pending(idle, None, "-")
        # Those put back after a server failed have been tried by nobody: they may come together again.
        claimed = [found for found in pending if not found["times_delivered"]] or pending[:1]
        if not claimed:
            return []
        counts = {found["message_id"]: found["times_delivered"] + 1 for found in claimed}
        if self._left_behind is not None:
            self._left_behind = "(" + claimed[-1]["message_id"].decode()
        answer = self.client.xclaim(
            self.stream, GROUP, self.name, min_idle_time=idle, message_ids=cast("Any", list(counts))
        )
        self._require_incarnation(cast("bytes | None", self.client.get(incarnation_key(self.stream))))
        return [Entry(entry_id, fields, counts[entry_id]) for entry_id, fields in cast("Any", answer) if fields]

    def _pending(self, idle: int, consumer: str | None, start: str) -> list[dict[str, Any]]:
        try:
            return cast(
                "list[dict[str, Any]]",
                self.client.xpending_range(
                    self.stream,
                    GROUP,
                    min=start,
                    max="+",
                    count=self._settings.batch,
                    consumername=consumer,
                    idle=idle or None,
                ),
            )
        except redis.ResponseError as error:
            if "NOGROUP" in str(error):
                raise JournalReplaced(str(error)) from error
            raise

    def _require_incarnation(self, current: bytes | None) -> None:
        """Ids change only to fresh random ones: one that is the same before and after reading was it throughout."""
        if (current or b"").decode() != self.incarnation:
            raise JournalReplaced("the journal's incarnation changed")
