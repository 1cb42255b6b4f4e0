"""Links between alerts of one transaction, from the journal to the database, with drains side by side."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import redis
from uuid_utils.compat import uuid7

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.settings import Workshop

STREAM = "alert-intake:journal"
ARN = "74537604221222132710572"


@pytest.fixture
def client(workshop: Workshop) -> Iterator[redis.Redis]:
    """Return a client of the journal."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        yield client


def push(client: redis.Redis, workshop: Workshop, *payloads: dict[str, Any], event: str = "alert.created") -> None:
    """Append a reseller's webhooks as the door does."""
    for payload in payloads:
        body = {"event": event, "timestamp": "2026-11-20T12:00:00Z", "payload": payload}
        envelope = Envelope("reseller", json.dumps(body).encode())
        append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))


def drain_all(client: redis.Redis, workshop: Workshop, name: str = "drain@test/0") -> None:
    """Drain until the journal is empty."""
    for _attempt in range(100):
        if not client.xlen(STREAM):
            return
        drain(workshop, name, 0.2)
    pytest.fail("the journal was not drained")


def subscribe(workshop: Workshop) -> None:
    """Add a subscription to everything."""
    with connect_database(workshop.database_url, "test") as database:
        database.execute(
            "INSERT INTO subscriptions (id, name, url, events, sealed)"
            " VALUES (%s, 'all', 'https://service.example', '{*}', '')",
            [uuid7()],
        )


def links(query: Query) -> dict[str, list[str]]:
    """Return the networks' ids of each alert's related ones."""
    return {
        row["name"]: row["related"]
        for row in query(
            "SELECT a.provider_alert_id AS name, ARRAY(SELECT r.provider_alert_id FROM alerts r"
            " WHERE r.id = ANY (a.related) ORDER BY r.provider_alert_id) AS related FROM alerts a ORDER BY 1"
        )
    }


