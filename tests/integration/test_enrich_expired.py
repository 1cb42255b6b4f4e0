"""Alerts that nobody asked about in time: after an outage of the enrich workers, or without any remote enricher."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from console.metrics.database import measure_database
from tests.integration.conftest import Query
from tests.integration.orders import ORDER, Orders, run_orders
from tests.integration.test_enrich_remote import ALERT, PATIENT, push, run_station, tuned
from workers.database.connections import connect_database
from workers.lookups.waiting import lease_waiting
from workers.settings import Workshop

MARKED = """
    SELECT enrichment->'failed' AS failed, enrichment ? 'pending' AS pending FROM alerts
    UNION ALL SELECT alert->'enrichment'->'failed', alert->'enrichment' ? 'pending' FROM events
"""


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Run an order service."""
    with run_orders() as orders:
        yield orders


@pytest.fixture
def shop(workshop: Workshop, orders: Orders) -> Workshop:
    """Return a workshop with the order look-up."""
    return tuned(workshop, orders, PATIENT)


def push_aged(shop: Workshop, query: Query, number: int, age: str) -> None:
    """Push alerts whose time was over so long ago."""
    push(shop, *(ALERT | {"providerId": f"OLD{each}", "amount": f"{each}.00"} for each in range(1, number + 1)))
    query("UPDATE enrichments SET due_at = due_at - %s::interval - interval '1 minute',"
          " give_up_at = now() - %s::interval RETURNING 1", age, age)  # fmt: skip


def test_nobody_is_asked_about_what_is_too_late(shop: Workshop, orders: Orders, query: Query) -> None:
    """After an outage a fresh alert is asked about at once, and those whose time is over are settled as failed."""
    push_aged(shop, query, 50, "1 hour")
    push(shop, ALERT | {"providerId": "FRESH"})
    assert run_station(shop) == {"given_up": 50, "enriched": 1}
    assert [question["alert"]["provider_alert_id"] for question in orders.asked] == ["FRESH"]
    rows = query("SELECT provider_alert_id AS id, enrichment FROM alerts")
    assert [row["enrichment"]["orders"] for row in rows if row["id"] == "FRESH"] == [{"order": ORDER}]
    marked = [row for row in query(MARKED) if row["failed"]]
    assert marked == [{"failed": ["orders"], "pending": False}] * 100
    assert query("SELECT FROM enrichments") == []


def test_fresh_alerts_come_before_those_whose_time_is_over(shop: Workshop, query: Query) -> None:
    """However many are too late, the places of a worker go to those that may still be enriched."""
    push_aged(shop, query, 5, "1 second")
    push(shop, ALERT | {"providerId": "FRESH"})
    with connect_database(shop.database_url, "test") as database:
        assert [waiting.alert.provider_alert_id for waiting in lease_waiting(database, 3, 60)] == ["FRESH"]


def test_what_the_last_enricher_left_behind_is_settled(
    shop: Workshop, query: Query, environment: dict[str, str]
) -> None:
    """Once none is configured nothing stays pending for ever; what is only just too late is left to a worker."""
    push_aged(shop, query, 3, "59 minutes")
    settle(environment)
    assert query("SELECT count(*) AS left FROM enrichments") == [{"left": 3}]
    query("UPDATE enrichments SET give_up_at = give_up_at - interval '2 minutes' RETURNING 1")
    settle(environment)
    assert query("SELECT FROM enrichments") == []
    assert query(MARKED) == [{"failed": ["orders"], "pending": False}] * 6


def test_for_how_long_nobody_has_enriched_is_measured(shop: Workshop, query: Query) -> None:
    """Without an enrich worker the console tells how long the first alert has waited, and 0 once all are in hand."""
    assert measure_overdue(shop) == 0
    push(shop, ALERT, ALERT | {"providerId": "SECOND"})
    query("UPDATE enrichments SET due_at = now() - interval '90 seconds' RETURNING 1")
    assert 90 <= measure_overdue(shop) < 600
    with connect_database(shop.database_url, "test") as database:
        assert len(lease_waiting(database, 1, 60)) == 1
        assert measure_overdue(shop) >= 90
        assert len(lease_waiting(database, 1, 60)) == 1
    assert measure_overdue(shop) == 0


def measure_overdue(shop: Workshop) -> float:
    """Return what the console would tell of the alerts that wait for an enrich worker, in seconds."""
    with connect_database(shop.database_url, "test") as database:
        metrics = {metric.name: metric for metric in measure_database(database)}
    (sample,) = metrics["alert_intake_enrichments_overdue_seconds"].samples
    return sample.value


def settle(environment: dict[str, str]) -> None:
    """Run the task of a process that has no remote enricher."""
    program = "from workers.tasks import settle_tick; settle_tick()"
    subprocess.run([sys.executable, "-c", program], env=os.environ | environment, timeout=60, check=True)
