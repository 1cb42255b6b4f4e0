"""Deliveries, described."""

from typing import Any

from console.downstream.deliveries import STATES
from console.web.openapi.kinds import (
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
    listed,
    page,
    record,
    reference,
)
from console.web.openapi.requests import ONE, giving, listing, operation, query, state

STATUS: Schema = {"type": "integer", "minimum": 0, "maximum": 999}
BOUNDED = " To be given with alert_id or since."
RETRY: Schema = {
    "type": "object",
    "properties": {"subscription": TEXT, "since": TIME, "until": TIME},
    "required": ["subscription", "since"],
    "additionalProperties": False,
}
FILTERS = [
    state(STATES),
    query("subscription", TEXT, "Only those to the subscription of this name."),
    query("since", TIME, "Of events that happened then or later."),
    query("until", TIME, "Of events that happened before then."),
    query("alert_id", ID, "Only those of the alert of this id."),
    query("event", TEXT, "Only those of events of this type, such as alert.resolved." + BOUNDED),
    query("last_status", STATUS, "Only those whose last attempt was answered with this HTTP status." + BOUNDED),
    query("last_error", TEXT, "Only those whose last attempt had an error with this in it." + BOUNDED),
]

SCHEMAS: dict[str, Schema] = {
    "Delivery": record(
        id=ID, state=TEXT, subscription=TEXT, subscription_id=ID, event=TEXT, alert_id=OPTIONAL_ID, attempts=NUMBER,
        due_at=TIME, created_at=TIME, ended_at=OPTIONAL_TIME, last_status=OPTIONAL_NUMBER, last_error=OPTIONAL,
        last_at=OPTIONAL_TIME,
    ),
    "DeliveryInFull": {
        "allOf": [
            reference("Delivery"),
            record(log=listed(record(number=NUMBER, attempted_at=TIME, status=OPTIONAL_NUMBER,
                                     milliseconds={"type": "number"}, error=OPTIONAL, answer=OPTIONAL,
                                     next_at=OPTIONAL_TIME))),
        ]
    },
}  # fmt: skip

PATHS: dict[str, Any] = {
    "/v1/deliveries": {"get": listing("deliveries", "List deliveries", FILTERS, page("Delivery"))},
    "/v1/deliveries/{id}": {
        "get": operation("delivery", "Show one delivery with each attempt", [ONE], reference("DeliveryInFull"))
    },
    "/v1/deliveries/retry": {
        "post": giving("retryDeliveries", "Make due now what was given up for a subscription, 10,000 at most; more: "
                       "ask again", RETRY, record(subscription=TEXT, retried=NUMBER, more=FLAG))
    },
    "/v1/deliveries/{id}/retry": {
        "post": operation("retryDelivery", "Make a delivery due now, be it given up or waiting", [ONE],
                          record(id=ID, state=TEXT, attempts=NUMBER, due_at=TIME), role="operate")
    },
}  # fmt: skip
