"""An envelope: the raw bytes of a push and what only the door knows about them. The unit of the journal."""

import time
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from schemas.keyring import Keyring

Fields = dict[bytes, bytes]
LONGEST_SOURCE = 255  # characters that may be kept of a name that nothing vouches for


class Unreadable(Exception):
    """A journal entry that is no envelope of ours. It will never become one: end it as a rejection."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One push, as it came.

    request_id   named in the answer (``X-Request-Id``), the door's log and the receipt; unique to one push
    source       name of the configured source that sent it
    received_at  milliseconds since the epoch, by the door's clock
    body         the request body, untouched
    trace        W3C `traceparent` of the push, where it is traced
    """

    source: str
    body: bytes
    request_id: str = field(default_factory=lambda: uuid4().hex)
    received_at: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    trace: str | None = None


def binding(source: str, request_id: str) -> bytes:
    """What a sealed body is bound to: it opens only under its own source and request id."""
    return f"{source} {request_id}".encode()


def seal_envelope(envelope: Envelope, keyring: Keyring) -> Fields:
    """Turn an envelope into the fields of a journal entry, its body sealed."""
    fields = {
        b"v": b"1",
        b"s": envelope.source.encode(),
        b"r": envelope.request_id.encode(),
        b"t": b"%d" % envelope.received_at,
        b"b": keyring.seal(envelope.body, binding(envelope.source, envelope.request_id)),
    }
    if envelope.trace is not None:
        fields[b"p"] = envelope.trace.encode()
    return fields


def open_envelope(fields: Fields, keyring: Keyring) -> Envelope:
    """Turn the fields of a journal entry back into its envelope. Raises Unreadable, UnknownKey or Tampered."""
    unopened, sealed = read_outside(fields)
    return replace(unopened, body=keyring.unseal(sealed, binding(unopened.source, unopened.request_id)))


def name_tampered(fields: Fields) -> Envelope | None:
    """Return what stands on an envelope whose body does not open, without a body; None when it makes no sense either.

    Nothing vouches for it: it may be what was altered.
    """
    unopened, _sealed = read_outside(fields)
    try:
        named = UUID(unopened.request_id).hex == unopened.request_id
    except ValueError:
        named = False
    return unopened if named and unopened.source.isprintable() and len(unopened.source) <= LONGEST_SOURCE else None


def read_outside(fields: Fields) -> tuple[Envelope, bytes]:
    """Return an envelope without its body, and the sealed body. Raises Unreadable."""
    try:
        if fields[b"v"] != b"1":
            raise Unreadable(f"envelope version {fields[b'v']!r} is not known here")
        source, request_id = fields[b"s"].decode(), fields[b"r"].decode()
        received_at = int(fields[b"t"])
        sealed = fields[b"b"]
        trace = fields[b"p"].decode("ascii", "replace") if b"p" in fields else None
    except (KeyError, ValueError) as error:
        raise Unreadable("not an envelope") from error
    return Envelope(source, b"", request_id, received_at, trace), sealed
