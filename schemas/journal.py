"""The journal: one Redis stream. The door appends to it, and so does the replay of a rejection.

An append is one XADD or several followed, in the same round trip, by ``WAITAOF 1 0``: its answer is Redis's own proof
that these very writes are fsynced, whatever the settings were a second ago (Redis 7.2, Valkey 8). With
`journal.replicas` it demands ``WAIT N``, too, so that a failover does not lose what was acknowledged. Not ``WAITAOF 1
N``: a replica that is asked answers at once, and so with the fsync before this one, and again only at its own timer's
next second. Its answer to WAIT leaves it after its fsync all the same, when it runs with ``appendfsync always``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.client import Pipeline

from schemas.configuration import Journal
from schemas.envelope import Fields
from schemas.redis_client import connect_redis, follow_primary

GROUP = "drain"


class JournalUnavailable(Exception):
    """The entry is not known to be durable. Refuse the push (503): the sender will repeat it."""


class JournalFull(JournalUnavailable):
    """The journal is filled to one of its limits."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """What the door asks before it appends. Bytes; `limit` 0 means Redis has no maxmemory."""

    entries: int
    used: int
    limit: int
    evicts: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound of the journal: which setting, how far it is filled, and from where on the door refuses."""

    setting: str
    unit: str
    used: int
    refuses_at: int

    @property
    def reached(self) -> bool:
        """Whether the door refuses."""
        return self.used >= self.refuses_at


def connect_journal(url: str, timeout: float) -> redis.Redis:
    """Return a client that never repeats a command by itself: a repeated XADD would be two entries.

    `timeout` in seconds bounds connecting and every answer.
    """
    return connect_redis(url, timeout=timeout, connect_timeout=timeout)


def append_entry(client: redis.Redis, settings: Journal, fields: Fields) -> str:
    """Append one entry and return its id once it is fsynced, and on its replicas. Raises JournalUnavailable."""
    (outcome,) = append_entries(client, settings, [fields])
    if isinstance(outcome, JournalUnavailable):
        raise outcome
    return outcome


def append_entries(client: redis.Redis, settings: Journal, batch: Sequence[Fields]) -> list[str | JournalUnavailable]:
    """Append entries in one round trip, under one proof, and return what became of each, in their order.

    An entry's id: it is fsynced, and on its replicas. JournalUnavailable: Redis refused this very entry (at its limit
    of memory, say) and took others. Raised, it concerns all: some of them may be in the journal, none may be promised.
    """
    pipeline = client.pipeline(transaction=False)
    for fields in batch:
        words = (part for field in fields.items() for part in field)
        pipeline.execute_command("XADD", settings.stream, "*", *words)  # type: ignore[no-untyped-call]  # redis-py's
    return [
        JournalUnavailable(f"{type(answer).__name__}: {answer}")
        if isinstance(answer, redis.ResponseError)
        else str(answer.decode())
        for answer in prove_writes(pipeline, settings)
    ]


def probe_durability(client: redis.Redis, settings: Journal) -> None:
    """Write something small and have its durability proved as an entry's is. Raises JournalUnavailable.

    Without a write before it, WAITAOF would prove nothing: it answers at once.
    """
    pipeline = client.pipeline(transaction=False)
    pipeline.set(f"{settings.stream}:probe", "1")
    (answer,) = prove_writes(pipeline, settings)
    if isinstance(answer, redis.ResponseError):
        raise JournalUnavailable(f"{type(answer).__name__}: {answer}")


def prove_writes(pipeline: Pipeline, settings: Journal) -> list[Any]:
    """Run a pipeline of writes and return their answers once all that were taken are durable.

    An answer is a redis.ResponseError where Redis refused that one. WAIT and WAITAOF speak of all that was written on
    this connection before them, so one of each proves every write. Raises JournalUnavailable without that proof.
    """
    milliseconds = int(settings.timeout * 1000)
    if settings.replicas:
        pipeline.wait(settings.replicas, milliseconds)
    pipeline.waitaof(1, 0, milliseconds)
    try:
        answers = pipeline.execute(raise_on_error=False)
    except (redis.RedisError, OSError) as error:
        raise JournalUnavailable(f"{type(error).__name__}: {error}") from error
    fsynced = answers.pop()
    received = answers.pop() if settings.replicas else 0
    for proof in (fsynced, received):
        if isinstance(proof, redis.ResponseError):
            raise JournalUnavailable(f"{type(proof).__name__}: {proof}")
    if int(fsynced[0]) < 1:
        raise JournalUnavailable("the journal did not fsync in time")
    if int(received) < settings.replicas:
        raise JournalUnavailable(f"{int(received)} of {settings.replicas} replicas had it in time")
    return answers


def measure_journal(client: redis.Redis, settings: Journal) -> JournalState:
    """Ask how full the journal is, and before that whether it is the primary's still. Raises JournalUnavailable."""
    pipeline = client.pipeline(transaction=False)
    pipeline.xlen(settings.stream)
    pipeline.info("memory")
    try:
        follow_primary(client)
        entries, memory = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        raise JournalUnavailable(f"{type(error).__name__}: {error}") from error
    policy = memory.get("maxmemory_policy", "noeviction")
    return JournalState(int(entries), int(memory["used_memory"]), int(memory["maxmemory"]), policy != "noeviction")


def check_room(state: JournalState, settings: Journal) -> None:
    """Raise JournalFull when the journal should not be filled further, long before Redis itself refuses."""
    if state.evicts:
        raise JournalFull("the journal's maxmemory-policy may evict entries; set it to noeviction")
    for limit in list_limits(state, settings):
        if limit.reached:
            raise JournalFull(
                f"the journal holds {limit.used} {limit.unit}, refusing from {limit.refuses_at} on ({limit.setting})"
            )


def list_limits(state: JournalState, settings: Journal) -> list[Limit]:
    """Return the limits that are set, and how far each is filled."""
    limits = []
    if state.limit:
        share = int(state.limit * settings.max_memory_share)
        limits.append(Limit("max_memory_share", "bytes", state.used, share))
    if settings.max_bytes is not None:
        limits.append(Limit("max_bytes", "bytes", state.used, settings.max_bytes))
    if settings.max_entries is not None:
        limits.append(Limit("max_entries", "entries", state.entries, settings.max_entries))
    return limits
