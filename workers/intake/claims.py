"""Claims: what a batch takes hold of before it decides anything: its receipts, and the identities of its alerts."""

from collections.abc import Sequence

from psycopg import sql
from uuid_utils.compat import uuid7

from schemas.alert.alert import COLUMNS, ROW_ATTRIBUTES, Alert
from schemas.alert.times import LATEST
from workers.database.connections import Database
from workers.database.rows import insert_rows, to_json
from workers.intake.columns import entry_row, origin_row
from workers.intake.incarnation import EntryIdRecurred
from workers.intake.outcomes import Identity, Report

ALERT_COLUMNS = (*ROW_ATTRIBUTES, *COLUMNS, "details")


def admit_entries(database: Database, incarnation: str, reports: Sequence[Report]) -> list[Report]:
    """Insert the receipts of a batch; return the reports of those entries that had none yet.

    Raises EntryIdRecurred when the receipt with an entry's id is that of another push: to take it for this one's would
    lose an alert. So it is after a failover in which for a moment two primaries gave ids, or one with a slow clock.
    """
    rows = [entry_row(report.entry, incarnation) | origin_row(report) for report in reports]
    inserted = insert_rows(
        database,
        "receipts",
        ("entered_at", "sequence", "incarnation", "request_id", "source", "received_at"),
        rows,
        " ON CONFLICT DO NOTHING RETURNING (extract(epoch FROM entered_at) * 1000)::bigint AS entered_at, sequence",
    )
    admitted = {(row["entered_at"], row["sequence"]) for row in inserted.fetchall()}
    if len(admitted) < len(rows):
        found = {(row["entered_at"], row["sequence"]) for row in database.execute(FIND_RECURRING, [to_json(rows)])}
        recurring = [report.entry for report in reports if receipt_key(report) in found]
        if recurring:
            raise EntryIdRecurred(recurring)
    return [report for report in reports if receipt_key(report) in admitted]


def receipt_key(report: Report) -> tuple[int, int]:
    """Return an entry's id as the statements here return it."""
    return min(report.entry.entered_at, LATEST), report.entry.sequence


def claim_identities(
    database: Database, identities: Sequence[Identity]
) -> tuple[dict[Identity, str], dict[Identity, Alert]]:
    """Claim the sorted identities against every other drain. Return ids for the new ones, the alerts of the others."""
    if not identities:
        return {}, {}
    fresh = {identity: str(uuid7()) for identity in identities}
    rows = [
        {"network": network, "provider_alert_id": provider_alert_id, "alert_id": alert_id}
        for (network, provider_alert_id), alert_id in fresh.items()
    ]
    inserted = insert_rows(
        database,
        "identities",
        ("network", "provider_alert_id", "alert_id"),
        rows,
        " ON CONFLICT DO NOTHING RETURNING network, provider_alert_id",
    ).fetchall()
    claimed = {
        identity: fresh[identity] for row in inserted for identity in [(row["network"], row["provider_alert_id"])]
    }
    others = [row for row in rows if (row["network"], row["provider_alert_id"]) not in claimed]
    if not others:
        return claimed, {}
    ids = database.execute(
        """SELECT i.alert_id FROM identities i
           JOIN json_populate_recordset(NULL::identities, %s::json) w USING (network, provider_alert_id)
           ORDER BY i.network, i.provider_alert_id FOR UPDATE OF i""",
        [to_json(others)],
    ).fetchall()
    # A second statement, since it must see what the holders of the locks have just committed.
    found = database.execute(SELECT_ALERTS, [[row["alert_id"] for row in ids]]).fetchall()
    return claimed, {(row["network"], row["provider_alert_id"]): Alert.from_row(row) for row in found}


FIND_RECURRING = """
    SELECT (extract(epoch FROM entered_at) * 1000)::bigint AS entered_at, sequence
    FROM json_populate_recordset(NULL::receipts, %s::json) w
    JOIN receipts r USING (entered_at, sequence, incarnation) WHERE r.request_id IS DISTINCT FROM w.request_id
"""
SELECT_ALERTS = (
    sql.SQL("SELECT {names} FROM alerts WHERE id = ANY(%s)")
    .format(names=sql.SQL(", ").join(map(sql.Identifier, ALERT_COLUMNS)))
    .as_bytes()
)
