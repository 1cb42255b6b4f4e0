"""A request that is gathered before anybody works on it: its head, and the body where that is small and on its way.

So a worker with few threads gives one to what is there, and to nobody who is still to be waited for. What says that it
comes in chunks, or only when it is asked for (`Expect`), and what is large, has to be read by whoever wants it.
"""

import re

from schemas.listener.reading import HEAD_END, Head

BODY_BYTES = 16 * 1024  # of a body that is gathered

LENGTH = re.compile(rb"\r\nContent-Length:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
LATER = re.compile(rb"\r\n(?:Transfer-Encoding|Expect)[ \t]*:", re.IGNORECASE)
WITHOUT_BODY = (b"GET ", b"HEAD ")  # whatever they announce, no page of ours reads it


class Gathering(Head):
    """What has come of a request. It is `whole` when nothing that may still come has to be waited for here."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = False
        self._size = 0  # of head and body, once the head is there

    @property
    def awaits_body(self) -> bool:
        """Whether the head is there and the body is not."""
        return self.settled and not self.whole

    def add(self, piece: bytes) -> None:
        """Take in a piece."""
        if not self.settled:
            super().add(piece)
            self._size = self._measure() if self.settled else 0
        else:
            self.data += piece
        self.whole = self.settled and len(self.data) >= self._size

    def _measure(self) -> int:
        """Return how large the request will be as far as it is gathered; 0 for what is read by others."""
        end = self.data.find(HEAD_END)
        head = bytes(self.data[: end + len(HEAD_END)])
        lengths = LENGTH.findall(head)
        if len(lengths) != 1 or head.startswith(WITHOUT_BODY) or LATER.search(head) or int(lengths[0]) > BODY_BYTES:
            return 0
        return len(head) + int(lengths[0])
