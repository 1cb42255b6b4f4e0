"""Weight: how much a batch may have. One push may hold thousands of alerts, and each is in memory many times.

What entries weigh shows only when they are read, so they are read in pieces.
"""

from collections.abc import Sequence
from itertools import accumulate

from workers.intake.outcomes import Entry

PIECE = 64  # entries read at once, at most
MOST_BYTES = 2 * 2**20  # of the sealed bodies of a batch, unless it is one entry; 500 ordinary ones have a fifth of it


def weigh(entries: Sequence[Entry]) -> int:
    """Return the bytes of the sealed bodies."""
    return sum(map(weight_of, entries))


def count_fitting(entries: Sequence[Entry]) -> int:
    """Return how many of the first entries go into one batch: one at least, if there is one."""
    fitting = sum(total <= MOST_BYTES for total in accumulate(map(weight_of, entries)))
    return min(max(1, fitting), len(entries))


def weight_of(entry: Entry) -> int:
    """Return the bytes of the sealed body."""
    return len(entry.fields.get(b"b", b""))
