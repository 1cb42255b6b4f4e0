"""Columns: what the rows of a batch have in common, as a COPY and as an INSERT take them."""

from typing import Any

from schemas.alert.alert import COLUMNS, DETAILS, Alert
from schemas.alert.times import iso_milliseconds
from workers.database.copying import json_text
from workers.intake.outcomes import Entry, Report

_FALSE_TRUE = ("f", "t")
COPIED_ALERT = (
    "id", "network", "provider_alert_id", "source", "kind", "status", "received_at", "revision", "duplicates",
    "repaired", "card_network", "respond_by", "related", "enrichment", "problems", "seen", "standing", *COLUMNS,
    "details",
)  # fmt: skip
ALERT_DOCUMENTS = frozenset({"enrichment", "problems", "standing", "details"})  # of them, as JSON


def alert_texts(alert: Alert) -> list[str | None]:
    """Return the columns `COPIED_ALERT` of an alert, as a `Load` has them."""
    facts = alert.facts
    return [
        alert.id,
        alert.network,
        alert.provider_alert_id,
        alert.source,
        alert.kind,
        alert.status,
        alert.received_at,
        str(alert.revision),
        str(alert.duplicates),
        _FALSE_TRUE[alert.repaired],
        alert.card_network,
        alert.respond_by,
        f"{{{','.join(alert.related)}}}",
        json_text(alert.enrichment),
        json_text(alert.problems),
        f"{{{','.join(alert.seen)}}}",
        json_text(alert.standing),
        *map(facts.get, COLUMNS),
        json_text({name: facts[name] for name in DETAILS if name in facts}),
    ]


def entry_texts(entry: Entry) -> tuple[str, str]:
    """Return the columns `entered_at` and `sequence` that name a journal entry."""
    return iso_milliseconds(entry.entered_at), str(entry.sequence)


def entry_row(entry: Entry, incarnation: str) -> dict[str, Any]:
    """The columns that name a journal entry."""
    return {
        "entered_at": iso_milliseconds(entry.entered_at),
        "sequence": entry.sequence,
        "incarnation": incarnation,
    }


def origin_row(report: Report) -> dict[str, Any]:
    """The columns that say where an entry came from; nulls when it is no envelope."""
    envelope = report.envelope
    if envelope is None:
        return {"request_id": None, "source": None, "received_at": None}
    return {
        "request_id": envelope.request_id,
        "source": envelope.source,
        "received_at": iso_milliseconds(envelope.received_at),
    }
