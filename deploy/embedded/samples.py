"""Push the bundled sample alerts through the real door and follow each on its way to the receiver."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

FOLDER = Path(__file__).with_name("samples")
# File, source. The reseller's body comes once as documented, which is not valid JSON, and once with the quotes.
SAMPLES = (
    ("ethoca-customer-dispute.json", "ethoca"),
    ("ethoca-legacy-names.json", "ethoca"),
    ("reseller-alert-created.as-documented.txt", "reseller"),
    ("reseller-alert-created.json", "reseller"),
)
FOLLOW_SECONDS = 15.0
PAUSE = 0.002


@dataclass(slots=True)
class Journey:
    """How one push fared. Milliseconds count from its first byte; None: it did not get there, or had no need to."""

    push: str
    answer: str
    acknowledged_ms: float
    ending: str | None = None
    stored_ms: float | None = None
    forwarded_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """What a sender needs. `credentials` are (user, password) by source."""

    push_url: str
    ca: str
    client: tuple[str, str]
    credentials: dict[str, tuple[str, str]]


def push_samples(sender: Sender, database_url: str) -> Iterator[Journey]:
    """Push one sample after the other and yield how each fared, as soon as that is known."""
    with requests.Session() as session, psycopg.connect(database_url, autocommit=True) as database:
        session.verify, session.cert, session.trust_env = sender.ca, sender.client, False
        session.get(f"{sender.push_url}/", timeout=10)  # so that no sample pays for the handshake
        for file, source in SAMPLES:
            yield follow_push(session, sender, database, FOLDER / file, source)


def follow_push(
    session: requests.Session, sender: Sender, database: psycopg.Connection, file: Path, source: str
) -> Journey:
    """Push one file, then look at the database until it has an ending and what follows from it is delivered."""
    began = time.monotonic()
    answer = session.post(
        f"{sender.push_url}/push/{source}",
        data=file.read_bytes(),
        headers={"Content-Type": "application/json"},
        auth=sender.credentials[source],
        timeout=35,
    )
    journey = Journey(file.name, f"{answer.status_code} {answer.text.strip()}", since(began))
    request_id = answer.headers.get("X-Request-Id", "")
    while answer.ok and since(began) < FOLLOW_SECONDS * 1000:
        row = database.execute(WAY_OF_A_PUSH, {"request_id": request_id}).fetchone()
        if row is not None and row[0] is not None:
            endings, deliveries, due = row
            if journey.ending is None:
                journey.ending, journey.stored_ms = endings, since(began)
            if not due:
                journey.forwarded_ms = since(began) if deliveries else None
                break
        time.sleep(PAUSE)
    return journey


def since(began: float) -> float:
    """Return the milliseconds since a moment of the monotonic clock."""
    return (time.monotonic() - began) * 1000


# What a push made due was written by the transaction of its receipt, so it bears the same time.
WAY_OF_A_PUSH = """
    SELECT string_agg(DISTINCT e.ending, ', '), count(o.id) FILTER (WHERE o.state = 'delivered'),
           count(o.id) FILTER (WHERE o.state = 'due' AND o.attempts < 2)
    FROM receipts r
    JOIN endings e USING (entered_at, sequence, incarnation)
    LEFT JOIN outbox o ON o.alert_id = e.alert_id AND o.created_at >= r.settled_at
    WHERE r.request_id = %(request_id)s
"""
