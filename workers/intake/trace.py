"""Trace: one span for each entry that is stored, in the trace of its push."""

import time
from collections.abc import Iterable

from workers.intake.outcomes import Report
from workers.telemetry.tracing import spans


def trace_batch(reports: Iterable[Report], began: float) -> None:
    """Tell of a batch that is settled: a span for each of its entries that is traced. `began`: `time.perf_counter`."""
    told = spans()
    if told is None:
        return
    from schemas.telemetry.spans import Facts, end_span

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
