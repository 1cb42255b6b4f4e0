"""The journal: one Redis stream. The door appends to it, and so does the replay of a rejection.

An append is one XADD or several followed, in the same round trip, by ``WAITAOF 1 0``: its answer is Redis's own proof
that these very writes are fsynced, whatever the settings were a second ago (Redis 7.2, Valkey 8). With
`journal.replicas` it demands ``WAIT N``, too, so that a failover does not lose what was acknowledged. Not ``WAITAOF 1
N``: a replica that is asked answers at once, and so with the fsync before this one, and again only at its own timer's
next second. Its answer to WAIT leaves it after its fsync all the same, when it runs with ``appendfsync always``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import redis
from redis.connection import Connection

from schemas.configuration import Journal
from schemas.envelope import Fields
from schemas.redis_client import connect_redis, follow_primary

GROUP = "drain"


class JournalUnavailable(Exception):
    """The entry is not known to be durable. Refuse the push (503): the sender will repeat it."""


class JournalFull(JournalUnavailable):
    """The journal is filled to one of its limits."""


Command = tuple[str | bytes | int, ...]
Outcome = str | JournalUnavailable


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


def append_entries(client: redis.Redis, settings: Journal, batch: Sequence[Fields]) -> list[Outcome]:
    """Append entries in one round trip, under one proof, and return what became of each, in their order.

    An entry's id: it is fsynced, and on its replicas. JournalUnavailable: Redis refused this very entry (at its limit
    of memory, say) and took others. Raised, it concerns all: some of them may be in the journal, none may be promised.
    """
    with Writer(client, settings) as writer:
        return writer.append(batch)


class Writer:
    """Appends over one connection that it takes from the pool and keeps, for one append at a time.

    The pool looks whether a connection is alive and whose it is: `renew` lets it look again, at the next append.
    """

    def __init__(self, client: redis.Redis, settings: Journal) -> None:
        self._pool = client.connection_pool
        self._settings = settings
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connection back."""
        self.renew()

    def renew(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)

    def append(self, batch: Sequence[Fields]) -> list[Outcome]:
        """Append entries as `append_entries` does. Raises JournalUnavailable."""
        stream = self._settings.stream
        writes: list[Command] = [("XADD", stream, "*", *chain.from_iterable(fields.items())) for fields in batch]
        return [
            JournalUnavailable(f"{type(answer).__name__}: {answer}")
            if isinstance(answer, redis.ResponseError)
            else str(answer.decode())
            for answer in self.prove(writes)
        ]

    def prove(self, writes: Sequence[Command]) -> list[Any]:
        """Send writes and return their answers once all that were taken are durable.

        An answer is a redis.ResponseError where Redis refused that one. WAIT and WAITAOF speak of all that was written
        on this connection before them, so one of each proves every write. Raises JournalUnavailable without that proof.
        """
        milliseconds = int(self._settings.timeout * 1000)
        replicas = self._settings.replicas
        proofs: list[Command] = [("WAIT", replicas, milliseconds)] if replicas else []
        proofs.append(("WAITAOF", 1, 0, milliseconds))
        try:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            answers = exchange(self._connection, [*writes, *proofs])
        except (redis.RedisError, OSError) as error:
            self.renew()
            raise JournalUnavailable(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self.renew()
            raise
        fsynced = answers.pop()
        received = answers.pop() if replicas else 0
        for proof in (fsynced, received):
            if isinstance(proof, redis.ResponseError):
                raise JournalUnavailable(f"{type(proof).__name__}: {proof}")
        if int(fsynced[0]) < 1:
            raise JournalUnavailable("the journal did not fsync in time")
        if int(received) < replicas:
            raise JournalUnavailable(f"{int(received)} of {replicas} replicas had it in time")
        return answers


def exchange(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    """Send commands together and return their answers, errors among them as values.

    A connection on which that fails is closed: an answer that comes late must never be taken for another one's.
    """
    answers: list[Any] = []
    try:
        packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]  # redis-py's, as the two below
        connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
        for _ in commands:
            try:
                answers.append(connection.read_response())
            except redis.ResponseError as refusal:
                answers.append(refusal)
    except BaseException:
        connection.disconnect()  # type: ignore[no-untyped-call]
        raise
    return answers


def probe_durability(client: redis.Redis, settings: Journal) -> None:
    """Write something small and have its durability proved as an entry's is. Raises JournalUnavailable.

    Without a write before it, WAITAOF would prove nothing: it answers at once.
    """
    with Writer(client, settings) as writer:
        (answer,) = writer.prove([("SET", f"{settings.stream}:probe", "1")])
    if isinstance(answer, redis.ResponseError):
        raise JournalUnavailable(f"{type(answer).__name__}: {answer}")


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
