"""The description of the read API, OpenAPI 3.1."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from console.downstream.deliveries import STATES as DELIVERY_STATES
from console.paging import MAX_LIMIT
from console.rejections.queries import STATES as REJECTION_STATES
from console.web.asked import DEFAULT_LIMIT
from console.web.events import MEDIA_TYPE as STREAM_TYPE
from console.web.events import STARTS
from schemas.alert import DETAILS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
OPTIONAL: Schema = {"type": ["string", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
OPTIONAL_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
ID: Schema = {"type": "string", "format": "uuid"}
OPTIONAL_ID: Schema = {"type": ["string", "null"], "format": "uuid"}
NUMBER: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}
ONE: dict[str, Any] = {"name": "id", "in": "path", "required": True, "schema": ID}


def describe_api() -> dict[str, Any]:
    """Return the whole description."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "alert-intake", "version": installed_version(), "description": DESCRIPTION},
        "security": [{"token": []}],
        "paths": {
            "/v1/alerts": {"get": listing("alerts", "List alerts", ALERT_FILTERS, ALERT_PAGE)},
            "/v1/alerts/{id}": {"get": one_alert()},
            "/v1/audit": {"get": operation("audit", "Check the books", [], reference("Books"))},
            "/v1/events": {"get": stream()},
            "/v1/rejections": {
                "get": listing("rejections", "List rejections", REJECTION_FILTERS, page("Rejection"))
            },
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
            "/v1/subscriptions": {
                "get": listing("subscriptions", "List subscriptions", [], page("Subscription")),
                "post": adding("addSubscription", "Add a subscription; its signing secret is in this answer and in no "
                               "other", TERMS | {"required": ["name", "url"]}, reference("AddedSubscription")),
            },
            "/v1/subscriptions/{id}": {
                "get": operation("subscription", "Show one subscription, by id or name, and what happened to it", [ONE],
                                 reference("SubscriptionInFull")),
                "patch": change("changeSubscription", "Change what is given and nothing else; state is active or "
                                "paused", TERMS, reference("SubscriptionInFull")),
                "delete": removal("removeSubscription", "Remove a subscription and every delivery to it"),
            },
            "/v1/subscriptions/{id}/rotate-secret": {
                "post": change("rotateSecret", "Make a new signing secret; the present one signs beside it until the "
                               "overlap ends", {"type": "object", "properties": {"overlap": OVERLAP}},
                               record(id=ID, name=TEXT, secret=TEXT, former_secrets=NUMBER), required=False)
            },
            "/v1/deliveries": {
                "get": listing("deliveries", "List deliveries", DELIVERY_FILTERS, page("Delivery"))
            },
            "/v1/deliveries/{id}": {
                "get": operation("delivery", "Show one delivery with each attempt", [ONE], reference("DeliveryInFull"))
            },
            "/v1/deliveries/{id}/retry": {
                "post": operation("retryDelivery", "Make a delivery due now, be it given up or waiting", [ONE],
                                  record(id=ID, state=TEXT, attempts=NUMBER, due_at=TIME))
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS,
            "responses": {
                "Problem": {
                    "description": "What could not be answered, and why (RFC 9457).",
                    "content": {"application/problem+json": {"schema": reference("Problem")}},
                }
            },
        },
    }  # fmt: skip


def installed_version() -> str:
    """Return the version of the product."""
    try:
        return version("alert-intake")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def reference(name: str) -> Schema:
    """Refer to a schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(**properties: Schema) -> Schema:
    """Describe an object all of whose properties are always there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def listed(schema: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": schema}


def page(name: str) -> Schema:
    """Describe a page of a list."""
    return record(data=listed(reference(name)), next_cursor=OPTIONAL)


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """Describe a parameter of the query string."""
    return {"name": name, "in": "query", "schema": schema, "description": description}


def state(states: tuple[str, ...]) -> dict[str, Any]:
    """Describe the filter by state."""
    return query("state", {"type": "string", "enum": list(states)}, "Only those in this state.")


def operation(
    name: str, summary: str, parameters: list[dict[str, Any]], schema: Schema, media_type: str = "application/json"
) -> dict[str, Any]:
    """Describe a request that is answered with `schema`."""
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": summary, "content": {media_type: {"schema": schema}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def stream() -> dict[str, Any]:
    """Describe the stream of events. OpenAPI has no word for server-sent events: the schema is that of their data."""
    starts = {"type": "string", "enum": list(STARTS), "default": STARTS[0]}
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
        STREAM_TYPE,
    )


