"""Tracing by OpenTelemetry: one trace from the push to each delivery. Off, and then spans are not even imported.

It is on when OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, names a collector that takes OTLP over
HTTP. The other variables of OpenTelemetry hold as well: headers, sampler, resource attributes, delays. Needs the
packages of the extra `tracing`.
"""

import os
from typing import TYPE_CHECKING

from structlog.typing import FilteringBoundLogger

if TYPE_CHECKING:
    from schemas.telemetry.spans import Spans

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
MISSING = "the packages for tracing are not there: pip install 'alert-intake[tracing]', or an image with EXTRAS=tracing"


def is_wanted() -> bool:
    """Tell whether tracing is on."""
    named = any(os.environ.get(name) for name in ENDPOINTS)
    return named and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true"


def open_spans(part: str, log: FilteringBoundLogger) -> "Spans | None":
    """Return what a part tells its spans to, None while tracing is off. To be called after the fork: it owns a thread.

    None also, and one line in the log, when it is on and cannot be: no push and no alert is lost for a trace.
    """
    if not is_wanted():
        return None
    try:
        from schemas.telemetry.spans import start_spans

        return start_spans(part)
    except ImportError:
        log.warning("not_traced", why=MISSING)
    except ValueError as error:
        log.warning("not_traced", why=f"a setting of OpenTelemetry cannot be used: {error}")
    return None