def test_second_alert_of_a_transaction_is_linked_on_both_sides(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Another network's alert with the same ARN: both know of each other, the newer one is told of with it at once."""
    subscribe(workshop)
    push(client, workshop, {"provider": "ETHOCA", "providerId": "A1", "acquirerReferenceNumber": ARN})
    push(client, workshop, {"provider": "ETHOCA", "providerId": "A2", "acquirerReferenceNumber": ARN[::-1]})
    drain_all(client, workshop)
    assert links(query) == {"A1": [], "A2": []}
    push(client, workshop, {"provider": "VERIFI", "providerId": "V1", "acquirerReferenceNumber": ARN})
    drain_all(client, workshop)
    assert links(query) == {"A1": ["V1"], "A2": [], "V1": ["A1"]}
    told = query(
        "SELECT e.type, e.alert->>'provider_alert_id' AS name, e.alert->'related' AS related"
        " FROM outbox o JOIN events e ON e.id = o.event_id ORDER BY o.position OFFSET 2"
    )
    ids = {row["provider_alert_id"]: str(row["id"]) for row in query("SELECT id, provider_alert_id FROM alerts")}
    assert told == [{"type": "alert.created", "name": "V1", "related": [ids["A1"]]}]
    push(client, workshop, {"provider": "ETHOCA", "providerId": "A1", "status": "RESOLVED"}, event="alert.resolved")
    drain_all(client, workshop)
    (later,) = query("SELECT type, alert->'related' AS related FROM events ORDER BY position OFFSET 3")
    assert later == {"type": "alert.resolved", "related": [ids["V1"]]}


def test_alerts_of_one_batch_are_told_of_with_their_links(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Stored together they are linked at once: their first event says so, and there is no other."""
    for network in ("ETHOCA", "VERIFI"):
        push(client, workshop, {"provider": network, "providerId": network[0], "acquirerReferenceNumber": ARN})
    drain_all(client, workshop)
    assert links(query) == {"E": ["V"], "V": ["E"]}
    events = query("SELECT type, jsonb_array_length(alert->'related') AS links FROM events")
    assert events == [{"type": "alert.created", "links": 1}] * 2


def test_message_that_brings_the_arn_links_later(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A link is found when the fact that makes it comes with a later message."""
    push(client, workshop, {"provider": "ETHOCA", "providerId": "A1"})
    push(client, workshop, {"provider": "VERIFI", "providerId": "V1", "acquirerReferenceNumber": ARN})
    drain_all(client, workshop)
    push(
        client,
        workshop,
        {"provider": "ETHOCA", "providerId": "A1", "acquirerReferenceNumber": ARN},
        event="alert.resolved",
    )
    drain_all(client, workshop)
    assert links(query) == {"A1": ["V1"], "V1": ["A1"]}


def test_links_survive_later_messages(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """A duplicate and an update leave the links of an alert as they are."""
    first = {"provider": "ETHOCA", "providerId": "A1", "acquirerReferenceNumber": ARN}
    push(client, workshop, first, {"provider": "VERIFI", "providerId": "V1", "acquirerReferenceNumber": ARN})
    drain_all(client, workshop)
    push(client, workshop, first, first | {"status": "RESOLVED"})
    drain_all(client, workshop)
    assert links(query) == {"A1": ["V1"], "V1": ["A1"]}
    assert query("SELECT revision, duplicates FROM alerts WHERE provider_alert_id = 'A1'") == [
        {"revision": 2, "duplicates": 1}
    ]


def test_arn_that_everybody_has_links_no_further(client: redis.Redis, workshop: Workshop, query: Query) -> None:
    """What more than twenty alerts have in common is no transaction, be it in one batch or in many."""
    for start in (*range(20), 20):
        numbers = range(start, start + (1 if start < 20 else 60))
        push(client, workshop, *({"providerId": f"A{n}", "acquirerReferenceNumber": ARN} for n in numbers))
        drain_all(client, workshop)
    found = links(query)
    assert {len(found[f"A{n}"]) for n in range(20)} == {19}
    assert {len(found[f"A{n}"]) for n in range(20, 80)} == {0}


def test_drains_side_by_side_find_every_link_without_deadlock(
    client: redis.Redis, workshop: Workshop, query: Query
) -> None:
    """Four drains with small batches, each transaction told three times and changed again, in any order."""
    drain_settings = msgspec.structs.replace(workshop.configuration.drain, batch=9)
    configuration = msgspec.structs.replace(workshop.configuration, drain=drain_settings)
    quick = replace(workshop, configuration=configuration)
    chance = random.Random(4)
    alerts = [
        {"provider": network, "providerId": f"{network[0]}{number}", "acquirerReferenceNumber": f"7453760{number:016d}"}
        for number in range(1000, 1120)
        for network in ("ETHOCA", "VERIFI", "RDR")
    ]
    told = [*alerts, *(alert | {"status": status} for alert in alerts for status in ("OPEN", "RESOLVED"))]
    chance.shuffle(told)
    push(client, workshop, *told)
    with ThreadPoolExecutor(4) as threads:
        for one in [threads.submit(drain_all, client, quick, f"drain@test/{number}") for number in range(4)]:
            one.result(60)
    found = links(query)
    assert len(found) == 360
    for name, related in found.items():
        assert related == sorted(f"{other}{name[1:]}" for other in "EVR" if other != name[0]), name
    # Whoever has been told of all three knows that they belong together.
    blind = query(
        "WITH first AS ("
        " SELECT DISTINCT ON (alert_id) alert_id, position, alert->'related' AS related FROM events ORDER BY 1, 2"
        ") SELECT FROM alerts a WHERE (SELECT f.alert_id FROM first f"
        " WHERE f.alert_id = a.id OR f.alert_id = ANY (a.related) ORDER BY f.position DESC LIMIT 1) IN"
        " (SELECT alert_id FROM first WHERE jsonb_array_length(related) < 2)"
    )
    assert blind == []
    query("SELECT pg_stat_force_next_flush()")
    assert query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [{"deadlocks": 0}]
