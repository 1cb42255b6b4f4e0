"""Rejections, described."""

from typing import Any

from console.rejections.queries import STATES
from console.web.openapi.kinds import (
    DONE,
    ID,
    NUMBER,
    OPTIONAL,
    OPTIONAL_ID,
    OPTIONAL_TIME,
    TEXT,
    TIME,
    Schema,
    listed,
    page,
    record,
    reference,
)
from console.web.openapi.requests import ONE, change, listing, operation, query, state

FILTERS = [
    state(STATES),
    query("reason", TEXT, "Only those for this reason: no_alert_id, unreadable, unknown_source, poisoned, ..."),
    query("source", TEXT, "Only those from this source."),
    query("since", TIME, "Rejected then or later."),
    query("until", TIME, "Rejected before then."),
]

REPLAYED = record(id=ID, state=TEXT, request_id=TEXT, entry_id=TEXT)

SCHEMAS: dict[str, Schema] = {
    "Rejection": record(
        id=ID, state=TEXT, reason=TEXT, why=TEXT, source=OPTIONAL, request_id=OPTIONAL, item=NUMBER,
        received_at=OPTIONAL_TIME, rejected_at=TIME, closed_at=OPTIONAL_TIME, note=OPTIONAL, replayed_as=OPTIONAL,
    ),
    "RejectionInFull": {
        "allOf": [
            reference("Rejection"),
            record(
                entry_id=TEXT, incarnation=ID, body=OPTIONAL, sealed_because=OPTIONAL,
                became=listed(record(item=NUMBER, ending=TEXT, alert_id=OPTIONAL_ID, rejection_id=OPTIONAL_ID)),
                operations=DONE,
            ),
        ]
    },
}  # fmt: skip

PATHS: dict[str, Any] = {
    "/v1/rejections": {"get": listing("rejections", "List rejections", FILTERS, page("Rejection"))},
    "/v1/rejections/{id}": {
        "get": operation("rejection", "Show one rejection with its body", [ONE], reference("RejectionInFull"))
    },
    "/v1/rejections/{id}/replay": {
        "post": change("replayRejection", "Send a rejection through the journal again, unchanged without a "
                       "body, else with this one as corrected body", {}, REPLAYED, required=False)
    },
    "/v1/rejections/{id}/discard": {
        "post": change("discardRejection", "Close a rejection without replaying it", record(note=TEXT),
                       record(id=ID, state=TEXT, closed_at=TIME, note=TEXT))
    },
}  # fmt: skip
