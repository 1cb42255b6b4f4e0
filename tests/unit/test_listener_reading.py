"""How requests are read: whole heads in any pieces, counted chunks, sockets that neither wait nor run for ever."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gevent
import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidChunkSize, LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.http.message import Message, Request
from gunicorn.http.unreader import IterUnreader

from ingress.listener.heads import KNOWN, LONGEST, MOST, RepeatedRequest
from ingress.listener.turns import PlainSocket
from schemas.listener.reading import CHUNKS, HEAD_BYTES, BoundedRequest, Head, WholeBody, is_read
from schemas.listener.waiting import PunctualSocket, PunctualUnreader

CLIENT = ("192.0.2.1", 5)
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\x08\0\1\0\2"  # as the line of version 1 below
LINE = b"POST /push/x HTTP/1.1\r\n"
HEADS = [
    LINE + b"Host: x\r\nContent-Length: 2\r\n\r\n{}GET",
    LINE + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nGET",
    b"\r\n" + LINE + b"Host: x\r\n\r\n",
    LINE + b"\r\n\r\n",
    b"\r\n\r\n" + LINE + b"\r\n",
    LINE + b"Host: x\nX: y\r\n\r\n",
    LINE[:-2] + b"\nHost: x\r\n\r\n",
    b"\nGET / HTTP/1.1\r\n\r\n",
    LINE + b"X: a\rb\r\n\r\n",
    LINE + b"Host: x\r\n",
    b"",
]


@pytest.fixture(autouse=True)
def no_known_heads() -> None:
    """Begin without any."""
    KNOWN.clear()


def read_request(kind: type[Request], pieces: list[bytes]) -> tuple[Any, ...]:
    """Return what is made of a request that comes in these pieces."""
    try:
        request = kind(Config(), IterUnreader(iter(pieces)), CLIENT)
        body = request.body.read()
    except (StopIteration, OSError):
        return ("ended",)
    except ParseException as error:
        return ("refused", type(error))
    return (request.method, request.uri, request.headers, body, request.unreader.take_buffered())


@pytest.mark.parametrize("data", HEADS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_heads_in_pieces_are_gunicorns(data: bytes, size: int) -> None:
    """Whatever pieces a request comes in, and however often, it is read, or refused, as gunicorn reads it."""
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    expected = read_request(Request, pieces)
    assert read_request(BoundedRequest, pieces) == expected
    assert [read_request(RepeatedRequest, pieces) for _ in range(3)] == [expected] * 3


@pytest.mark.parametrize("data", [*HEADS, *(LINE.replace(b"/x", target) for target in (b"/x?a=b#c", b"x://y/z"))])
def test_known_head_makes_the_same_request(data: bytes) -> None:
    """All that gunicorn notes of a request stands in it, whether its head is new or known."""
    if read_request(Request, [data])[0] in {"ended", "refused"}:
        return
    settings = Config()
    noted = [vars(kind(settings, IterUnreader([data]), CLIENT)) for kind in (Request, *[RepeatedRequest] * 3)]
    for own in ("unreader", "body", "_new"):
        for notes in noted:
            notes.pop(own, None)
    assert noted == [noted[0]] * 4


def test_known_head_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind it is read nevertheless: another body, another request."""
    head = LINE + b"Host: known\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    first = RepeatedRequest(Config(), IterUnreader([head + b"{}"]), CLIENT)
    monkeypatch.delattr(Message, "parse_headers")
    second = RepeatedRequest(Config(), IterUnreader([head + b"[]POST /"]), CLIENT)
    assert [one.body.read() for one in (first, second)] == [b"{}", b"[]"]
    assert second.unreader.take_buffered() == b"POST /"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Content-Length: -1",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: other",
        b"Bad Name: x",
    ],
)
def test_refused_head_is_not_kept(fields: bytes) -> None:
    """Whatever it is refused for, and however often it comes."""
    for _ in range(3):
        with pytest.raises(ParseException):
            RepeatedRequest(Config(), IterUnreader([LINE + fields + b"\r\n\r\n{}"]), CLIENT)
    assert len(KNOWN) == 0


@pytest.mark.parametrize("address", [b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n", PROXY_V2])
def test_what_a_proxy_says_before_a_head_is_not_kept(address: bytes) -> None:
    """It is of one connection, not of all that begin alike."""
    settings = Config()
    settings.set("proxy_protocol", "auto")
    settings.set("proxy_allow_ips", "*")
    told = [RepeatedRequest(settings, IterUnreader([address + LINE + b"\r\n"]), CLIENT) for _ in range(2)]
    assert [one.proxy_protocol_info["client_addr"] for one in told] == ["192.0.2.7"] * 2
    assert len(KNOWN) == 0


@pytest.mark.parametrize("peers", [["127.0.0.1", "192.0.2.1"], ["192.0.2.1", "127.0.0.1"]])
def test_head_of_one_peer_is_not_known_of_another(peers: list[str]) -> None:
    """Of a proxy more is believed than of others, whoever sends the same bytes before."""
    head = LINE + b"X-Forwarded-Proto: https\r\nHost: %s\r\n\r\n" % peers[0].encode()
    settings = Config()  # gunicorn's own: 127.0.0.1 is a proxy
    schemes = {peer: RepeatedRequest(settings, IterUnreader([head]), (peer, 5)).scheme for peer in 2 * peers}
    assert schemes == {"127.0.0.1": "https", "192.0.2.1": "http"}


def test_few_heads_are_kept_and_none_that_is_large() -> None:
    """Whoever sends one head after the other fills no memory."""
    for number in range(3 * MOST):
        RepeatedRequest(Config(), IterUnreader([LINE + b"X: %d\r\n\r\n" % number]), CLIENT)
        assert len(KNOWN) <= MOST
    before = len(KNOWN)
    RepeatedRequest(Config(), IterUnreader([LINE + b"X: " + b"y" * LONGEST + b"\r\n\r\n"]), CLIENT)
    assert len(KNOWN) == before


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (LINE + b"X: y\r\n" * HEAD_BYTES, LimitRequestHeaders),
        (LINE + b"X: " + b"y" * HEAD_BYTES, LimitRequestHeaders),
        (b"POST /" + b"y" * 2 * HEAD_BYTES, LimitRequestLine),
    ],
)
def test_heads_are_bounded(data: bytes, refusal: type[Exception]) -> None:
    """More than so many bytes are not read for a head, nor in a time that grows with their square."""
    unreader = IterUnreader(data[place : place + 1] for place in range(len(data)))
    began = time.process_time()
    with pytest.raises(refusal):
        BoundedRequest(Config(), unreader, CLIENT)
    assert time.process_time() - began < 1.5
    assert sum(1 for _ in unreader.iter) > len(data) - HEAD_BYTES - 10


