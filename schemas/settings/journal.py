"""The settings of the journal, and of those who take entries off it."""

from typing import Annotated

from msgspec import Meta

from schemas.settings.section import Section


class Journal(Section, frozen=True):
    """The journal, when the door refuses to fill it further, and on how many replicas an entry must be, too.

    `max_memory_share` is a share of Redis's maxmemory, `max_bytes` is held against the memory that Redis uses.
    """

    stream: str = "alert-intake:journal"
    timeout: float = 1.0
    max_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.7
    max_bytes: Annotated[int, Meta(gt=0)] | None = None
    max_entries: Annotated[int, Meta(gt=0)] | None = None
    replicas: Annotated[int, Meta(ge=0)] = 0


class Drain(Section, frozen=True):
    """How entries are taken: `batch` at most at once, fewer large ones; what idles `stale_after` s is taken over.

    `gather`: seconds that entries are gathered for at most, when many come, so that they share a transaction.
    """

    batch: int = 500
    gather: Annotated[float, Meta(ge=0, le=1)] = 0.2
    seconds: float = 5.0
    stale_after: float = 15.0
