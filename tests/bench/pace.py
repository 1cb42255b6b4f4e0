"""A sender that keeps a pace, in a process of its own: pushes, or the bare fsynced XADDs that they are compared with.

`python -m tests.bench.pace` reads a Pace as JSON from standard input and prints, as JSON, when each alert was sent and
how long its answer took. An alert is due at its own time, however long the one before it took: waiting in line counts.
"""

import json
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import redis

from tests.bench.load import Connection
from tests.e2e.bodies import dispute

Sent = dict[str, tuple[float, float]]  # by alert id: when it was due, and the seconds until its answer
LANES = 8
LINGER_SECONDS = 0.5  # to end costs a processor 10 ms, which whoever follows the last alert would be without
ENTRY = b"x" * 900  # about as much as an envelope


@dataclass(frozen=True, slots=True)
class Pace:
    """How many a second, for how long, and where to: a door when `port` is given, else a stream of `journal_url`."""

    rate: float
    seconds: float
    marker: str
    journal_url: str
    port: int = 0
    ca: str = ""
    certificate: str = ""
    key: str = ""
    authorization: str = ""


def send_at_pace(pace: Pace) -> Sent:
    """Send from a process of its own and return what it noted."""
    command = [sys.executable, "-m", "tests.bench.pace"]
    answer = subprocess.run(
        command, input=json.dumps(asdict(pace)), capture_output=True, text=True, check=True, timeout=pace.seconds + 120
    )
    return {alert_id: (due, seconds) for alert_id, (due, seconds) in json.loads(answer.stdout).items()}


def open_push(pace: Pace) -> Callable[[str], None]:
    """Return what pushes one alert, over a connection of its own."""
    context = ssl.create_default_context(cafile=pace.ca)
    context.load_cert_chain(pace.certificate, pace.key)
    connection = Connection(context, pace.port)

    def push(alert_id: str) -> None:
        body = json.dumps(dispute(alert_id, issuer=pace.marker)).encode()
        head = (
            f"POST /push/ethoca HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: {pace.authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.send((head.encode() + body,))
        connection.receive()

    return push


def open_append(pace: Pace) -> Callable[[str], None]:
    """Return what appends one entry to a stream of its own, in a Redis that fsyncs before it answers."""
    client = redis.Redis.from_url(pace.journal_url, protocol=2)
    client.ping()
    return lambda _alert_id: client.execute_command("XADD", f"bench:{pace.marker}", "*", "b", ENTRY)  # type: ignore[no-untyped-call]  # redis-py's


def send(pace: Pace) -> Sent:
    """Send from a few threads, each its share."""
    total = int(pace.rate * pace.seconds)
    sent: Sent = {}
    lanes = [(open_push if pace.port else open_append)(pace) for _ in range(min(LANES, total))]
    began = time.time() + 0.2

    def go(lane: int) -> None:
        for number in range(lane, total, len(lanes)):
            due = began + number / pace.rate
            time.sleep(max(0.0, due - time.time()))
            alert_id = f"{pace.marker[:19]}{number:06d}"
            lanes[lane](alert_id)
            sent[alert_id] = (due, time.time() - due)

    threads = [threading.Thread(target=go, args=(lane,)) for lane in range(len(lanes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(LINGER_SECONDS)
    if len(sent) < total:
        raise RuntimeError("something was not answered")
    return sent


if __name__ == "__main__":
    json.dump(send(Pace(**json.load(sys.stdin))), sys.stdout)