def change(name: str, summary: str, body: Schema, schema: Schema, *, required: bool = True) -> dict[str, Any]:
    """Describe a request that changes the thing of the id in the path, and answers with `schema`."""
    content = {"application/json": {"schema": body}}
    return operation(name, summary, [ONE], schema) | {"requestBody": {"required": required, "content": content}}


def adding(name: str, summary: str, given: Schema, schema: Schema) -> dict[str, Any]:
    """Describe a POST that makes something."""
    described = operation(name, summary, [], schema)
    described["responses"]["201"] = described["responses"].pop("200")
    return described | {"requestBody": {"required": True, "content": {"application/json": {"schema": given}}}}


def removal(name: str, summary: str) -> dict[str, Any]:
    """Describe a DELETE."""
    described = operation(name, summary, [ONE], {})
    described["responses"] = {"204": {"description": summary}, "default": described["responses"]["default"]}
    return described


def listing(name: str, summary: str, parameters: list[dict[str, Any]], schema: Schema) -> dict[str, Any]:
    """Describe a list with a cursor."""
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    paging = [
        query("limit", limit, "At most this many rows."),
        query("cursor", TEXT, "Where the list was left: a cursor of an earlier answer, with the same filters."),
    ]
    return operation(name, summary, [*parameters, *paging], schema)


def one_alert() -> dict[str, Any]:
    """Describe the look-up of one alert."""
    return operation("alert", "Show one alert with all that became of it", [ONE], reference("AlertInFull"))


DESCRIPTION = (
    "Times are UTC ISO 8601, money is a decimal string, ids are strings. An unknown parameter is an error. "
    "The list of alerts is in the order in which they were stored and never skips or repeats one while others are "
    "being stored: walk it by next_cursor, keep resume_cursor, and come back with it for what is new. What happens to "
    "them afterwards is in the stream of events."
)

ALERT_FILTERS = [
    query("provider", TEXT, "The network: ethoca, verifi, ..."),
    query("provider_alert_id", TEXT, "The network's own alert id."),
    query("kind", {"type": "string", "examples": ["confirmed_fraud", "customer_dispute", "other"]}, "The kind."),
    query("status", {"type": "string", "examples": ["open", "resolved"]}, "The status now."),
    query("merchant_id", TEXT, "The merchant's id."),
    query("received_after", TIME, "Received then or later."),
    query("received_before", TIME, "Received before then."),
    query("order", {"type": "string", "enum": ["oldest", "newest"], "default": "oldest"},
          "oldest: as they were stored. newest: the latest first, for people; it has no resume_cursor."),
]  # fmt: skip

REJECTION_FILTERS = [
    state(REJECTION_STATES),
    query("reason", TEXT, "Only those for this reason: no_alert_id, unreadable, unknown_source, poisoned, ..."),
    query("source", TEXT, "Only those from this source."),
    query("since", TIME, "Rejected then or later."),
    query("until", TIME, "Rejected before then."),
]

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

REPLAYED = record(id=ID, state=TEXT, request_id=TEXT, entry_id=TEXT)

ALERT_PAGE = record(data=listed(reference("Alert")), next_cursor=OPTIONAL, resume_cursor=OPTIONAL)

DELIVERY_FILTERS = [
    state(DELIVERY_STATES),
    query("subscription", TEXT, "Only those to the subscription of this name."),
    query("since", TIME, "Of events that happened then or later."),
    query("until", TIME, "Of events that happened before then."),
]

