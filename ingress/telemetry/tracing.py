"""The door's spans: one for each push that is kept, from first look to answer. Its trace goes with the envelope.

A `traceparent` that a sender sends is not adopted: strangers do not decide what is traced here.
"""

import time
from typing import TYPE_CHECKING

from ingress.telemetry.log import open_log
from schemas.telemetry.tracing import open_spans

if TYPE_CHECKING:
    from ingress.visit import Visit


class PushTraces:
    """The traces of one worker process. Make it after the fork."""

    def __init__(self) -> None:
        self._spans = open_spans("ingress", open_log())

    def begin(self, visit: "Visit") -> str | None:
        """Begin the span of a push, back at its first look. Return its `traceparent`, None while tracing is off."""
        if self._spans is None:
            return None
        from schemas.telemetry.spans import traceparent_of

        began = time.time_ns() - int((time.perf_counter() - visit.started) * 1e9)
        visit.span = self._spans.begin("push", "server", began=began)
        return traceparent_of(visit.span)


def end_trace(visit: "Visit", status: int) -> None:
    """End the span of a push, if it has one, when its answer stands."""
    if visit.span is None:
        return
    from schemas.telemetry.spans import end_span

    visit.span.set_attribute("http.response.status_code", status)
    facts = {"request_id": visit.request_id, "source": visit.source, "entry_id": visit.entry_id}
    end_span(visit.span, facts, None if status < 500 else "not kept")
