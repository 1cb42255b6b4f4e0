"""Links of alerts that were stored before alerts were linked: found in batches, wherever the work is cut off."""

import json
from concurrent.futures import ThreadPoolExecutor

from schemas.journal.append import append_entry, connect_journal
from schemas.journal.envelope import Envelope, seal_envelope
from tests.integration.conftest import Query
from workers.database.connections import connect_database
from workers.intake.drain import drain
from workers.intake.relink import relink_batch, relink_stored
from workers.settings import Workshop


def store_unlinked(workshop: Workshop, query: Query, transactions: int) -> None:
    """Store three alerts of each of so many transactions, and make as if nobody had linked them."""
    with connect_journal(workshop.journal_url, 5.0) as client:
        for number in range(transactions):
            for network in ("ETHOCA", "VERIFI", "RDR"):
                arn = f"7453760{1000 + number:016d}"
                payload = {"provider": network, "providerId": f"{network[0]}{number}", "acquirerReferenceNumber": arn}
                body = json.dumps({"event": "alert.created", "payload": payload}).encode()
                envelope = Envelope("reseller", body)
                append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))
    while query("SELECT count(*) AS n FROM alerts")[0]["n"] < 3 * transactions:
        drain(workshop, "drain@test/0", 0.3)
    query("DELETE FROM transactions RETURNING 1")
    query("UPDATE alerts SET related = '{}' RETURNING 1")
    query("UPDATE backfills SET done = 0, until = last_position(), finished_at = NULL RETURNING 1")


def count_linked(query: Query) -> int:
    """Count the alerts that know both others of their transaction, and none else."""
    (row,) = query(
        "SELECT count(*) AS n FROM alerts a WHERE (SELECT count(*) FROM alerts b WHERE b.arn = a.arn AND b.id <> a.id"
        " AND b.id = ANY (a.related)) = 2 AND cardinality(a.related) = 2"
    )
    return int(row["n"])


def test_what_was_stored_before_is_linked_and_nobody_told(workshop: Workshop, query: Query) -> None:
    """All are linked, once; events are not made of it, and later rounds have nothing to do."""
    store_unlinked(workshop, query, 30)
    (before,) = query("SELECT count(*) AS n FROM events")
    relink_stored(workshop, 20)
    assert count_linked(query) == 90
    assert query("SELECT count(*) AS n FROM events") == [before]
    assert query("SELECT done = until AND finished_at IS NOT NULL AS over FROM backfills") == [{"over": True}]
    with connect_database(workshop.database_url, "test") as database:
        assert relink_batch(database) == 0


def test_it_goes_on_where_it_was_cut_off(workshop: Workshop, query: Query) -> None:
    """A batch that is rolled back counts for nothing, one that is committed is not done again."""
    store_unlinked(workshop, query, 10)
    with connect_database(workshop.database_url, "test") as database:
        assert relink_batch(database, 8) == 8
        with database.transaction(force_rollback=True):
            assert relink_batch(database, 8) == 8
        assert query("SELECT count(*) AS n FROM alerts WHERE position <= (SELECT done FROM backfills)") == [{"n": 8}]
        assert [relink_batch(database, 8) for _ in range(4)] == [8, 8, 6, 0]
    assert count_linked(query) == 30


def test_workers_share_it_without_deadlock_while_drains_run(workshop: Workshop, query: Query) -> None:
    """Three workers at it and a drain that stores more alerts of the same transactions: all find each other."""
    store_unlinked(workshop, query, 40)
    with connect_journal(workshop.journal_url, 5.0) as client:
        for number in range(40):
            payload = {
                "provider": "OTHER",
                "providerId": f"O{number}",
                "acquirerReferenceNumber": f"7453760{1000 + number:016d}",
            }
            body = json.dumps({"event": "alert.created", "payload": payload}).encode()
            envelope = Envelope("reseller", body)
            append_entry(client, workshop.configuration.journal, seal_envelope(envelope, workshop.keyring))

    def relink_slowly() -> None:
        with connect_database(workshop.database_url, "test") as database:
            while query("SELECT 1 FROM backfills WHERE finished_at IS NULL"):
                relink_batch(database, 7)

    with ThreadPoolExecutor(4) as threads:
        work = [threads.submit(relink_slowly) for _ in range(3)]
        while query("SELECT count(*) AS n FROM alerts")[0]["n"] < 160:
            drain(workshop, "drain@test/0", 0.3)
        for one in work:
            one.result(60)
    assert query("SELECT cardinality(related) AS links, count(*) AS n FROM alerts GROUP BY 1") == [
        {"links": 3, "n": 160}
    ]
    query("SELECT pg_stat_force_next_flush()")
    assert query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [{"deadlocks": 0}]


def test_new_database_has_nothing_to_link(workshop: Workshop, query: Query) -> None:
    """Where alerts have always been linked the first look is the last."""
    relink_stored(workshop, 5)
    assert query("SELECT finished_at IS NOT NULL AS over FROM backfills") == [{"over": True}]
