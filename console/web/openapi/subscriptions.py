"""Subscriptions, described."""

from typing import Any

from console.downstream.health import BOUND
from console.downstream.terms import LEAST_RATE, MAX_RATE
from console.web.openapi.kinds import (
    DONE,
    FLAG,
    ID,
    NUMBER,
    OPTIONAL,
    OPTIONAL_TIME,
    TEXT,
    TIME,
    Schema,
    choice,
    listed,
    page,
    record,
    reference,
)
from console.web.openapi.requests import ONE, adding, change, listing, operation, removal

COUNTED: Schema = NUMBER | {"maximum": BOUND, "description": f"Deliveries, counted up to {BOUND:,}."}
LIMIT: Schema = {"type": ["number", "null"], "exclusiveMinimum": 0}
RATE: Schema = {"type": ["number", "null"], "minimum": LEAST_RATE, "maximum": MAX_RATE}
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
    id=ID, name=TEXT, url=TEXT, events=listed(TEXT), state=choice("active", "paused", "tripped"),
    description=TEXT, filters=FILTERS, format=TEXT, leave_out=listed(TEXT), personal_data=FLAG, rate_limit=RATE,
    concurrency=LIMIT, timeout=LIMIT, failures=NUMBER, failing_since=OPTIONAL_TIME,
    asked_until=OPTIONAL_TIME, created_at=TIME,
)  # fmt: skip
SUBSCRIPTION_REST: Schema = record(
    due=COUNTED, given_up=COUNTED,
    credentials=record(basic_user=OPTIONAL, headers=listed(TEXT), former_secrets=NUMBER, sealed_because=OPTIONAL),
    log=listed(record(at=TIME, what=TEXT, why=TEXT)), operations=DONE,
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
        "state": choice("active", "paused") | {"description": "Only to change one."},
    },
    "additionalProperties": False,
}  # fmt: skip

SCHEMAS: dict[str, Schema] = {
    "Subscription": SUBSCRIPTION,
    "SubscriptionInFull": {"allOf": [reference("Subscription"), SUBSCRIPTION_REST]},
    "AddedSubscription": {"allOf": [reference("SubscriptionInFull"), record(secret=TEXT)]},
}

PATHS: dict[str, Any] = {
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
}  # fmt: skip
