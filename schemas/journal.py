"""The journal: one Redis stream. The door appends to it, and so does the replay of a rejection.

An append is one XADD followed, in the same round trip, by ``WAITAOF 1 0``: its answer is Redis's own proof that the
entry is fsynced, for this very write, whatever the settings were a second ago (Redis 7.2, Valkey 8).
"""

from dataclasses import dataclass
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from schemas.configuration import Journal
from schemas.envelope import Fields

GROUP = "drain"


class JournalUnavailable(Exception):
    """The entry is not known to be durable. Refuse the push (503): the sender will repeat it."""


class JournalFull(JournalUnavailable):
    """The journal is filled to the configured share of its memory."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """What the door asks before it appends. Bytes; `limit` 0 means Redis has no maxmemory."""

    entries: int
    used: int
    limit: int
    evicts: bool


def connect_journal(url: str, timeout: float) -> redis.Redis:
    """Return a client that never repeats a command by itself: a repeated XADD would be two entries.

    `timeout` in seconds bounds connecting and every answer.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        protocol=2,
    )


def append_entry(client: redis.Redis, settings: Journal, fields: Fields) -> str:
    """Append one entry and return its id once it is fsynced. Raises JournalUnavailable."""
    pipeline = client.pipeline(transaction=False)
    pipeline.xadd(settings.stream, cast("Any", fields))
    pipeline.waitaof(1, 0, int(settings.timeout * 1000))
    try:
        entry_id, fsynced = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        raise JournalUnavailable(f"{type(error).__name__}: {error}") from error
    if int(fsynced[0]) < 1:
        raise JournalUnavailable("the journal did not fsync in time")
    return str(entry_id.decode())


def measure_journal(client: redis.Redis, settings: Journal) -> JournalState:
    """Ask how full the journal is. Raises JournalUnavailable."""
    pipeline = client.pipeline(transaction=False)
    pipeline.xlen(settings.stream)
    pipeline.info("memory")
    try:
        entries, memory = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        raise JournalUnavailable(f"{type(error).__name__}: {error}") from error
    policy = memory.get("maxmemory_policy", "noeviction")
    return JournalState(int(entries), int(memory["used_memory"]), int(memory["maxmemory"]), policy != "noeviction")


def check_room(state: JournalState, settings: Journal) -> None:
    """Raise JournalFull when the journal should not be filled further, long before Redis itself refuses."""
    if state.evicts:
        raise JournalFull("the journal's maxmemory-policy may evict entries; set it to noeviction")
    if state.limit and state.used >= state.limit * settings.max_memory_share:
        share = f"{settings.max_memory_share:.0%}"
        raise JournalFull(f"the journal uses {state.used} of {state.limit} bytes, refusing from {share} on")
    if settings.max_entries is not None and state.entries >= settings.max_entries:
        raise JournalFull(f"the journal holds {state.entries} entries, refusing from {settings.max_entries} on")
