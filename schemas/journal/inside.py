"""The ids that are in the journal at an audit, in as little room as there can be: it may be a million of them.

None can be let go before the receipts are read, in one snapshot, and that must be made after the last id was read.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from schemas.journal.stream import PAGE, EntryId, entry_key


@dataclass(frozen=True, slots=True)
class Inside:
    """Entry ids, 16 bytes for each."""

    milliseconds: "array[int]" = field(default_factory=lambda: array("Q"))
    counters: "array[int]" = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.milliseconds)

    def list_keys(self) -> Iterator[tuple[list[datetime], list[int]]]:
        """Yield them as the columns (entered_at, sequence) of their receipts, page by page."""
        for start in range(0, len(self), PAGE):
            page = slice(start, start + PAGE)
            keys = map(entry_key, zip(self.milliseconds[page], self.counters[page], strict=True))
            moments, counters = zip(*keys, strict=True)
            yield list(moments), list(counters)


def keep_ids(pages: Iterable[list[EntryId]]) -> Inside:
    """Keep the ids of these pages."""
    inside = Inside()
    for page in pages:
        inside.milliseconds.extend(milliseconds for milliseconds, _ in page)
        inside.counters.extend(counter for _, counter in page)
    return inside
