"""Latency at a steady pace, on the embedded stack: push to acknowledgement, to the visible row, to the delivery.

A push's row is visible when another connection first sees it, looking every two milliseconds; its delivery is the
moment the receiver noted. Beside each pace the same pace of bare XADDs into the same Redis, which fsyncs before it
answers. All clocks are this machine's.
"""

import base64
import math
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from tests.bench.pace import Pace, send_at_pace
from tests.bench.report import Report
from tests.e2e.bodies import fresh_id
from tests.e2e.running import Stack
from tests.e2e.window import received, wait_for

PACES = ((10, 30), (100, 20), (500, 10))  # alerts a second, seconds
IDLE_SECONDS = 60.0
LOOK_SECONDS = 0.002
SHARES = (0.5, 0.99, 0.999)
DELIVERED_UP_TO = 100  # alerts a second: the receiver that comes with the stack keeps all it gets
GOALS = {
    "acknowledged": "p99 < 5 × XADD",  # noqa: RUF001 - times
    "row visible": "p50 < 10, p99 < 60",
    "delivered": "p50 < 200, p99 < 1,000",
}


@dataclass
class Journeys:
    """The alerts of one pace: seconds until each station, and those of the bare XADDs."""

    marker: str = field(default_factory=fresh_id)
    appended: list[float] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    visible: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


def measure_latencies(tell: Callable[[str], object]) -> list[Report]:
    """Measure every pace, and one alert after an idle minute; return the table."""
    report = Report("push to …, ms", ("pace", "station", "p50", "p99", "p99.9", "most", "goal"))
    with tempfile.TemporaryDirectory(prefix="alert-intake-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        stack = Stack(folder / "var", folder / "output")
        try:
            tell("latency: starting the embedded stack")
            stack.start("--no-samples")
            follow(stack.facts, 20, 2)  # warm
            for rate, seconds in PACES:
                tell(f"latency: {rate} alerts/s for {seconds} s, and as many XADDs")
                describe(report, f"{rate}/s", follow(stack.facts, rate, seconds))
            tell("latency: an idle minute")
            time.sleep(IDLE_SECONDS)
            describe(report, "after an idle minute", follow(stack.facts, 1, 1))
        finally:
            if stack.process is not None:
                stack.stop()
    return [report]


def follow(environment: Mapping[str, str], rate: int, seconds: int) -> Journeys:
    """Push so many alerts a second and follow each."""
    journeys = Journeys()
    total = rate * seconds
    looking = threading.Event()
    looker = threading.Thread(target=note_rows, args=(environment["DATABASE_URL"], journeys, total, looking))
    looker.start()
    looking.wait()
    authorization = "Basic " + base64.b64encode(environment["ETHOCA_BASIC"].encode()).decode()
    pace = Pace(
        rate, seconds, journeys.marker, environment["JOURNAL_URL"], int(urlsplit(environment["PUSH_URL"]).port or 443),
        environment["CA_CERT"], environment["CLIENT_CERT"], environment["CLIENT_KEY"], authorization,
    )  # fmt: skip
    sent = send_at_pace(pace)
    looker.join(120)
    journeys.acknowledged = {alert_id: took for alert_id, (_, took) in sent.items()}
    journeys.visible = [journeys.seen_at[alert_id] - due for alert_id, (due, _) in sent.items()]
    if rate <= DELIVERED_UP_TO:
        deliveries = note_deliveries(environment, set(sent))
        journeys.delivered = [deliveries[alert_id] - due for alert_id, (due, _) in sent.items()]
    bare = send_at_pace(Pace(rate, seconds, journeys.marker, environment["JOURNAL_URL"]))
    journeys.appended = [took for _, took in bare.values()]
    with redis.Redis.from_url(environment["JOURNAL_URL"], protocol=2) as client:
        client.delete(f"bench:{journeys.marker}")
    return journeys


def note_rows(database_url: str, journeys: Journeys, total: int, looking: threading.Event) -> None:
    """Note when each row becomes visible. A position that was passed over may come later: its drain is still at it."""
    with psycopg.connect(database_url, autocommit=True) as database:
        (first,) = database.execute("SELECT coalesce(max(position), 0) FROM alerts").fetchone() or (0,)
        last, passed_over = first, set[int]()
        looking.set()
        deadline = time.monotonic() + 180
        while len(journeys.seen_at) < total and time.monotonic() < deadline:
            rows = database.execute(
                "SELECT position, provider_alert_id FROM alerts WHERE position > %s OR position = ANY(%s)",
                [last, list(passed_over)],
            ).fetchall()
            now = time.time()
            for position, alert_id in sorted(rows):
                passed_over |= set(range(last + 1, position))
                passed_over.discard(position)
                last = max(last, position)
                journeys.seen_at.setdefault(alert_id, now)
            time.sleep(LOOK_SECONDS)


def note_deliveries(environment: Mapping[str, str], alert_ids: set[str]) -> dict[str, float]:
    """Return when the receiver got each alert."""
    deliveries = wait_for(
        lambda: {
            found["body"]["payload"]["providerId"]: found["received_at"]
            for found in received(environment)
            if found["body"]["payload"]["providerId"] in alert_ids
        },
        lambda found: len(found) == len(alert_ids),
        60,
    )
    return {alert_id: datetime.fromisoformat(at).timestamp() for alert_id, at in deliveries.items()}


def describe(report: Report, pace: str, journeys: Journeys) -> None:
    """Add the rows of one pace."""
    stations: dict[str, Sequence[float]] = {
        "bare XADD, fsynced": journeys.appended,
        "acknowledged": list(journeys.acknowledged.values()),
        "row visible": journeys.visible,
        "delivered": journeys.delivered,
    }
    for station, times in stations.items():
        if times:
            cells = [f"{quantile(times, share) * 1000:.1f}" for share in SHARES]
            report.add(pace, station, *cells, f"{max(times) * 1000:.1f}", GOALS.get(station, ""))


def quantile(times: Sequence[float], share: float) -> float:
    """Return the time within which that share of the alerts was there."""
    return sorted(times)[max(0, math.ceil(len(times) * share) - 1)]
