"""What the tests of the formats share: two sources, a keyring, the samples, and reading one alert as the drain does."""

import json
from pathlib import Path
from typing import Any

from schemas.alert.alert import Alert, Message
from schemas.formats import ethoca, reseller
from schemas.formats.document import read_document
from schemas.keyring import Keyring
from schemas.settings.sources import Source

ETHOCA = Source(name="ethoca", format="ethoca", network="ethoca", subjects=("CN=client",))
RESELLER = Source(name="reseller", format="reseller", subjects=("CN=client",), repair="bare-uuid")
KEYRING = Keyring([b"s" * 32], b"m" * 32)
SAMPLES = Path(__file__).parent / "samples"
RECEIVED_AT = "2026-11-20T18:00:00.000Z"


def sample(name: str) -> bytes:
    """Return a bundled sample as bytes."""
    return (SAMPLES / name).read_bytes()


def read_body(body: bytes, source: Source) -> Message:
    """Read a body that holds one alert."""
    document, repaired = read_document(body, source)
    read = ethoca.read_message if source.format == "ethoca" else reseller.read_message
    return read(document, source, repaired, KEYRING)


def read_ethoca(fields: dict[str, Any], source: Source = ETHOCA) -> Message:
    """Read an Ethoca alert of these fields, with an id if they have none."""
    return read_body(json.dumps({"alertId": "A4IM9K2MIYL9F2BPF9TWUIXTU"} | fields).encode(), source)


def read_reseller(payload: dict[str, Any], source: Source = RESELLER, **envelope: object) -> Message:
    """Read a reseller's alert of this payload, with an id if it has none."""
    body = {"event": "alert.created", "timestamp": "2026-11-20T17:30:00Z"} | envelope
    return read_body(json.dumps(body | {"payload": {"providerId": "1MICKEYMOUSE123"} | payload}).encode(), source)


def listed(message: Message) -> dict[str, tuple[str, str]]:
    """Return the problems of a message: field -> (value, why)."""
    return {problem.field: (problem.value, problem.why) for problem in message.problems}


def alert_of(message: Message, **attributes: Any) -> Alert:  # noqa: ANN401 - any attribute of an alert
    """Return the alert that a first message makes."""
    alert = Alert(
        id="019aa000-0000-7000-8000-000000000001",
        network=message.network,
        provider_alert_id=message.provider_alert_id,
        source=message.source,
        kind=message.kind or "other",
        status=message.status or "open",
        received_at=RECEIVED_AT,
        facts=message.facts,
    )
    for name, value in attributes.items():
        setattr(alert, name, value)
    return alert
