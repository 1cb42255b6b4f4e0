"""Validate: entries become messages and rejections. Pure: nothing here can fail for a reason outside the entry."""

import json
from collections.abc import Callable, Iterable

import structlog

import schemas.formats.ethoca
import schemas.formats.reseller
from schemas.alert.alert import Message
from schemas.formats.document import NotAnAlert, alert_id, read_document, split_alerts
from schemas.journal.envelope import Envelope, Unreadable, name_tampered, open_envelope
from schemas.keyring import Keyring, Tampered, UnknownKey
from schemas.settings.configuration import Configuration
from schemas.settings.sources import Format, Source
from workers.intake.outcomes import Entry, Rejection, Report

log = structlog.get_logger()

POISONED_AT = 6

Reader = Callable[[object, Source, bool, Keyring], Message]
READERS: dict[Format, Reader] = {
    "ethoca": schemas.formats.ethoca.read_message,
    "reseller": schemas.formats.reseller.read_message,
}


def validate_entries(entries: Iterable[Entry], configuration: Configuration, keyring: Keyring) -> list[Report]:
    """Validate a batch. An entry sealed with a key that is not configured has no report: it waits until it is."""
    reports = []
    left: dict[bytes, str] = {}
    for entry in entries:
        try:
            reports.append(validate_entry(entry, configuration, keyring))
        except UnknownKey as error:
            left[entry.entry_id] = str(error)
    if left:
        log.error("entries_left", entries=len(left), first=min(left).decode(), why=sorted(set(left.values())))
    return reports


def validate_entry(entry: Entry, configuration: Configuration, keyring: Keyring) -> Report:
    """Open an entry and read its alerts. Raises UnknownKey alone: a fault of the configuration, not of the entry."""
    try:
        envelope = open_envelope(entry.fields, keyring)
    except Unreadable as error:
        return Report(entry, None, (Rejection("unreadable", str(error), None),))
    except Tampered as error:
        refused = Rejection("unsealable", str(error), entry.fields.get(b"b"))
        return Report(entry, name_tampered(entry.fields), (refused,), opened=False)
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
            why = "no usable alert id (a string or integer of 1 to 255 characters)"
            found.append(Rejection("no_alert_id", why, encode_item(item) if is_list else envelope.body))
        else:
            found.append(read(item, source, repaired, keyring))
    return tuple(found)


def list_bodies(envelope: Envelope, configuration: Configuration) -> list[bytes]:
    """Return the body of each alert of a push that was read: the whole body, if that is one alert."""
    source = configuration.source(envelope.source)
    if source is None:
        return [envelope.body]
    items, is_list = split_alerts(read_document(envelope.body, source)[0])
    return [encode_item(item) for item in items] if is_list else [envelope.body]


def encode_item(item: object) -> bytes:
    """Return one item of a list as a body of its own."""
    return json.dumps(item, default=str).encode()
