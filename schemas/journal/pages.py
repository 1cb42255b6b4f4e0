"""Page through the journal's stream. Redis sends whole entries, so a page is as long as their bodies are small."""

from collections.abc import Iterator
from typing import cast

import redis

from schemas.journal.envelope import Fields

FIRST, LONGEST = 16, 256  # entries
PAGE_BYTES = 2**20  # what a page should have of bodies; one that grows suddenly may have `LONGEST` of the largest

Page = list[tuple[bytes, Fields]]


def page_through(client: redis.Redis, stream: str, last: str = "+") -> Iterator[Page]:
    """Yield the entries that are in the stream, up to the id `last`, page by page; none is empty."""
    after, size = "-", FIRST
    while True:
        page = cast("Page", client.xrange(stream, min=after, max=last, count=size))
        if page:
            yield page
        if len(page) < size:
            return
        after = "(" + page[-1][0].decode()
        weight = sum(len(fields.get(b"b", b"")) for _entry_id, fields in page)
        size = max(1, min(LONGEST, 2 * size, size * PAGE_BYTES // max(1, weight)))
