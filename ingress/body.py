"""The body of a push: of the right type, whole, within its limit and its time, unpacked when that is allowed."""

import zlib
from typing import IO

import gevent
from gunicorn.http.errors import ParseException

from ingress.acknowledge import Fault, Refused
from ingress.identity.certificate import Environment
from schemas.listener.reading import WholeBody
from schemas.settings.door import Door

BODY_SECONDS = 20.0  # Ethoca gives up on an answer after 30 (docs/contracts.md, 1)
GZIP = 16 + zlib.MAX_WBITS


def receive_body(environment: Environment, door: Door) -> bytes:
    """Read the JSON text of a push. Raises Refused: 415, 413, 408 or 400."""
    require_json(environment)
    coding = str(environment.get("HTTP_CONTENT_ENCODING", "")).strip().lower()
    packed = coding in {"gzip", "x-gzip"} and door.compressed_bodies
    if not packed and coding not in {"", "identity"}:
        raise Refused(415, Fault("UNSUPPORTED_MEDIA_TYPE", "an encoded (compressed) body is not accepted"))
    body = read_body(environment, door.max_body)
    return unpack(body, door.max_body) if packed else body


def require_json(environment: Environment) -> None:
    """Refuse (415) what does not say it is JSON."""
    kind = str(environment.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.count("/") == 1 and kind.endswith("+json")):
        raise Refused(415, Fault("UNSUPPORTED_MEDIA_TYPE", "the content type must be application/json"))


def read_body(environment: Environment, limit: int) -> bytes:
    """Read the whole body. Refuses one of more than `limit` bytes (413) before reading it all, and a cut one (400)."""
    declared = int(environment.get("CONTENT_LENGTH") or 0)
    body = b""
    if declared <= limit:
        stream = environment["wsgi.input"]
        try:
            body = stream.read(limit + 1) if isinstance(stream, WholeBody) else read_in_time(stream, limit + 1)
        except TimeoutError as error:
            raise Refused(408, Fault("REQUEST_TIMEOUT", "the body did not arrive in time", recoverable=True)) from error
        except (OSError, ParseException) as error:
            raise Refused(400, Fault("INCOMPLETE_BODY", "the body is cut or badly framed", recoverable=True)) from error
    if max(declared, len(body)) > limit:
        raise too_large(limit)
    if len(body) < declared:
        raise Refused(400, Fault("INCOMPLETE_BODY", "the body is shorter than its Content-Length", recoverable=True))
    return body


def read_in_time(stream: IO[bytes], most: int) -> bytes:
    """Read up to so many bytes, for as long as a sender would wait. Raises TimeoutError."""
    with gevent.Timeout(BODY_SECONDS, TimeoutError):
        return stream.read(most)


def unpack(body: bytes, limit: int) -> bytes:
    """Unpack a gzip body. Refuses one that unpacks to more than `limit` bytes (413) before unpacking it all."""
    unpacker = zlib.decompressobj(GZIP)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, Fault("INCOMPLETE_BODY", "the body is not gzip")) from error
    if len(unpacked) > limit:
        raise too_large(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise Refused(400, Fault("INCOMPLETE_BODY", "the body is not one whole gzip stream", recoverable=True))
    return unpacked


def too_large(limit: int) -> Refused:
    """Word the refusal of a body over the limit."""
    return Refused(413, Fault("PAYLOAD_TOO_LARGE", f"the body is larger than {limit} bytes"))
