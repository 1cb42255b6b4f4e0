"""Latency at a steady pace, on the embedded stack: push to acknowledgement, to the visible row, to the delivery.

A push's row is visible when another connection first sees it, looking every millisecond; its delivery is the moment the
receiver noted. All clocks are this machine's.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from tests.e2e.bodies import dispute, fresh_id
from tests.e2e.sender import Sender
from tests.e2e.window import received, wait_for


@dataclass
class Journey:
    """When one alert was pushed, and the seconds until each station."""

    pushed_at: float
    acknowledged: float = 0.0
    visible: float = 0.0
    delivered: float = 0.0


@dataclass
class Journeys:
    """All alerts of a measurement, by id."""

    by_id: dict[str, Journey] = field(default_factory=dict)

    def quantile(self, station: str, share: float) -> float:
        """Return the milliseconds within which that share of the alerts reached the station."""
        times = sorted(getattr(journey, station) for journey in self.by_id.values())
        return float(times[min(len(times) - 1, int(len(times) * share))] * 1000)


def measure_latency(environment: Mapping[str, str], rate: int, seconds: int) -> Journeys:
    """Push `rate` alerts a second for so many seconds, over four connections, and follow each."""
    journeys = Journeys()
    total = rate * seconds
    marker = fresh_id()
    looking = threading.Event()
    looker = threading.Thread(target=note_rows, args=(environment["DATABASE_URL"], marker, journeys, total, looking))
    looker.start()
    looking.wait()
    start = time.time() + 0.1

    def send(lane: int) -> None:
        sender = Sender(environment)
        for number in range(lane, total, 4):
            time.sleep(max(0.0, start + number / rate - time.time()))
            alert_id = f"{marker[:19]}{number:06d}"
            journey = journeys.by_id[alert_id] = Journey(time.time())
            if not sender.push(dispute(alert_id, issuer=marker)).acknowledged:
                raise RuntimeError("a push was refused")
            journey.acknowledged = time.time() - journey.pushed_at
        sender.close()

    lanes = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    looker.join(60)
    note_deliveries(environment, journeys)
    return journeys


def note_rows(database_url: str, marker: str, journeys: Journeys, total: int, looking: threading.Event) -> None:
    """Note when each row becomes visible."""
    seen = 0
    position = 0
    with psycopg.connect(database_url, autocommit=True) as database:
        (position,) = database.execute("SELECT coalesce(max(position), 0) FROM alerts").fetchone() or (0,)
        looking.set()
        deadline = time.monotonic() + 120
        while seen < total and time.monotonic() < deadline:
            rows = database.execute(
                "SELECT position, provider_alert_id FROM alerts WHERE position > %s AND issuer = %s",
                [position - 1000, marker],
            ).fetchall()
            now = time.time()
            for found, alert_id in rows:
                position = max(position, found)
                journey = journeys.by_id[alert_id]
                if not journey.visible:
                    journey.visible = now - journey.pushed_at
                    seen += 1
            time.sleep(0.001)


def note_deliveries(environment: Mapping[str, str], journeys: Journeys) -> None:
    """Note when the receiver got each alert."""
    deliveries = wait_for(
        lambda: {
            found["body"]["payload"]["providerId"]: found["received_at"]
            for found in received(environment)
            if found["body"]["payload"]["providerId"] in journeys.by_id
        },
        lambda found: len(found) == len(journeys.by_id),
        60,
    )
    for alert_id, at in deliveries.items():
        journey = journeys.by_id[alert_id]
        journey.delivered = datetime.fromisoformat(at).timestamp() - journey.pushed_at
