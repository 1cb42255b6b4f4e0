"""Alerts as a reseller's webhook passes them on: an envelope with the event, its time and the payload."""

from typing import Any

from schemas.alert.alert import Message
from schemas.alert.problem import Problem
from schemas.alert.vocabulary import OPEN_STATUSES, network_in
from schemas.formats.document import NotAnAlert, alert_fields, alert_id
from schemas.formats.reading import Reading, read_fields
from schemas.keyring import Keyring
from schemas.settings.sources import Source

# Parts of the envelope that count; the payload's own fields of these names are left aside.
ENVELOPE = ("event", "timestamp", "Event", "Timestamp")


def read_message(item: Any, source: Source, repaired: bool, keyring: Keyring) -> Message:  # noqa: ANN401 - JSON
    """Read one alert of a parsed body. Raises NotAnAlert when it has no usable id, and nothing else."""
    provider_alert_id = alert_id(item, "reseller")
    payload = alert_fields(item, "reseller")
    if provider_alert_id is None or payload is None:
        raise NotAnAlert("no usable alert id")
    if payload is item:
        fields = payload
    else:
        fields = payload | dict.fromkeys(ENVELOPE) | {name: item[name] for name in ENVELOPE if name in item}
    reading = read_fields(fields, source.time_zone, keyring)
    return Message(
        network=name_network(reading, source),
        provider_alert_id=provider_alert_id,
        source=source.name,
        own_door=False,
        kind=reading.kind,
        event=reading.event,
        sent_at=reading.updated_at or reading.timestamp,
        status=settle_status(reading),
        facts=reading.facts,
        problems=tuple(reading.problems),
        repaired=repaired,
    )


def name_network(reading: Reading, source: Source) -> str:
    """Return the network: the provider named, else the one that begins the type, else the source's."""
    named = reading.provider or network_in(reading.facts.get("type", "")) or source.network
    return named.lower() if named else "unknown"


def settle_status(reading: Reading) -> str | None:
    """Return the status. What is announced as resolved is so, also when the payload says nothing or still says open."""
    if reading.event != "alert.resolved":
        return reading.status
    if reading.status in OPEN_STATUSES:
        reading.problems.append(Problem("status", str(reading.status), "open in an alert.resolved: taken as resolved"))
        return "resolved"
    return reading.status or "resolved"
