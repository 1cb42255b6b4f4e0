"""What a replay puts into the journal: the body of a rejection, or the corrected one, in a new envelope."""

from datetime import UTC, datetime, timedelta
from typing import Any

from console.unreachable import Refused
from schemas.downstream.subscription import rejection_binding
from schemas.formats.document import NotAnAlert, alert_id, read_document, split_alerts
from schemas.journal.envelope import Envelope
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.settings.configuration import Configuration
from schemas.settings.sources import Source

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotReplayable(Refused):
    """As it stands the rejection cannot go through the journal; the message says what to do first."""


class BadCorrection(Refused):
    """The corrected body, or the note, would not do. The message never quotes it."""


def rebuild_envelope(
    row: dict[str, Any], corrected: bytes | None, configuration: Configuration, keyring: Keyring
) -> Envelope:
    """Return the envelope that goes into the journal. Raises NotReplayable or BadCorrection.

    It keeps the time of receipt: that is when the alert came, so an older message stays older than what was stored
    since, and a response time that counts from the receipt does not begin anew. Where no envelope could be read, the
    journal's own time of the entry stands for it.
    """
    source = configuration.source(row["source"] or "")
    if source is None:
        named = f"source {row['source']!r} is not configured; configure it first" if row["source"] else "it names none"
        raise NotReplayable(f"rejection {row['id']} belongs to no source: {named}")
    body = unseal_body(row, keyring) if corrected is None else corrected
    if corrected is not None:
        check_correction(corrected, source, configuration.door.max_body)
    received_at = (row["received_at"] or row["entered_at"]) - EPOCH
    return Envelope(source.name, body, received_at=received_at // timedelta(milliseconds=1))


def unseal_body(row: dict[str, Any], keyring: Keyring) -> bytes:
    """Return the body as it was rejected. Raises NotReplayable."""
    if row["sealed"] is None:
        raise NotReplayable(f"rejection {row['id']} has no body; replay it with a corrected one")
    if row["reason"] == "unsealable":
        raise NotReplayable(f"the body of rejection {row['id']} could never be opened; replay it with a corrected one")
    try:
        return keyring.unseal(bytes(row["sealed"]), rejection_binding(str(row["id"])))
    except (UnknownKey, Tampered) as error:
        raise NotReplayable(f"the body of rejection {row['id']} cannot be opened: {error}") from error


def check_correction(body: bytes, source: Source, limit: int) -> None:
    """Raise BadCorrection for a body that would only be rejected again: no JSON, or an alert without a usable id."""
    if len(body) > limit:
        raise BadCorrection(f"the corrected body is larger than {limit} bytes")
    try:
        items, _ = split_alerts(read_document(body, source)[0])
    except NotAnAlert as error:
        raise BadCorrection(f"the corrected body would be rejected again: {error}") from error
    if any(alert_id(item, source.format) is None for item in items):
        raise BadCorrection("the corrected body would be rejected again: an alert in it has no usable alert id")
