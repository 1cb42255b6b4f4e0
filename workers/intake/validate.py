"""Validate: entries become messages and rejections. Pure: nothing here can fail for a reason outside the entry."""

import json
from collections.abc import Callable, Iterable

import structlog

import schemas.ethoca
import schemas.reseller
from schemas.alert import Message
from schemas.configuration import Configuration
from schemas.document import NotAnAlert, alert_id, read_document, split_alerts
from schemas.envelope import Envelope, Unreadable, open_envelope
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.sources import Format, Source
from workers.intake.outcomes import Entry, Rejection, Report

log = structlog.get_logger()

POISONED_AT = 6

Reader = Callable[[object, Source, bool, Keyring], Message]
READERS: dict[Format, Reader] = {
    "ethoca": schemas.ethoca.read_message,
    "reseller": schemas.reseller.read_message,
}


def validate_entries(entries: Iterable[Entry], configuration: Configuration, keyring: Keyring) -> list[Report]:
    """Validate a batch. An entry sealed with a key that is not configured is left in the journal until it is."""
    reports = []
    for entry in entries:
        try:
            reports.append(validate_entry(entry, configuration, keyring))
        except UnknownKey as error:
            log.error("entry_left", entry_id=entry.entry_id.decode(), why=str(error))  # noqa: TRY400 - no surprise
    return reports


def validate_entry(entry: Entry, configuration: Configuration, keyring: Keyring) -> Report:
    """Open an entry and read its alerts. Raises UnknownKey alone: a fault of the configuration, not of the entry."""
    try:
        envelope = open_envelope(entry.fields, keyring)
    except Unreadable as error:
        return Report(entry, None, (Rejection("unreadable", str(error), None),))
    except Tampered as error:
        return Report(entry, None, (Rejection("unsealable", str(error), entry.fields.get(b"b")),))
    if entry.deliveries >= POISONED_AT:
        why = f"taken {entry.deliveries - 1} times, the last ones alone, and never finished"
        return Report(entry, envelope, (Rejection("poisoned", why, envelope.body),))
    source = configuration.source(envelope.source)
    if source is None:
        why = f"no source {envelope.source!r} is configured; configure it and replay"
        return Report(entry, envelope, (Rejection("unknown_source", why, envelope.body),))
    return Report(entry, envelope, read_items(envelope, source, keyring))


def read_items(envelope: Envelope, source: Source, keyring: Keyring) -> tuple[Message | Rejection, ...]:
    """Read every alert of a body: one or a list, each for itself."""
    try:
        document, repaired = read_document(envelope.body, source)
        items, is_list = split_alerts(document)
    except NotAnAlert as error:
        return (Rejection("unreadable", str(error), envelope.body),)
    read = READERS[source.format]
    found: list[Message | Rejection] = []
    for item in items:
        if alert_id(item, source.format) is None:
            body = json.dumps(item, default=str).encode() if is_list else envelope.body
            found.append(
                Rejection("no_alert_id", "no usable alert id (a string or integer of 1 to 255 characters)", body)
            )
        else:
            found.append(read(item, source, repaired, keyring))
    return tuple(found)
