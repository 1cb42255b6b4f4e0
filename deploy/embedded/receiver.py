"""A downstream service for trying things out: verifies each delivery's signature and remembers what came.

``GET /`` counts, ``GET /deliveries`` lists the latest, every ``POST`` is a delivery. What came is also appended to a
file and read back at the next start, so that the counts cover all runs on the same folder. For one machine, plain HTTP.
"""

import argparse
import json
import os
from collections import deque
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

KEPT = 10_000


class Deliveries:
    """What was received: counts over all time, and the latest ones as they came."""

    def __init__(self, file: Path) -> None:
        self.lock = Lock()
        self.received = 0
        self.bad_signatures = 0
        self.ids: set[str] = set()
        self.latest: deque[dict[str, Any]] = deque(maxlen=KEPT)
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                self.count(json.loads(line))
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.file = os.fdopen(descriptor, "a", encoding="utf-8")

    def keep(self, delivery: dict[str, Any]) -> None:
        """Remember one, in the file first."""
        with self.lock:
            self.file.write(json.dumps(delivery) + "\n")
            self.file.flush()
            self.count(delivery)

    def count(self, delivery: dict[str, Any]) -> None:
        """Add one to the counts."""
        self.received += 1
        self.ids.add(delivery["webhook_id"])
        self.latest.append(delivery)

    def summary(self) -> dict[str, Any]:
        """Return the counts and the last delivery."""
        with self.lock:
            return {
                "received": self.received,
                "distinct": len(self.ids),
                "bad_signatures": self.bad_signatures,
                "last": self.latest[-1] if self.latest else None,
            }

    def listed(self) -> list[dict[str, Any]]:
        """Return the latest deliveries, oldest first."""
        with self.lock:
            return list(self.latest)


class Receiver(BaseHTTPRequestHandler):
    """One connection. `deliveries` and `webhook` are set by `serve`."""

    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # headers and body in one packet: two would wait for each other's acknowledgement
    deliveries: Deliveries
    webhook: Webhook

    def do_GET(self) -> None:
        """Answer with the counts, or the deliveries."""
        if self.path == "/":
            self.answer(200, self.deliveries.summary())
        elif self.path == "/deliveries":
            self.answer(200, self.deliveries.listed())
        else:
            self.answer(404, {"error": "GET / and GET /deliveries are all there is"})

    def do_POST(self) -> None:
        """Take a delivery if its signature fits."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            document = self.webhook.verify(body, dict(self.headers.items()))
        except (WebhookVerificationError, ValueError):
            with self.deliveries.lock:
                self.deliveries.bad_signatures += 1
            self.answer(401, {"error": "the signature does not fit"})
            return
        self.deliveries.keep(
            {
                "webhook_id": self.headers["webhook-id"],
                "webhook_timestamp": self.headers["webhook-timestamp"],
                "received_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "body": document,
            }
        )
        self.answer(200, {"status": "received"})

    def answer(self, status: int, document: object) -> None:
        """Send one JSON document."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet: the deliveries are in their file."""


def serve() -> None:
    """Listen until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--deliveries", type=Path, required=True)
    arguments = parser.parse_args()
    Receiver.deliveries = Deliveries(arguments.deliveries)
    Receiver.webhook = Webhook(arguments.secret_file.read_text(encoding="utf-8").strip())
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Receiver).serve_forever()


if __name__ == "__main__":
    serve()
