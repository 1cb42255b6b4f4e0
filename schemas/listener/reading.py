"""Requests read at a cost in proportion to their bytes, in whatever pieces they come.

gunicorn's parser copies and scans all of an unfinished head again for each piece of it, up to half a megabyte, and
takes chunks of one byte by the million. So it is given heads that are whole, within a bound, and it counts chunks.
"""

import re
from io import BytesIO
from typing import Any

from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import InvalidChunkSize, LimitRequestHeaders
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

HEAD_BYTES = 64 * 1024  # 64 fields, and room for a large one among them
TRAILER_BYTES = 8 * 1024
CHUNKS = 16 * 1024  # of one body: those of 64 bytes make a megabyte

HEAD_END = b"\r\n\r\n"
SETTLED = re.compile(rb"\r\n\r\n|(?<!\r)\n")  # the end of a head, or of a line that no head has
OVERLAP = 3  # bytes that an end may have before the piece that completes it


class Head:
    """What has come of a request's head, and perhaps of what follows."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.settled = False

    def add(self, piece: bytes) -> None:
        """Take in a piece. The head is `settled` when nothing that may still come changes what is made of it."""
        begin = max(0, len(self.data) - OVERLAP)
        self.data += piece
        self.settled = len(self.data) > HEAD_BYTES or SETTLED.search(self.data, begin) is not None

    def require_bounded(self) -> None:
        """Raise LimitRequestHeaders for a head that is too large; a line that is, is left to the parser."""
        if len(self.data) <= HEAD_BYTES:
            return
        end = self.data.find(HEAD_END, 0, HEAD_BYTES)
        if end < 0 and b"\r\n" in self.data:
            raise LimitRequestHeaders("limit request head size")


class CountedChunks(ChunkedReader):  # type: ignore[misc]  # gunicorn is published without type information
    """A body in chunks, of which there are not too many."""

    def __init__(self, request: Any, unreader: Any) -> None:  # noqa: ANN401 - gunicorn has no types
        super().__init__(request, unreader)
        self.limit_trailer_section = TRAILER_BYTES
        self._left = CHUNKS

    def parse_chunk_size(self, unreader: Any, data: bytes | None = None) -> tuple[int, bytes | None]:  # noqa: ANN401 - as above
        """Read the line before a chunk. Raises InvalidChunkSize, gunicorn's word for chunks that nobody sends."""
        self._left -= 1
        if self._left < 0:
            raise InvalidChunkSize(b"")
        return super().parse_chunk_size(unreader, data)  # type: ignore[no-any-return]  # as above


class WholeBody(BytesIO):
    """A body that came along with its head: there is nothing left to be waited for, nor to be read off a connection."""


class BoundedRequest(Request):  # type: ignore[misc]  # as above
    """gunicorn's request, from a head that is gathered before it is parsed."""

    body: Any

    def parse(self, unreader: Any) -> Any:  # noqa: ANN401 - as above
        """Read the head and return what was read beyond it."""
        data: bytes = unreader.read()
        if data and HEAD_END not in data[:HEAD_BYTES]:
            head = Head()
            head.add(data)
            while not head.settled and (piece := unreader.read()):
                head.add(piece)
            head.require_bounded()
            data = bytes(head.data)
        return self.parse_head(data)

    def parse_head(self, data: bytes) -> Any:  # noqa: ANN401 - as above
        """Take a head to pieces that is settled, and return what was read beyond it."""
        self.unreader.unread(data)
        return super().parse(self.unreader)

    def set_body_reader(self) -> None:
        """Choose what reads the body."""
        super().set_body_reader()
        reader = self.body.reader
        if isinstance(reader, ChunkedReader):
            self.body = Body(CountedChunks(self, self.unreader))
        elif isinstance(reader, LengthReader) and reader.length <= self.unreader.buf.tell():
            self.body = WholeBody(self.unreader.read(reader.length))


def make_requests_of(kind: type[BoundedRequest]) -> None:
    """Have gunicorn's parser make requests of this kind, in all of this process."""
    RequestParser.mesg_class = kind


def is_read(body: Body | WholeBody) -> bool:
    """Say whether nothing of a body is left on its connection: only then it is known where the next request begins."""
    if isinstance(body, WholeBody):
        return True
    if body.failed:
        return False
    reader = body.reader
    return reader.parser is None if isinstance(reader, ChunkedReader) else reader.length == 0
