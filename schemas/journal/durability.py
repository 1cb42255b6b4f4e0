"""What a journal stands on, looked at and not assumed: its settings, and the proof of a write of its own.

Where Redis forbids CONFIG, as hosted ones do, the proof of the write is all there is, and it is enough.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from schemas.journal.append import JournalUnavailable, Writer
from schemas.settings.journal import Journal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `found`: what is there and, when it is not well, what to do.

    `refuses`: as long as it is not well, the door refuses every push. What else is not well only makes it slower, or
    makes it refuse later than it should.
    """

    name: str
    well: bool
    found: str
    refuses: bool = False


def examine_durability(client: redis.Redis, settings: Journal) -> Iterator[Finding]:
    """Look at the journal. Raises redis.RedisError or OSError when it does not answer."""
    persistence, memory, replication = (read_info(client, part) for part in ("persistence", "memory", "replication"))
    aof = bool(int(persistence.get("aof_enabled", 0)))
    yield Finding("appendonly", aof, "yes" if aof else "no: nothing would survive; set appendonly yes", refuses=True)
    status = str(persistence.get("aof_last_write_status", "ok"))
    if status != "ok":
        yield Finding("append-only file", False, f"its last write failed ({status}): look at its disk", refuses=True)
    yield prove_durability(client, settings)
    yield from examine_settings(client)
    policy, limit = str(memory.get("maxmemory_policy", "noeviction")), int(memory.get("maxmemory", 0))
    kept = policy == "noeviction"
    yield Finding(
        "maxmemory-policy", kept, policy + ("" if kept else ": may delete entries; set noeviction"), refuses=True
    )
    bounded = bool(limit or settings.max_bytes)
    unbounded = "not set, nor journal.max_bytes: the door cannot refuse in time; set maxmemory"
    yield Finding("maxmemory", bounded, f"{limit} bytes" if limit else "journal.max_bytes" if bounded else unbounded)
    yield examine_replicas(int(replication.get("connected_slaves", 0)), settings)


def prove_durability(client: redis.Redis, settings: Journal) -> Finding:
    """Write, and have it proved as an alert's entry is."""
    began = time.perf_counter()
    try:
        probe_durability(client, settings)
    except JournalUnavailable as error:
        advice = f"{error}; Redis 7.2 or Valkey 8 with appendonly yes, appendfsync always and a quick disk is needed"
        return Finding("WAITAOF", False, advice, refuses=True)
    where = f", and on {settings.replicas} replicas" if settings.replicas else ""
    return Finding("WAITAOF", True, f"a write was fsynced{where} in {(time.perf_counter() - began) * 1000:.1f} ms")


def examine_settings(client: redis.Redis) -> Iterator[Finding]:
    """Look at the settings of fsync, which only CONFIG tells."""
    advice = {
        "appendfsync": ("always", "every acknowledgement waits for the next fsync, up to a second, or for ever"),
        "no-appendfsync-on-rewrite": ("no", "no push can be acknowledged while the file is being rewritten"),
    }
    for name, (wanted, otherwise) in advice.items():
        try:
            answer: Any = client.config_get(name)
        except redis.ResponseError:
            yield Finding(name, True, "not told, CONFIG is forbidden here: each write's own WAITAOF proves it")
            continue
        value = str(answer.get(name, ""))
        well = value == wanted
        yield Finding(name, well, value + ("" if well else f": {otherwise}; set {wanted}"))


def examine_replicas(connected: int, settings: Journal) -> Finding:
    """Hold the replicas that are there against those that an acknowledgement waits for."""
    enough = connected >= settings.replicas
    found = f"{connected} connected, journal.replicas is {settings.replicas}"
    if connected and not settings.replicas:
        found += ": a failover may lose what was acknowledged in its last moments"
    return Finding("replicas", enough, found + ("" if enough else ": every push is refused"), refuses=True)


def read_info(client: redis.Redis, section: str) -> dict[str, Any]:
    """Return a section of Redis's INFO."""
    return dict(client.info(section))


def probe_durability(client: redis.Redis, settings: Journal) -> None:
    """Write something small and have its durability proved as an entry's is. Raises JournalUnavailable.

    Without a write before it, WAITAOF would prove nothing: it answers at once.
    """
    with Writer(client, settings) as writer:
        (answer,) = writer.prove([("SET", f"{settings.stream}:probe", "1")])
    if isinstance(answer, redis.ResponseError):
        raise JournalUnavailable(f"{type(answer).__name__}: {answer}")
