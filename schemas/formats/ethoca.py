"""Alerts as Ethoca pushes them: one flat object."""

from typing import Any

from schemas.alert.alert import Message
from schemas.formats.document import NotAnAlert, alert_fields, alert_id
from schemas.formats.reading import read_fields
from schemas.keyring import Keyring
from schemas.settings.sources import Source

NETWORK = "ethoca"


def read_message(item: Any, source: Source, repaired: bool, keyring: Keyring) -> Message:  # noqa: ANN401 - JSON
    """Read one alert of a parsed body. Raises NotAnAlert when it has no usable id, and nothing else."""
    provider_alert_id = alert_id(item, "ethoca")
    fields = alert_fields(item, "ethoca")
    if provider_alert_id is None or fields is None:
        raise NotAnAlert("no usable alert id")
    reading = read_fields(fields, source.time_zone, keyring)
    return Message(
        network=(source.network or NETWORK).lower(),
        provider_alert_id=provider_alert_id,
        source=source.name,
        own_door=True,
        kind=reading.kind,
        event=None,
        sent_at=reading.updated_at or reading.timestamp,
        status=reading.status,
        facts=reading.facts,
        problems=tuple(reading.problems),
        repaired=repaired,
    )
