"""What a sender is told: the acknowledgement in its source's own shape and spelling, or the error envelope."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ingress.ids import Look
from schemas.settings.sources import Source

ORIGIN = "alert-intake"
MAX_NAME = 100  # Source and ReasonCode (docs/contracts.md, 1)
MAX_TEXT = 1000  # Description and Details
MAX_ERRORS = 1000  # a body of one MiB can list half a million items
NO_USABLE_ID = "the alert has no usable id: a string or an integer of 1 to 255 characters"

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: bytes
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the error envelope. `recoverable`: the same push may succeed later."""

    code: str
    description: str
    recoverable: bool = False
    details: str | None = None


@dataclass(eq=False)
class Refused(Exception):
    """The push is refused with this answer and nothing of it is kept. Raised on the way in, answered at the edge."""

    status: int
    fault: Fault
    headers: Headers = field(default_factory=dict)

    def answer(self) -> Answer:
        """Return the answer to give."""
        return Answer(self.status, error_envelope([self.fault]), self.headers)


def error_envelope(faults: Iterable[Fault]) -> bytes:
    """Write the one shape of every error body (docs/contracts.md, 1), within its length limits."""
    errors: list[dict[str, Any]] = []
    for fault in faults:
        error: dict[str, Any] = {
            "Source": ORIGIN,
            "ReasonCode": fault.code[:MAX_NAME],
            "Description": fault.description[:MAX_TEXT],
            "Recoverable": fault.recoverable,
        }
        if fault.details is not None:
            error["Details"] = fault.details[:MAX_TEXT]
        errors.append(error)
    return orjson.dumps({"Errors": {"Error": errors}})


def answer_push(look: Look, source: Source) -> Answer:
    """Answer a push that is durably in the journal.

    200 is a promise for every alert it calls a success. Without any usable id it is 400, although the body is kept.
    """
    if look.unreadable is not None:
        return Answer(400, error_envelope([Fault("VALIDATION_FAILURE", look.unreadable)]))
    if not any(look.ids):
        return Answer(400, error_envelope(list_missing_ids(look)))
    return Answer(200, orjson.dumps(acknowledge(look, source)))


def acknowledge(look: Look, source: Source) -> dict[str, Any]:
    """Write the acknowledgement. Of a list each alert is answered for itself; the whole is a success if all are."""
    spelling = source.acknowledgement
    status = spelling.success if all(look.ids) else spelling.failed
    if spelling.shape == "status":
        return {"status": status}
    if not look.listed:
        return {"alertId": look.ids[0], "status": status}
    alerts = [{"alertId": found, "status": spelling.success if found else spelling.failed} for found in look.ids]
    return {"status": status, "alerts": alerts}


def list_missing_ids(look: Look) -> Iterable[Fault]:
    """Return one fault for each alert, up to MAX_ERRORS of them."""
    for place in range(min(len(look.ids), MAX_ERRORS)):
        yield Fault("VALIDATION_FAILURE", NO_USABLE_ID, details=f"item {place}" if look.listed else None)
