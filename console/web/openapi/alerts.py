"""Alerts, the books, and the stream of events, described."""

from typing import Any

from console.alerts.story import FIRST, LATEST, LATEST_ATTEMPTS
from console.web.events import MEDIA_TYPE, STARTS
from console.web.openapi.kinds import (
    ANY_OBJECT,
    FLAG,
    ID,
    NUMBER,
    OPTIONAL,
    OPTIONAL_ID,
    OPTIONAL_NUMBER,
    OPTIONAL_TIME,
    TEXT,
    TIME,
    Schema,
    choice,
    listed,
    record,
    reference,
)
from console.web.openapi.requests import ONE, listing, operation, query
from schemas.alert.alert import DETAILS
from schemas.downstream.events import ALERT_EVENTS, EXPIRING, PAUSED, RESUMED, UNBALANCED

FILTERS = [
    query("provider", TEXT, "The network: ethoca, verifi, ..."),
    query("provider_alert_id", TEXT, "The network's own alert id."),
    query("kind", {"type": "string", "examples": ["confirmed_fraud", "customer_dispute", "other"]}, "The kind."),
    query("status", {"type": "string", "examples": ["open", "resolved"]}, "The status now."),
    query("merchant_id", TEXT, "The merchant's id."),
    query("received_after", TIME, "Received then or later."),
    query("received_before", TIME, "Received before then."),
    query("order", choice("oldest", "newest") | {"default": "oldest"},
          "oldest: as they were stored. newest: the latest first, for people; it has no resume_cursor."),
]  # fmt: skip

ALERT: Schema = record(
    id=ID, provider=TEXT, provider_alert_id=TEXT, source=TEXT, kind=TEXT, status=TEXT, revision=NUMBER,
    duplicates=NUMBER, repaired=FLAG, amount=OPTIONAL, currency=OPTIONAL, issuer=OPTIONAL,
    card=record(bin=OPTIONAL, last4=OPTIONAL, network=OPTIONAL),
    transaction=record(at=OPTIONAL_TIME, id=OPTIONAL, arn=OPTIONAL, auth_code=OPTIONAL, type=OPTIONAL),
    merchant=record(id=OPTIONAL, name=OPTIONAL, descriptor=OPTIONAL, mcc=OPTIONAL, order_id=OPTIONAL),
    alerted_at=OPTIONAL_TIME, received_at=TIME, respond_by=OPTIONAL_TIME, related=listed(ID), enrichment=ANY_OBJECT,
    details=record(**dict.fromkeys(DETAILS, OPTIONAL)),
    problems=listed(record(field=TEXT, value=TEXT, why=TEXT)),
)  # fmt: skip

WHOLE = (
    f"Of revisions, receipts and deliveries the first {FIRST} and the latest {LATEST}; left_out says how many of each"
    f" are between them. Of a delivery the latest {LATEST_ATTEMPTS} attempts."
)

PAGE = record(data=listed(reference("Alert")), next_cursor=OPTIONAL, resume_cursor=OPTIONAL)

SCHEMAS: dict[str, Schema] = {
    "Alert": ALERT,
    "AlertInFull": {
        "allOf": [
            reference("Alert"),
            record(
                revisions=listed(record(revision=NUMBER, changed_at=TIME, source=TEXT, request_id=OPTIONAL,
                                        changes=ANY_OBJECT)),
                receipts=listed(record(entry_id=TEXT, incarnation=ID, item=NUMBER, ending=TEXT, source=OPTIONAL,
                                       request_id=OPTIONAL, received_at=OPTIONAL_TIME, settled_at=TIME)),
                deliveries=listed(record(
                    id=ID, subscription=TEXT, subscription_id=ID, event=TEXT, revision=NUMBER, state=TEXT,
                    attempts=NUMBER, due_at=TIME, created_at=TIME, ended_at=OPTIONAL_TIME, held=FLAG,
                    log=listed(record(number=NUMBER, attempted_at=TIME, status=OPTIONAL_NUMBER,
                                      milliseconds={"type": "number"}, error=OPTIONAL, next_at=OPTIONAL_TIME)),
                )),
                left_out=record(**dict.fromkeys(("revisions", "receipts", "deliveries"), NUMBER)),
            )
            | {"description": WHOLE},
        ]
    },
    "Event": {"oneOf": [reference("AlertEvent"), reference("SubscriptionNotice"), reference("BooksNotice")]},
    "AlertEvent": record(id=ID, type=choice(*ALERT_EVENTS, EXPIRING), occurred_at=TIME, alert=reference("Alert")),
    "SubscriptionNotice": record(
        id=ID, type=choice(PAUSED, RESUMED), occurred_at=TIME,
        payload=record(id=ID, name=TEXT, state=choice("active", "paused", "tripped"), why=TEXT),
    ),
    "BooksNotice": record(
        id=ID, type=choice(UNBALANCED), occurred_at=TIME,
        payload=record(incarnation=OPTIONAL_ID, missing=NUMBER, orphaned=NUMBER),
    ),
    "Books": record(
        balanced=FLAG, added=NUMBER, settled=NUMBER, waiting=NUMBER, orphaned=NUMBER,
        unaccounted=listed(record(incarnation=OPTIONAL_ID, entries=NUMBER)),
    ),
}  # fmt: skip


def follow() -> dict[str, Any]:
    """Describe the stream of events. OpenAPI has no word for server-sent events: the schema is that of their data."""
    starts = choice(*STARTS) | {"default": STARTS[0]}
    return operation(
        "events",
        "Follow what happens, as server-sent events",
        [
            query("types", TEXT, "Only these types, separated by commas; * stands for any text."),
            query("start", starts, "now: what happens from here on. oldest: from the first event that is kept."),
            query("last_event_id", TEXT, "Go on after this id; the header Last-Event-ID counts more."),
            {"name": "Last-Event-ID", "in": "header", "schema": TEXT, "description": "The last id that was received."},
        ],
        reference("Event"),
        MEDIA_TYPE,
    )


PATHS: dict[str, Any] = {
    "/v1/alerts": {"get": listing("alerts", "List alerts", FILTERS, PAGE)},
    "/v1/alerts/{id}": {
        "get": operation("alert", "Show one alert with all that became of it", [ONE], reference("AlertInFull"))
    },
    "/v1/audit": {"get": operation("audit", "Check the books", [], reference("Books"))},
    "/v1/events": {"get": follow()},
}
