"""Store: all rows of a batch, in the transaction that its receipts opened."""

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import sql

from schemas.alert.times import iso_time
from schemas.downstream.subscription import rejection_binding
from schemas.keyring import Keyring
from workers.database.connections import Database
from workers.database.loading import Load, load_rows
from workers.database.rows import hexed, insert_rows, to_json
from workers.intake.claims import ALERT_COLUMNS
from workers.intake.columns import ALERT_DOCUMENTS, COPIED_ALERT, alert_texts, entry_row, entry_texts, origin_row
from workers.intake.link import adopt_links
from workers.intake.outcomes import Decisions, Entry, Report


def save_batch(
    database: Database,
    incarnation: str,
    consumer: str,
    admitted: Sequence[Report],
    decisions: Decisions,
    keyring: Keyring,
) -> None:
    """Write everything a batch decided, and add it to the running totals."""
    if not admitted:
        return
    load_rows(
        database,
        Load("alerts", COPIED_ALERT, [alert_texts(alert) for alert in decisions.stored.values()], ALERT_DOCUMENTS),
        Load(
            "endings",
            ("entered_at", "sequence", "incarnation", "item", "ending", "alert_id", "rejection_id"),
            [
                (*entry_texts(one.entry), incarnation, str(one.item), one.ending, one.alert_id, one.rejection_id)
                for one in decisions.endings
            ],
        ),
        Load(
            "raw_bodies",
            ("entered_at", "sequence", "incarnation", "source", "request_id", "sealed"),
            [
                (
                    *entry_texts(report.entry),
                    incarnation,
                    envelope.source,
                    envelope.request_id,
                    sealed_text(report.entry),
                )
                for report in admitted
                if (envelope := report.envelope) and report.opened
            ],
        ),
    )
    if decisions.changed:
        linked = database.execute(UPDATE_ALERTS, [to_json([alert.to_row() for alert in decisions.changed.values()])])
        adopt_links(decisions, {row["id"]: row["related"] for row in linked})
    now = iso_time(datetime.now(UTC))
    insert_rows(
        database,
        "revisions",
        ("changed_at", "alert_id", "revision", "source", "request_id", "changes"),
        [
            {"changed_at": now, "alert_id": revision.alert_id, "revision": revision.revision}
            | {"source": revision.source, "request_id": revision.request_id, "changes": revision.changes}
            for revision in decisions.revisions
        ],
    )
    insert_rows(
        database,
        "rejections",
        ("id", "entered_at", "sequence", "incarnation", "item", "source", "request_id", "received_at", "reason", "why",
         "sealed"),
        [
            entry_row(report.entry, incarnation)
            | origin_row(report)
            | {"id": rejection_id, "item": item, "reason": rejection.reason, "why": rejection.why}
            | {"sealed": seal_rejected(rejection.body, rejection_id, keyring)}
            for rejection_id, report, item, rejection in decisions.rejections
        ],
    )  # fmt: skip
    add_totals(database, incarnation, consumer, len(admitted), decisions)


def add_totals(database: Database, incarnation: str, consumer: str, entries: int, decisions: Decisions) -> None:
    """Count the batch in the running totals, which outlive the receipts."""
    counts = {"stored": 0, "updated": 0, "duplicate": 0, "superseded": 0, "rejected": 0}
    for ending in decisions.endings:
        counts[ending.ending] += 1
    database.execute(ADD_TOTALS, {"incarnation": incarnation, "consumer": consumer, "entries": entries, **counts})


def sealed_text(entry: Entry) -> str:
    """Return the sealed body as it lies in the journal."""
    return hexed(entry.fields[b"b"])


def seal_rejected(body: bytes | None, rejection_id: str, keyring: Keyring) -> str | None:
    """Seal a rejected body anew, bound to its rejection."""
    return None if body is None else hexed(keyring.seal(body, rejection_binding(rejection_id)))


# Rows are locked in the order in which whoever links alerts locks them. Links that another drain has added meanwhile
# stay, and are returned, so that the events of this batch tell of them too.
UPDATE_ALERTS = (
    sql.SQL(
        """WITH r AS MATERIALIZED (
           SELECT * FROM json_populate_recordset(NULL::alerts, %s::json)
       ), locked AS MATERIALIZED (
           SELECT id FROM alerts WHERE id IN (SELECT id FROM r) ORDER BY id FOR NO KEY UPDATE
       ), updated AS (
           UPDATE alerts a SET ({names}, related, changed_at) = ROW({values},
               CASE WHEN a.related = r.related THEN a.related
                    ELSE ARRAY(SELECT DISTINCT unnest(a.related || r.related) ORDER BY 1) END, now())
           FROM r JOIN locked USING (id) WHERE a.id = r.id
           RETURNING a.id, a.related, r.related AS known
       )
       SELECT id::text, related::text[] FROM updated WHERE related <> known"""
    )
    .format(
        names=sql.SQL(", ").join(sql.Identifier(name) for name in ALERT_COLUMNS if name != "related"),
        values=sql.SQL(", ").join(sql.Identifier("r", name) for name in ALERT_COLUMNS if name != "related"),
    )
    .as_bytes()
)

ADD_TOTALS = """
    INSERT INTO totals (incarnation, consumer, entries, stored, updated, duplicate, superseded, rejected)
    VALUES (%(incarnation)s, %(consumer)s, %(entries)s, %(stored)s, %(updated)s, %(duplicate)s, %(superseded)s,
            %(rejected)s)
    ON CONFLICT (incarnation, consumer) DO UPDATE SET
        entries = totals.entries + excluded.entries, stored = totals.stored + excluded.stored,
        updated = totals.updated + excluded.updated, duplicate = totals.duplicate + excluded.duplicate,
        superseded = totals.superseded + excluded.superseded, rejected = totals.rejected + excluded.rejected
"""
