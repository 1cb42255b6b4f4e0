"""Trace: one span for each attempt to deliver, in the trace of the push that it goes back to."""

from collections.abc import Callable

from workers.delivery.lease import Item
from workers.delivery.policy import Answer
from workers.telemetry.tracing import spans


def trace_delivery(deliver: Callable[[Item, dict[str, str]], Answer], item: Item) -> Answer:
    """Make one attempt, with the headers that tell its receiver of the trace: none while tracing is off."""
    told = spans()
    if told is None:
        return deliver(item, {})
    from schemas.telemetry.spans import end_span, traceparent_of

    origin = item.alert.get("origin") or {}
    span = told.begin("deliver", "client", origin.get("trace"))
    answer = deliver(item, {"traceparent": traceparent_of(span)})
    if answer.status is not None:
        span.set_attribute("http.response.status_code", answer.status)
    facts = {
        "request_id": origin.get("request_id"),
        "webhook_id": item.outbox_id,
        "alert_id": item.alert_id,
        "subscription": item.subscription,
        "event": item.event,
        "attempt": item.attempts,
    }
    failed = answer.status is None or not 200 <= answer.status < 300
    end_span(span, facts, (answer.error or f"status {answer.status}") if failed else None)
    return answer
