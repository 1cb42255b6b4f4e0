"""The journal: one Redis stream. The door appends to it, and so does the replay of a rejection.

An append is one XADD or several followed, in the same round trip, by ``WAITAOF 1 0``: its answer is Redis's own proof
that these very writes are fsynced, whatever the settings were a second ago (Redis 7.2, Valkey 8). With
`journal.replicas` it demands ``WAIT N``, too, so that a failover does not lose what was acknowledged. Not ``WAITAOF 1
N``: a replica that is asked answers at once, and so with the fsync before this one, and again only at its own timer's
next second. Its answer to WAIT leaves it after its fsync all the same, when it runs with ``appendfsync always``.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Self

import redis
from redis.connection import Connection

from schemas.journal.envelope import Fields
from schemas.journal.redis_client import connect_redis
from schemas.settings.journal import Journal

GROUP = "drain"
ASIDE = "aside"  # the consumer, and no process, that holds entries over which a server failed when they were alone


class JournalUnavailable(Exception):
    """The entry is not known to be durable. Refuse the push (503): the sender will repeat it."""


Command = tuple[str | bytes | int, ...]
Outcome = str | JournalUnavailable


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
        packed = connection.pack_commands(commands)  # type: ignore[no-untyped-call]  # redis-py's
        connection.send_packed_command(packed)  # type: ignore[no-untyped-call]  # likewise
        for _ in commands:
            try:
                answers.append(connection.read_response())
            except redis.ResponseError as refusal:
                answers.append(refusal)
    except BaseException:
        connection.disconnect()  # type: ignore[no-untyped-call]  # likewise
        raise
    return answers
