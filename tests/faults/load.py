"""A steady load as real senders make it: several connections, every push repeated once on a new one when it fails.

Mixed: new alerts, one or three a push, in all formats; repetitions; changes; bodies that are no alert.
"""

import contextlib
import http.client
import itertools
import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from tests.e2e.bodies import dispute, fresh_id, legacy_fraud, webhook
from tests.e2e.sender import PATIENCE, Sender
from tests.faults.site import WAIT_SECONDS

CONNECTIONS = 6
PUSHES_A_SECOND = 40.0


@dataclass(frozen=True, slots=True)
class Push:
    """One body. `alerts` are the ids of its alerts, none when it is malformed; `items` how many endings it has."""

    body: bytes | Any
    alerts: tuple[str, ...]
    items: int = 1


@dataclass(slots=True)
class Ledger:
    """What the door answered. The keys are request ids; `kept` are those refused as malformed (400), kept all the same.

    `refused` counts pushes that failed twice, `repeated` those that needed their second attempt, `reasons` the failures
    by what they were: an error's name, or a status with its reason code. `unsure` are the ids of alerts that were never
    acknowledged, and may be there all the same; `refused_at` says when pushes failed for good (`time.monotonic`).
    """

    pushes: int = 0
    refused: int = 0
    repeated: int = 0
    acknowledged: dict[str, Push] = field(default_factory=dict)
    kept: dict[str, Push] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    unsure: set[str] = field(default_factory=set)
    refused_at: list[float] = field(default_factory=list)

    @property
    def alerts(self) -> list[str]:
        """The ids of all acknowledged alerts."""
        return sorted({alert for push in self.acknowledged.values() for alert in push.alerts})


class Load:
    """Pushes from entering to leaving the block. Connection 0 is a reseller's, the others are Ethoca's."""

    def __init__(
        self,
        run: dict[str, str],
        connections: int = CONNECTIONS,
        pushes_a_second: float = PUSHES_A_SECOND,
        patience: float = PATIENCE,
    ) -> None:
        self.ledger = Ledger()
        self._run = run
        self._pause = connections / pushes_a_second
        self._patience = patience
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=[number]) for number in range(connections)]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _why: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Finish the pushes that are under way, and end."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        reseller = number == 0
        source = "reseller" if reseller else "ethoca"
        bodies = reseller_pushes() if reseller else ethoca_pushes()
        sender = Sender(self._run, source, certificate=not reseller, patience=self._patience)
        with contextlib.closing(sender):
            for push in bodies:
                if self._ending.wait(self._pause):
                    return
                self.push(sender, push)

    def push(self, sender: Sender, push: Push) -> bool:
        """Push once, and once more on a new connection; note what was answered."""
        for attempt in range(2):
            try:
                answer = sender.push(push.body)
            except (OSError, http.client.HTTPException) as error:
                answer, reason = None, type(error).__name__
            if answer is not None and answer.status in {200, 400}:
                with self._lock:
                    self.ledger.pushes += 1
                    self.ledger.repeated += attempt
                    into = self.ledger.acknowledged if answer.acknowledged else self.ledger.kept
                    into[answer.headers["x-request-id"]] = push
                return True
            if answer is not None:
                reason = f"{answer.status} {answer.json()['Errors']['Error'][0]['ReasonCode']}"
            with self._lock:
                self.ledger.reasons[reason] += 1
            sender.close()
        with self._lock:
            self.ledger.pushes += 1
            self.ledger.refused += 1
            self.ledger.unsure.update(push.alerts)
            self.ledger.refused_at.append(time.monotonic())
        return False

    def wait_for_acknowledgements(self, more: int, seconds: float = WAIT_SECONDS) -> None:
        """Wait until `more` pushes have been acknowledged than now."""
        wanted = len(self.ledger.acknowledged) + more
        deadline = time.monotonic() + seconds
        while len(self.ledger.acknowledged) < wanted:
            assert time.monotonic() < deadline, f"no {more} acknowledgements within {seconds:.0f} s"
            time.sleep(0.02)


def ethoca_pushes() -> Any:  # noqa: ANN401 - an endless iterator
    """Yield pushes of which four in ten are new, the others about alerts pushed before."""
    earlier: deque[Any] = deque(maxlen=200)
    for number in itertools.count():
        kind = random.random()
        if kind < 0.05:
            yield Push(b'{"alertId": "cut off', ()) if number % 2 else Push({"issuer": "without an id"}, ())
        elif kind < 0.15:
            ids = [fresh_id() for _ in range(3)]
            yield Push([dispute(alert_id) for alert_id in ids], tuple(ids), 3)
        elif kind < 0.50 and earlier:
            body = random.choice(earlier)
            yield Push(body, (alert_id_of(body),))
        elif kind < 0.65 and earlier:
            alert_id = alert_id_of(random.choice(earlier))
            yield Push(dispute(alert_id, amount={"value": number + 0.5, "currencyCode": "USD"}), (alert_id,))
        else:
            alert_id = fresh_id()
            earlier.append(legacy_fraud(alert_id) if number % 4 == 0 else dispute(alert_id))
            yield Push(earlier[-1], (alert_id,))


def reseller_pushes() -> Any:  # noqa: ANN401 - an endless iterator
    """Yield each alert three times: created, resolved, and the resolution once more."""
    while True:
        alert_id = fresh_id()
        created = webhook(alert_id, "alert.created", moment())
        resolved = webhook(alert_id, "alert.resolved", moment())
        for body in (created, resolved, resolved):
            yield Push(body, (alert_id,))


def alert_id_of(body: dict[str, Any]) -> str:
    """Return the id in a body of Ethoca's."""
    return str(body.get("alertId") or body["EthocaID"])


def moment() -> str:
    """Return the time as the reseller writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
