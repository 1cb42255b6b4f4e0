"""Heads that were parsed before. A sender mostly begins its pushes alike to the byte when their bodies are as long.

To parse a head costs the door more than anything else that it does for a push on a connection that stays. What gunicorn
makes of one depends on its bytes, on whose they are, and on settings that a process never changes, so it is kept by the
first two; nothing is kept of a head that is refused for itself. A head has its credentials in it: they stay in this
process's memory for as long, and are checked anew for each request.
"""

from typing import Any

from schemas.listener.reading import HEAD_END, BoundedRequest

LONGEST = 4 * 1024  # bytes of a head that is kept
MOST = 256  # of them: 4 MiB at most, with what was made of them
PARSED = ("method", "uri", "path", "query", "fragment", "version", "headers", "scheme", "_expected_100_continue")

Parsed = dict[str, Any]


class Heads:
    """What was made of the last new heads, in one worker process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, object], Parsed] = {}

    def __len__(self) -> int:
        """Return of how many."""
        return len(self._kept)

    def find(self, head: bytes, peer: object) -> Parsed | None:
        """Return what was made of a head of this peer's."""
        return self._kept.get((head, peer))

    def keep(self, head: bytes, peer: object, request: BoundedRequest) -> None:
        """Keep what was made of a head, in place of the oldest where there are too many."""
        if len(self._kept) >= MOST:
            del self._kept[next(iter(self._kept))]
        self._kept[head, peer] = {name: getattr(request, name) for name in PARSED}

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


KNOWN = Heads()


class RepeatedRequest(BoundedRequest):
    """A request whose head may be known."""

    _new = b""  # its head, when it is not

    def parse_head(self, data: bytes) -> Any:  # noqa: ANN401 - gunicorn has no types
        """Take a head to pieces, or take those of the last time. Return what was read beyond it."""
        end = data.find(HEAD_END, 0, LONGEST)
        if end < 0:
            return super().parse_head(data)
        head = data[: end + len(HEAD_END)]
        if (parsed := KNOWN.find(head, self._peer)) is not None:
            self.__dict__.update(parsed)
            return data[len(head) :]
        rest = super().parse_head(data)
        self._new = head
        return rest

    def set_body_reader(self) -> None:
        """Choose what reads the body; a head that says nothing sensible of it is refused here."""
        super().set_body_reader()
        if self._new and self.proxy_protocol_info is None:
            KNOWN.keep(self._new, self._peer, self)

    @property
    def _peer(self) -> object:
        """Whose the head is: an address without its port, or the name of a unix socket."""
        return self.peer_addr[0] if isinstance(self.peer_addr, tuple) else self.peer_addr
