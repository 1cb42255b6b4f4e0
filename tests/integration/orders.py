"""A shop's order service, as the look-up's contract has it, with every fault a server can have."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ORDER = {"id": "100042", "status": "shipped", "total": "125.40"}


@dataclass
class Orders:
    """What it was asked and how it answers: `statuses` in turn, the last one for ever."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    answer: bytes = json.dumps({"order": ORDER}).encode()
    delay: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def run_orders() -> Iterator[Orders]:
    """Run the service on a free port until the block ends."""
    orders = Orders()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            orders.asked.append(question)
            orders.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = orders.statuses.pop(0) if len(orders.statuses) > 1 else orders.statuses[0]
            time.sleep(orders.delay)
            self.send_response(status)
            self.send_header("Content-Length", str(len(orders.answer)))
            if 300 <= status < 400:
                self.send_header("Location", orders.url)
            self.end_headers()
            self.wfile.write(orders.answer)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked did not wait
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    orders.url = f"http://127.0.0.1:{server.server_port}/look-up"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield orders
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
