"""Follow alerts that are pushed at a steady pace: to the acknowledgement, to the visible row, to the delivery."""

import base64
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

import psycopg
import redis

from tests.bench.pace import Pace, Sent, send_at_pace
from tests.e2e.bodies import fresh_id
from tests.e2e.window import received, wait_for

LOOK_SECONDS = 0.002
REST_SECONDS = 3.0  # before the bare XADDs, which deliveries that are late would make slower
DELIVERED_UP_TO = 100  # alerts a second: the receiver that comes with the stack keeps all it gets


@dataclass
class Journeys:
    """The alerts of one pace: seconds until each station, and those of the bare XADDs."""

    marker: str = field(default_factory=fresh_id)
    appended: list[float] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)
    seen_at: dict[str, float] = field(default_factory=dict)
    visible: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


def follow(environment: Mapping[str, str], rate: int, seconds: int) -> Journeys:
    """Push so many alerts a second and follow each."""
    journeys = Journeys()
    total = rate * seconds
    looking = threading.Event()
    looker = threading.Thread(target=note_rows, args=(environment["DATABASE_URL"], journeys, total, looking))
    looker.start()
    looking.wait()
    sent = push(environment, rate, seconds, journeys)
    looker.join(120)
    journeys.visible = [journeys.seen_at[alert_id] - due for alert_id, (due, _) in sent.items()]
    if rate <= DELIVERED_UP_TO:
        deliveries = note_deliveries(environment, set(sent))
        journeys.delivered = [deliveries[alert_id] - due for alert_id, (due, _) in sent.items()]
    time.sleep(REST_SECONDS)
    append_bare(environment, rate, seconds, journeys)
    return journeys


def push(environment: Mapping[str, str], rate: int, seconds: int, journeys: Journeys) -> Sent:
    """Push at a pace, and note how long each acknowledgement took."""
    authorization = "Basic " + base64.b64encode(environment["ETHOCA_BASIC"].encode()).decode()
    pace = Pace(
        rate, seconds, journeys.marker, environment["JOURNAL_URL"], int(urlsplit(environment["PUSH_URL"]).port or 443),
        environment["CA_CERT"], environment["CLIENT_CERT"], environment["CLIENT_KEY"], authorization,
    )  # fmt: skip
    sent = send_at_pace(pace)
    journeys.acknowledged = {alert_id: took for alert_id, (_, took) in sent.items()}
    return sent


def append_bare(environment: Mapping[str, str], rate: int, seconds: int, journeys: Journeys) -> None:
    """Append at the same pace to a stream of its own, and note how long each took."""
    bare = send_at_pace(Pace(rate, seconds, journeys.marker, environment["JOURNAL_URL"]))
    journeys.appended = [took for _, took in bare.values()]
    with redis.Redis.from_url(environment["JOURNAL_URL"], protocol=2) as client:
        client.delete(f"bench:{journeys.marker}")


def note_rows(database_url: str, journeys: Journeys, total: int, looking: threading.Event) -> None:
    """Note when each row becomes visible. A position that was passed over may come later: its drain is still at it.

    Asked of the index: reading a small table through, as it plans by itself, is a fifth of a processor at 500 a second.
    """
    with psycopg.connect(database_url, autocommit=True, options="-c enable_seqscan=off") as database:
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
