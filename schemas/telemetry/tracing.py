"""Tracing by OpenTelemetry: one trace from the push to each delivery. Off, and then spans are not even imported.

It is on when OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, names a collector that takes OTLP over
HTTP. The other variables of OpenTelemetry hold as well: headers, sampler, resource attributes, delays. Needs the
packages of the extra `tracing`.
"""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from schemas.settings.secret import ConfigurationError

if TYPE_CHECKING:
    from schemas.telemetry.spans import Spans

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def is_wanted() -> bool:
    """Tell whether tracing is on. Raises ConfigurationError when it is and cannot be."""
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        raise ConfigurationError(
            f"{endpoint} is set, and the packages for tracing are not installed: pip install 'alert-intake[tracing]'"
        )
    return True


def open_spans(part: str) -> "Spans | None":
    """Return what a part tells its spans to, None while tracing is off. To be called after the fork: it owns a thread.

    Raises ConfigurationError when it is on and cannot be.
    """
    if not is_wanted():
        return None
    from schemas.telemetry.spans import start_spans

    return start_spans(part)
