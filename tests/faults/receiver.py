"""A downstream service that can be as bad as real ones are, for a while."""

import contextlib
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mood = Literal["well", "refusing", "hanging", "closing", "trickling"]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
TRICKLE_SECONDS = 1.0  # between two bytes: the whole answer takes more than a minute


@dataclass(slots=True)
class Receiver:
    """A server of the test's own. `received` is what it read, whatever it answered: our id -> event -> webhook ids."""

    mood: Mood = "well"
    received: dict[str, dict[str, Counter[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Counter))
    )
    well: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, webhook_id: str, body: dict[str, Any]) -> None:
        """Remember one delivery."""
        with self.lock:
            self.received[body["payload"]["id"]][body["event"]][webhook_id] += 1

    @contextlib.contextmanager
    def in_mood(self, mood: Mood) -> Iterator[None]:
        """Be bad for the time of the block."""
        self.well.clear()
        self.mood = mood
        try:
            yield
        finally:
            self.mood = "well"
            self.well.set()


@contextlib.contextmanager
def serve_receiver() -> Iterator[tuple[Receiver, str]]:
    """Serve one on a free port; yield it and its address."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            mood = receiver.mood
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if mood == "refusing":
                self.send_error(503)
                return
            receiver.keep(self.headers["webhook-id"], json.loads(body))
            answer = ANSWER
            if mood != "well":
                self.close_connection = True
            if mood == "hanging":
                receiver.well.wait(120)
                return
            if mood == "closing":
                answer = ANSWER[: len(ANSWER) // 2]
            with contextlib.suppress(OSError):
                if mood == "trickling":
                    self.trickle(answer)
                else:
                    self.wfile.write(answer)

        def trickle(self, answer: bytes) -> None:
            for byte in answer:
                self.wfile.write(bytes([byte]))
                time.sleep(TRICKLE_SECONDS)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver, f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        receiver.well.set()
        server.shutdown()
        thread.join()
        server.server_close()
