"""What of a request is gathered before anybody works on it."""

import pytest

from schemas.listener.gathering import BODY_BYTES, Gathering

POST = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\n"


def gather(data: bytes, size: int) -> int:
    """Give pieces of a request until it is whole; return how many bytes that took, and 0 when it never was."""
    request = Gathering()
    for place in range(0, len(data), size):
        request.add(data[place : place + size])
        if request.whole:
            assert request.data == data[: place + size]
            return len(request.data)
    return 0


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_small_body_is_awaited(size: int) -> None:
    """A request is whole with the last byte of the body that it announces, in whatever pieces it comes."""
    data = POST + b"content-length: 5 \r\n\r\n"
    assert gather(data + b"abcd", size) == 0
    assert len(data) + 5 <= gather(data + b"abcdeGET / HTTP/1.1", size) < len(data) + 5 + size


@pytest.mark.parametrize(
    "head",
    [
        POST + b"\r\n",
        POST + b"Content-Length: 0\r\n\r\n",
        POST + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        POST + b"Content-Length: +5\r\n\r\n",
        POST + b"X-Content-Length: 5\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
        b"HEAD /livez HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
        POST + b"a line without a return\n",
        b"x" * 70_000,
    ],
)
def test_what_is_not_awaited(head: bytes) -> None:
    """No body, none that is large, in chunks, or to be asked for, and nothing behind a head that cannot be read."""
    assert gather(head, 100_000) == len(head)
