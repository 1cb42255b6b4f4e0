"""The door's own halves of WSGI: what gunicorn would have made of a request and of its answer, with less ado."""

from collections.abc import Iterable
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from ingress.listener.wsgi import WholeResponse, describe_request, describe_server

CLIENT = ("192.0.2.1", 50123)
BOUND = ("127.0.0.1", 8443)
POST = b"POST /push/x?a=b%20c HTTP/1.1\r\nHost: door:8443\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
REQUESTS = [
    POST + b"\r\n{}",
    POST + b"Authorization: Basic eA==\r\nX-Twice: one\r\nX-Once: 1\r\nx-twice: two\r\nX-Twice:\r\n\r\n{}",
    b"POST /stra%C3%9Fe HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: door\r\nScript_Name: /x\r\nX-Script-Name: /x\r\n\r\n",
    b"HEAD /push/x HTTP/1.1\r\nHost: door\r\nConnection: close\r\n\r\n",
]
# What gunicorn offers and no application here asks for.
NOT_OFFERED = {"wsgi.file_wrapper", "wsgi.early_hints"}


class Wire:
    """Stands for a socket: remembers each piece that is sent."""

    def __init__(self, room: int = 100_000) -> None:
        self.sent: list[bytes] = []
        self.room = room

    def send(self, piece: bytes) -> int:
        """Take what there is room for."""
        self.sent.append(piece[: self.room])
        return len(self.sent[-1])

    def sendall(self, piece: bytes) -> None:
        """Take all."""
        self.sent.append(piece)


def parse(request: bytes) -> Any:  # noqa: ANN401 - gunicorn has no types
    """Have gunicorn parse a request."""
    return next(RequestParser(Config(), iter([request]), CLIENT))


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize(("client", "bound"), [(CLIENT, BOUND), (("2001:db8::1", 5, 0, 0), ("::", 8443, 0, 0))])
def test_environment_is_gunicorns(request_: bytes, client: Any, bound: Any) -> None:  # noqa: ANN401 - addresses
    """The application finds the environment that gunicorn would have given it."""
    settings, request, wire = Config(), parse(request_), Wire()
    _, expected = wsgi.create(request, wire, client, bound, settings)
    environment = describe_request(describe_server(settings), request, wire, client, bound)
    changing = NOT_OFFERED | {"wsgi.errors", "wsgi.multithread"}
    assert {name: value for name, value in environment.items() if name not in changing} == {
        name: value for name, value in expected.items() if name not in changing
    }
    assert environment["wsgi.multithread"] is True


@pytest.mark.parametrize("client", ["", b""])
def test_proxy_on_a_unix_socket(client: str | bytes) -> None:
    """A peer on a unix socket has no address, and the name of the host is the request's own."""
    environment = describe_request(describe_server(Config()), parse(REQUESTS[0]), Wire(), client, "/run/door.sock")
    assert (environment["REMOTE_ADDR"], environment["HTTP_HOST"]) == ("", "door:8443")


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize(
    ("status", "headers", "pieces"),
    [
        ("200 OK", [("Content-Length", "4"), ("X-Request-Id", "1")], [b"body"]),
        ("200 OK", [("Content-Length", "4")], [b"bo", b"dy"]),
        ("200 OK", [("Content-Length", "4")], [b"body too long"]),
        ("200 OK", [("Content-Length", "0")], [b""]),
        ("200 OK", [("Content-Type", "text/plain")], [b"body"]),
        ("204 NO CONTENT", [], []),
        ("400 BAD REQUEST", [("Content-Length", "4"), ("Connection", "close")], [b"body"]),
    ],
)
def test_answer_is_gunicorns(
    monkeypatch: pytest.MonkeyPatch,
    request_: bytes,
    status: str,
    headers: list[tuple[str, str]],
    pieces: Iterable[bytes],
) -> None:
    """Whatever is answered, the bytes are gunicorn's own."""
    monkeypatch.setattr("ingress.listener.wsgi.time", lambda: 1_700_000_000.5)
    monkeypatch.setattr("gunicorn.util.time.time", lambda: 1_700_000_000.5)
    told = []
    for response_class in (wsgi.Response, WholeResponse):
        wire = Wire()
        response = response_class(parse(request_), wire, Config())
        response.start_response(status, headers)
        for piece in pieces:
            response.write(piece)
        response.close()
        told.append((b"".join(wire.sent), response.should_close()))
    assert told[0] == told[1]


def test_answer_leaves_in_one_piece() -> None:
    """Head and body are one packet, so that the sender wakes up once."""
    wire = Wire()
    response = WholeResponse(parse(REQUESTS[0]), wire, Config())
    response.start_response("200 OK", [("Content-Length", "4")])
    response.write(b"body")
    assert len(wire.sent) == 1


@pytest.mark.parametrize("room", [0, 1, 20, 100_000])
def test_answer_for_which_there_is_little_room(room: int) -> None:
    """What the connection does not take at once leaves behind it."""
    wire = Wire(room)
    response = WholeResponse(parse(REQUESTS[0]), wire, Config())
    response.start_response("200 OK", [("Content-Length", "4")])
    response.write(b"body")
    head, _, body = b"".join(wire.sent).partition(b"\r\n\r\n")
    assert (head[:15], head.count(b"Content-Length"), body) == (b"HTTP/1.1 200 OK", 1, b"body")