def test_body_behind_a_head_does_not_count() -> None:
    """A head that is whole is not refused for what was read beyond it."""
    head = Head()
    head.add(LINE + b"Content-Length: 100000\r\n\r\n" + b"x" * HEAD_BYTES)
    head.require_bounded()
    assert head.settled


def test_chunks_are_counted() -> None:
    """A body may have so many chunks, and not one more."""
    head = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
    for chunks, taken in ((CHUNKS - 1, True), (CHUNKS, False)):
        request = BoundedRequest(Config(), IterUnreader([head, b"1\r\nx\r\n" * chunks, b"0\r\n\r\n"]), CLIENT)
        if taken:
            assert request.body.read() == b"x" * chunks
        else:
            with pytest.raises(InvalidChunkSize):
                request.body.read()
            assert request.body.failed


@pytest.mark.parametrize(("behind", "whole"), [(b"", False), (b"{", False), (b"{}", True), (b"{}GET", True)])
def test_body_that_came_with_its_head_is_whole(behind: bytes, whole: bool) -> None:
    """Only then nothing is waited for; what is behind it belongs to the next request."""
    head = LINE + b"Content-Length: 2\r\n\r\n"
    request = BoundedRequest(Config(), IterUnreader([head + behind, b"{}"[len(behind) :]]), CLIENT)
    assert (isinstance(request.body, WholeBody), is_read(request.body)) == (whole, whole)
    assert request.body.read() == b"{}"
    assert is_read(request.body)
    assert request.unreader.take_buffered() == behind[2:]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two sockets that are connected."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_deadline_passes_while_there_is_something_to_read(pair: tuple[socket.socket, socket.socket]) -> None:
    """A reader that is never ahead of its sender lets others run, and its own deadline come."""
    ours, theirs = pair
    theirs.setblocking(False)
    gaps = [0]  # reads between two turns of the other

    def wake_up() -> None:
        while True:
            gevent.sleep(0.001)
            gaps.append(0)

    def read_on(reader: PlainSocket) -> None:
        began = time.monotonic()
        while time.monotonic() - began < 5:
            theirs.send(b"x" * 10)
            assert reader.recv(10) == b"x" * 10
            gaps[-1] += 1
            busy = time.process_time()
            while time.process_time() - busy < 0.001:
                pass

    other = gevent.spawn(wake_up)
    reader = PlainSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())
    with closing(reader), pytest.raises(TimeoutError), gevent.Timeout(0.5, TimeoutError):
        read_on(reader)
    other.kill()
    assert max(gaps) < 20


def test_request_in_two_pieces_keeps_its_turn(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is given up where nobody is kept waiting: each request is waited for anyway."""
    ours, theirs = pair
    monkeypatch.setattr("ingress.listener.turns.gevent", None)  # it would be asked to sleep
    with closing(PlainSocket(ours.family, ours.type, ours.proto, fileno=ours.detach())) as reader:
        for _ in range(50):
            sender = gevent.spawn_later(0.001, theirs.sendall, b"x" * 1500)
            assert len(reader.recv(1000)) + len(reader.recv(1000)) == 1500
            sender.join()


def test_body_that_is_late(pair: tuple[socket.socket, socket.socket]) -> None:
    """Beyond the deadline there is what came in time, then an error; and answers may be waited for as before."""
    ours, theirs = pair
    reader = PunctualUnreader(ours)
    theirs.sendall(b"{}")
    reader.deadline = time.monotonic() - 1
    assert reader.read() == b"{}"
    reader.deadline = time.monotonic() + 0.1
    with pytest.raises(TimeoutError):
        reader.read()
    with pytest.raises(TimeoutError):
        reader.read()
    assert ours.gettimeout() is None


def test_answer_that_nobody_takes(pair: tuple[socket.socket, socket.socket]) -> None:
    """Whoever does not take an answer is as good as gone after a while; whoever takes a little is waited for."""
    ours, theirs = pair
    with PunctualSocket(fileno=ours.detach()) as sender:
        sender.take_within(0.2)
        assert sender.takes_answers()
        began = time.monotonic()
        with pytest.raises(BrokenPipeError):
            sender.sendall(b"x" * 10_000_000)
        assert time.monotonic() - began < 2
        assert not sender.takes_answers()
        assert theirs.recv(100_000)
