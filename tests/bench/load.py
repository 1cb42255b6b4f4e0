"""A sender that costs little: raw TLS sockets, requests written in advance, many in flight. A process of its own.

`python -m tests.bench.load` reads a Plan as JSON from standard input, connects, says "ready", waits for one more line,
and pushes. It prints how many pushes were acknowledged within the time. Anything but an acknowledgement ends it: a
benchmark that counts refusals measures nothing.
"""

import json
import secrets
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import count

from tests.e2e.bodies import dispute

WARMED_BY = 3  # requests on each connection before the time runs


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to push and how. `connections` at once; `keep_alive` False: a new TLS connection for each push.

    `varied`: no two heads are alike, and each body is sent apart from its head, as ordinary HTTP clients do.
    `pushes`: end after so many, of each process; without it, after so many `seconds`.
    """

    port: int
    ca: str
    certificate: str
    key: str
    headers: Mapping[str, str]
    connections: int
    seconds: float
    keep_alive: bool = True
    varied: bool = False
    pushes: int = 0
    path: str = "/push/ethoca"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of it: acknowledgements, and when it began (`time.perf_counter`) and how long it took, in seconds.

    `spent`: what the meter showed at the end, less what it showed at the beginning, when the connections stood already.
    """

    acknowledged: int
    began: float
    seconds: float
    spent: float

    @property
    def rate(self) -> float:
        """Acknowledgements a second."""
        return self.acknowledged / self.seconds


class NotAcknowledged(Exception):
    """The server answered something else."""


Pieces = tuple[bytes, ...]  # of a request, each sent for itself


class Writer:
    """Writes requests, each with an alert of its own: one template, in which the id differs, in one piece or in two."""

    def __init__(self, plan: Plan) -> None:
        marker = secrets.token_hex(8).upper()
        self._mark = b"T%s%08d" % (marker.encode(), 0)
        body = json.dumps(dispute(self._mark.decode())).encode()
        said = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (said | dict(plan.headers)).items())
        self._head = f"POST {plan.path} HTTP/1.1\r\n{lines}".encode()
        before, _, self._after = body.partition(self._mark)
        self._before = before + b"T" + marker.encode()
        self._varied = plan.varied

    def __iter__(self) -> Iterator[Pieces]:
        """Return requests for ever."""
        for number in count(1):
            body = b"%s%08d%s" % (self._before, number, self._after)
            if self._varied:
                yield b"%sX-Number: %08d\r\n\r\n" % (self._head, number), body
            else:
                yield (b"%s\r\n%s" % (self._head, body),)


class Connection:
    """One TLS connection."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")

    def send(self, pieces: Pieces) -> None:
        """Send a request."""
        for piece in pieces:
            self._socket.sendall(piece)

    def receive(self) -> None:
        """Read one answer. Raises NotAcknowledged."""
        answer = self._socket.recv(16384)
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self.more()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise NotAcknowledged(answer[:500].decode())

    def more(self) -> bytes:
        """Read on."""
        piece = self._socket.recv(16384)
        if not piece:
            raise NotAcknowledged("the connection was closed")
        return piece

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def push_on(plan: Plan, context: ssl.SSLContext) -> int:
    """Push over connections that stay, each with one push in flight, and return how many were acknowledged in time."""
    requests = iter(Writer(plan))
    connections = [Connection(context, plan.port) for _ in range(plan.connections)]
    for connection in [] if plan.pushes else connections * WARMED_BY:
        connection.send(next(requests))
        connection.receive()
    wait_for_start()
    if plan.pushes:
        return push_so_many(plan.pushes, requests, connections)
    end = time.perf_counter() + plan.seconds
    for connection in connections:
        connection.send(next(requests))
    acknowledged = 0
    while True:
        for connection in connections:
            connection.receive()
            if time.perf_counter() > end:
                return acknowledged
            acknowledged += 1
            connection.send(next(requests))


def push_so_many(pushes: int, requests: Iterator[Pieces], connections: list[Connection]) -> int:
    """Push so many and wait for every answer."""
    for sent in range(pushes):
        connection = connections[sent % len(connections)]
        if sent >= len(connections):
            connection.receive()
        connection.send(next(requests))
    for number in range(max(0, pushes - len(connections)), pushes):
        connections[number % len(connections)].receive()
    return pushes


def push_anew(plan: Plan, context: ssl.SSLContext) -> int:
    """Push each alert over a connection of its own, and return how many were acknowledged in time.

    The next connection is begun while the last one is being answered, so that the server never waits.
    """
    requests = iter(Writer(plan))
    wait_for_start()
    end = time.perf_counter() + plan.seconds
    acknowledged = 0
    open_ones: list[Connection] = []
    while True:
        connection = Connection(context, plan.port)
        connection.send(next(requests))
        open_ones.append(connection)
        if len(open_ones) < plan.connections:
            continue
        oldest = open_ones.pop(0)
        oldest.receive()
        oldest.close()
        if time.perf_counter() > end:
            return acknowledged
        acknowledged += 1


def wait_for_start() -> None:
    """Tell the benchmark that all is ready, and wait for its word."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def push_together(plan: Plan, processes: int, meter: Callable[[], float] = float) -> Pushed:
    """Push from several processes at once, and read a meter before and after."""
    command = [sys.executable, "-m", "tests.bench.load"]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        for process in running:
            tell(process, json.dumps(asdict(plan)))
        for process in running:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("a sender did not get ready")
        began, shown = time.perf_counter(), meter()
        for process in running:
            tell(process, "start")
        acknowledged = sum(int(process.communicate(timeout=plan.seconds + 300)[0]) for process in running)
        seconds = time.perf_counter() - began
        spent = meter() - shown
    finally:
        for process in running:
            process.kill()
    return Pushed(acknowledged, began, seconds if plan.pushes else plan.seconds, spent)


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a process."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def main() -> None:
    """Carry out the plan."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    context = ssl.create_default_context(cafile=plan.ca)
    context.load_cert_chain(plan.certificate, plan.key)
    acknowledged = (push_on if plan.keep_alive else push_anew)(plan, context)
    sys.stdout.write(f"{acknowledged}\n")


if __name__ == "__main__":
    main()