LIMIT: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0}
OVERLAP: Schema = {"type": "string", "default": "24h", "examples": ["24h", "90m", "0"]}
FILTERS: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("providers", "kinds", "merchants", "currencies", "sources"), listed(TEXT)),
        **dict.fromkeys(("min_amount", "max_amount"), TEXT),
    },
    "additionalProperties": False,
}
SUBSCRIPTION: Schema = record(
    id=ID, name=TEXT, url=TEXT, events=listed(TEXT), state={"type": "string", "enum": ["active", "paused", "tripped"]},
    description=TEXT, filters=FILTERS, format=TEXT, leave_out=listed(TEXT), personal_data=FLAG, rate_limit=LIMIT,
    concurrency=LIMIT, timeout=LIMIT, failures=NUMBER, failing_since=OPTIONAL_TIME, created_at=TIME,
)  # fmt: skip
SUBSCRIPTION_REST: Schema = record(
    due=NUMBER, given_up=NUMBER,
    credentials=record(basic_user=OPTIONAL, headers=listed(TEXT), former_secrets=NUMBER, sealed_because=OPTIONAL),
    log=listed(record(at=TIME, what=TEXT, why=TEXT)),
    operations=listed(record(at=TIME, actor=TEXT, action=TEXT, note=OPTIONAL)),
)  # fmt: skip
# What is given to add or change one. Credentials go in here and come out nowhere.
TERMS: Schema = {
    "type": "object",
    "properties": {
        **{name: SUBSCRIPTION["properties"][name] for name in (
            "name", "url", "events", "description", "filters", "format", "leave_out", "personal_data", "rate_limit",
            "concurrency", "timeout")},
        "basic": {"type": ["object", "null"], "properties": {"user": TEXT, "password": TEXT}},
        "headers": {"type": "object", "additionalProperties": TEXT},
        "state": {"type": "string", "enum": ["active", "paused"], "description": "Only to change one."},
    },
    "additionalProperties": False,
}  # fmt: skip

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
                    attempts=NUMBER, due_at=TIME, created_at=TIME, ended_at=OPTIONAL_TIME,
                    log=listed(record(number=NUMBER, attempted_at=TIME, status={"type": ["integer", "null"]},
                                      milliseconds={"type": "number"}, error=OPTIONAL, next_at=OPTIONAL_TIME)),
                )),
            ),
        ]
    },
    "Event": record(id=ID, type=TEXT, occurred_at=TIME, alert=reference("Alert")),
    "Books": record(
        balanced=FLAG, added=NUMBER, settled=NUMBER, waiting=NUMBER, orphaned=NUMBER,
        unaccounted=listed(record(incarnation=OPTIONAL_ID, entries=NUMBER)),
    ),
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
                operations=listed(record(at=TIME, actor=TEXT, action=TEXT, note=OPTIONAL)),
            ),
        ]
    },
    "Subscription": SUBSCRIPTION,
    "SubscriptionInFull": {"allOf": [reference("Subscription"), SUBSCRIPTION_REST]},
    "AddedSubscription": {"allOf": [reference("SubscriptionInFull"), record(secret=TEXT)]},
    "Delivery": record(
        id=ID, state=TEXT, subscription=TEXT, subscription_id=ID, event=TEXT, alert_id=ID, attempts=NUMBER, due_at=TIME,
        created_at=TIME, ended_at=OPTIONAL_TIME, last_status={"type": ["integer", "null"]}, last_error=OPTIONAL,
        last_at=OPTIONAL_TIME,
    ),
    "DeliveryInFull": {
        "allOf": [
            reference("Delivery"),
            record(log=listed(record(number=NUMBER, attempted_at=TIME, status={"type": ["integer", "null"]},
                                     milliseconds={"type": "number"}, error=OPTIONAL, answer=OPTIONAL,
                                     next_at=OPTIONAL_TIME))),
        ]
    },
    "Problem": record(type=TEXT, title=TEXT, status=NUMBER, detail=TEXT),
}  # fmt: skip
