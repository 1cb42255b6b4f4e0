"""A trial load: one body pushed again and again, each time with an alert id of its own, over several connections.

For trying out: whether throughput follows when a pool grows, what a door answers under load. This sender is the slower
side; the benchmarks have a faster one.
"""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.progress import Progress

from console.sender import Answer, Sender
from console.unreachable import Refused, Unreachable


@dataclass(slots=True)
class Tally:
    """What became of the pushes. `failures` by status or reason; `milliseconds` of those acknowledged."""

    seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    def note(self, answer: Answer) -> None:
        """Count an answer."""
        if answer.acknowledged:
            self.milliseconds.append(answer.milliseconds)
        else:
            self.failures[f"status {answer.status}"] += 1

    def summarise(self) -> dict[str, Any]:
        """Return the figures."""
        times = self.milliseconds
        marks = quantiles(times, n=100) if len(times) > 1 else [*times, 0.0] * 99
        return {
            "pushes": len(times) + self.failures.total(),
            "acknowledged": len(times),
            "seconds": round(self.seconds, 3),
            "per_second": round(len(times) / self.seconds, 1) if self.seconds else 0.0,
            "p50": round(marks[49], 1),
            "p99": round(marks[98], 1),
            "failures": dict(self.failures),
        }


def run_trial(body: bytes, source: str, settings: Mapping[str, str], times: int, connections: int) -> Tally:
    """Push `body` so often and return the tally. Raises Refused when the first push is not acknowledged, Unreachable.

    The first push shows which part of the body is the alert id: the acknowledgement names it.
    """
    tally = Tally()
    with Sender(source, settings) as sender:
        first = sender.push(body)
    named = first.body.get("alertId") if isinstance(first.body, dict) else None
    if not first.acknowledged or not isinstance(named, str) or named.encode() not in body:
        raise Refused(f"the first push must be acknowledged with its alertId, and was answered: {first.status}")
    tally.note(first)
    numbers = iter(range(1, times))
    began = time.perf_counter()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("pushing", total=times, completed=1)
        bodies = Bodies(body, named.encode(), numbers)

        def send() -> None:
            with Sender(source, settings) as sender:
                for next_body in bodies:
                    try:
                        tally.note(sender.push(next_body))
                    except Unreachable as error:
                        tally.failures[str(error)] += 1
                    progress.advance(bar)

        senders = [threading.Thread(target=send, daemon=True) for _ in range(min(connections, times))]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
    tally.seconds = time.perf_counter() - began
    return tally


class Bodies:
    """The bodies, each handed out to one thread."""

    def __init__(self, body: bytes, named: bytes, numbers: Iterator[int]) -> None:
        self._body = body
        self._named = named
        self._numbers = numbers
        self._trial = secrets.token_hex(4)
        self._one = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        """Yield bodies until there are no more numbers."""
        while True:
            with self._one:
                number = next(self._numbers, None)
            if number is None:
                return
            yield self._body.replace(self._named, f"{self._named.decode()}-{self._trial}-{number}".encode())
