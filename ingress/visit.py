"""What is known of one request while it is in the door, for its log line and its span."""

import time
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span


@dataclass(slots=True)
class Visit:
    """One request, as the log will tell it. `entry_id` stands from the moment the push is durable."""

    address: str = ""
    request_id: str = field(default_factory=lambda: token_hex(16))
    started: float = field(default_factory=time.perf_counter)
    source: str | None = None
    certificate: str | None = None
    size: int | None = None
    alerts: int | None = None
    entry_id: str | None = None
    why: str | None = None
    span: "Span | None" = None
