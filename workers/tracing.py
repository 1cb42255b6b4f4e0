"""The workshop's spans: one for each entry that is stored and one for each attempt to deliver, in the push's trace."""

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

from schemas.tracing import open_spans
from workers.delivery.lease import Item
from workers.delivery.policy import Answer
from workers.intake.outcomes import Report

if TYPE_CHECKING:
    from schemas.spans import Spans


@cache
def spans() -> "Spans | None":
    """Return what this process tells its spans to. Asked for by the work itself, so after the fork."""
    return open_spans("workers")


def end_spans(**_signal: object) -> None:
    """Send what has not been sent yet. Connected to Celery's `worker_process_shutdown` and `worker_shutdown`."""
    if spans.cache_info().currsize and (told := spans()) is not None:
        told.close()


def trace_batch(reports: Iterable[Report], began: float) -> None:
    """Tell of a batch that is settled: a span for each of its entries that is traced. `began`: `time.perf_counter`."""
    told = spans()
    if told is None:
        return
    from schemas.spans import Facts, end_span

    ended = time.time_ns()
    since = ended - int((time.perf_counter() - began) * 1e9)
    for report in reports:
        envelope = report.envelope
        if envelope is not None and envelope.trace is not None:
            span = told.begin("store", "consumer", envelope.trace, since)
            facts: Facts = {
                "request_id": envelope.request_id,
                "source": envelope.source,
                "entry_id": report.entry.entry_id.decode(),
                "deliveries": report.entry.deliveries,
            }
            end_span(span, facts, ended=ended)


def trace_delivery(deliver: Callable[[Item, dict[str, str]], Answer], item: Item) -> Answer:
    """Make one attempt, with the headers that tell its receiver of the trace: none while tracing is off."""
    told = spans()
    if told is None:
        return deliver(item, {})
    from schemas.spans import end_span, traceparent_of

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
