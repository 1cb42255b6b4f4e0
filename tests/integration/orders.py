"""A shop's order service, as the look-up's contract has it, with every fault a server can have."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOTHING = b" " * 65536
ORDER = {"id": "100042", "status": "shipped", "total": "125.40"}


@dataclass
class Orders:
    """What it was asked and how it answers: `statuses` in turn, the last one for ever.

    delay      seconds before each answer
    open       it answers only while this is set
    slow_head  seconds before each byte of its head, and
    slow_body  of its body
    padding    bytes of nothing that follow on the answer, as many as are taken
    sized      whether Content-Length says how many there are
    told       headers besides
    sent       bytes of nothing that were taken
    """

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    answer: bytes = json.dumps({"order": ORDER}).encode()
    delay: float = 0.0
    open: threading.Event = field(default_factory=threading.Event)
    slow_head: float = 0.0
    slow_body: float = 0.0
    padding: int = 0
    sized: bool = True
    told: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def run_orders(tls: ssl.SSLContext | None = None) -> Iterator[Orders]:
    """Run the service on a free port until the block ends."""
    orders = Orders()
    orders.open.set()

    class Handler(BaseHTTPRequestHandler):
        _headers_buffer: list[bytes]

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            orders.asked.append(question)
            orders.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = orders.statuses.pop(0) if len(orders.statuses) > 1 else orders.statuses[0]
            time.sleep(orders.delay)
            orders.open.wait(10)
            self.send_response(status)
            if orders.sized:
                self.send_header("Content-Length", str(len(orders.answer) + orders.padding))
            for name, value in orders.told.items():
                self.send_header(name, value)
            if 300 <= status < 400:
                self.send_header("Location", orders.url)
            self.end_headers()
            self.send(orders.answer, orders.slow_body)
            for begin in range(0, orders.padding, len(NOTHING)):
                orders.sent += self.wfile.write(NOTHING[: orders.padding - begin])

        def flush_headers(self) -> None:
            head, self._headers_buffer = b"".join(self._headers_buffer), []
            self.send(head, orders.slow_head)

        def send(self, content: bytes, pause: float) -> None:
            """Send all at once, or byte by byte with a pause before each."""
            for piece in (content[at : at + 1] for at in range(len(content))) if pause else (content,):
                time.sleep(pause)
                self.wfile.write(piece)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with suppress(ConnectionError, ssl.SSLError):  # who asked did not wait
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    orders.url = f"{'http://127.0.0.1' if tls is None else 'https://localhost'}:{server.server_port}/look-up"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield orders
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
