"""Spans, as the parts tell of them. Imported only when tracing is on (schemas.telemetry.tracing)."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.telemetry.counting import read_version

CONTEXT = TraceContextTextMapPropagator()
KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}

Side = Literal["server", "consumer", "client"]
Facts = Mapping[str, str | int | float | bool | None]


@dataclass(frozen=True, slots=True)
class Spans:
    """Where one process tells of what it does. Sending is a thread's work; what cannot be sent is dropped."""

    provider: TracerProvider

    def begin(self, name: str, side: Side, parent: str | None = None, began: int | None = None) -> Span:
        """Begin a span. `parent` is a `traceparent`, without which a trace begins; `began` in ns since the epoch."""
        context = CONTEXT.extract({"traceparent": parent}) if parent else None
        return self.provider.get_tracer("alert-intake").start_span(name, context, KINDS[side], start_time=began)

    def close(self) -> None:
        """Send what has not been sent yet, and end."""
        self.provider.shutdown()


def start_spans(part: str) -> Spans:
    """Begin to tell of spans. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word on the resource."""
    os.environ.setdefault("OTEL_SERVICE_NAME", f"alert-intake-{part}")
    provider = TracerProvider(resource=Resource.create({"service.version": read_version()}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider)


def end_span(span: Span, facts: Facts, error: str | None = None, ended: int | None = None) -> None:
    """End a span with what is to be told of it; `error` makes it a failed one. `ended` in ns since the epoch."""
    span.set_attributes({f"alert_intake.{name}": value for name, value in facts.items() if value is not None})
    if error is not None:
        span.set_status(StatusCode.ERROR, error)
    span.end(ended)


def traceparent_of(span: Span) -> str:
    """Return the `traceparent` (W3C Trace Context) under which others go on with the trace."""
    carrier: dict[str, str] = {}
    CONTEXT.inject(carrier, set_span_in_context(span))
    return carrier["traceparent"]
