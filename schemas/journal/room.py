"""Room: how full the journal is, and from where on nothing more is put into it, long before Redis itself refuses."""

from dataclasses import dataclass

import redis

from schemas.journal.append import JournalUnavailable
from schemas.journal.redis_client import follow_primary
from schemas.settings.journal import Journal


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
