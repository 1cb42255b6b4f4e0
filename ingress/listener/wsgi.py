"""The two halves of a request as WSGI has them: its environment, and the answer, which leaves in one packet.

gunicorn parses and checks what comes in and what goes out. Its own `gunicorn.http.wsgi.create` also offers much that
the door never uses, and asks anew for each request what never changes: that cost as much as the door's own checks.
"""

from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Any

from gunicorn.http.wsgi import Response, base_environ
from gunicorn.util import unquote_to_wsgi_str

from ingress.identity.certificate import Environment

PLAIN = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}  # without the HTTP_ of all other headers


def describe_server(settings: Any) -> Environment:  # noqa: ANN401 - gunicorn has no types
    """Return what is the same in the environment of every request."""
    return {**base_environ(settings), "wsgi.multithread": True, "SCRIPT_NAME": ""}


def describe_request(server: Environment, request: Any, sock: Any, client: Any, bound: Any) -> Environment:  # noqa: ANN401 - as above
    """Return the environment of a request that gunicorn has parsed. `bound`: an address with its port, or a path."""
    name, port = (bound, "") if isinstance(bound, str) else bound[:2]
    environment = {
        **server,
        "wsgi.input": request.body,
        "wsgi.url_scheme": request.scheme,
        "gunicorn.socket": sock,
        "REQUEST_METHOD": request.method,
        "RAW_URI": request.uri,
        "PATH_INFO": unquote_to_wsgi_str(request.path),
        "QUERY_STRING": request.query,
        "SERVER_PROTOCOL": name_version(request),
        "SERVER_NAME": name,
        "SERVER_PORT": str(port),
    }
    if isinstance(client, tuple):
        environment["REMOTE_ADDR"], environment["REMOTE_PORT"] = client[0], str(client[1])
    else:
        environment["REMOTE_ADDR"] = client.decode() if isinstance(client, bytes) else client
    for header, value in request.headers:
        key = PLAIN.get(header) or "HTTP_" + header.replace("-", "_")
        environment[key] = f"{environment[key]},{value}" if key in environment else value
    return environment


class WholeResponse(Response):  # type: ignore[misc]  # gunicorn is published without type information
    """gunicorn's response, but head and body leave together: one TLS record, and the sender wakes up once."""

    headers_sent: bool

    def default_headers(self) -> list[str]:
        """Return the lines before the application's own."""
        connection = "close" if self.should_close() else "keep-alive"
        lines = [
            f"{name_version(self.req)} {self.status}\r\n",
            f"Server: {self.version}\r\nDate: {write_date(int(time()))}\r\nConnection: {connection}\r\n",
        ]
        return [*lines, "Transfer-Encoding: chunked\r\n"] if self.chunked else lines

    def write(self, arg: bytes) -> None:
        """Send a piece of the body, and before the first one the head."""
        if self.headers_sent or len(arg) != self.response_length or self._omits_body:
            super().write(arg)
            return
        head = "".join([*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"])
        self.headers_sent = True
        self.sent = len(arg)
        whole = head.encode("latin-1") + arg
        sent = self.sock.send(whole)  # all of it, as a rule; gevent's sendall asks the kernel for a setting first
        if sent < len(whole):
            self.sock.sendall(whole[sent:])


def name_version(request: Any) -> str:  # noqa: ANN401 - as above
    """Return the version of HTTP that a request speaks, and its answer too."""
    major, minor = request.version
    return f"HTTP/{major}.{minor}"


@lru_cache(maxsize=1)
def write_date(second: int) -> str:
    """Write the time of an answer as HTTP does."""
    return formatdate(second, usegmt=True)
