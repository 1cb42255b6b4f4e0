"""A subscription: the URL of a downstream service, and the sealed credentials by which deliveries reach it.

The console writes it, the workers read it; the shape of the column `subscriptions.sealed` stands here and nowhere else.
"""

import base64
import binascii
import secrets
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from schemas.keyring import Keyring, Tampered

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix of Standard Webhooks, no secret
SECRET_BYTES = 32
MAX_RETIRING = 3

# The characters of a header's name (RFC 9110, 5.6.2), and the headers that a delivery sets itself.
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "transfer-encoding", "connection"})


class Retiring(Struct, frozen=True, forbid_unknown_fields=True):
    """A signing secret that has been replaced and still signs beside its successor, `until` (seconds of the epoch)."""

    secret: str
    until: float


class Credentials(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How a delivery proves where it comes from.

    secret    Standard Webhooks signing secret, ``whsec_`` and the base64 of 24 to 64 bytes: every delivery is signed
    basic     (user, password) of HTTP Basic, or None
    headers   custom headers, such as ``X-API-Key``
    retiring  earlier secrets whose overlap has not ended, the latest first
    """

    secret: str
    basic: tuple[str, str] | None = None
    headers: dict[str, str] = {}  # msgspec copies it for each instance
    retiring: tuple[Retiring, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could only fail at the first delivery. Never quotes a secret."""
        check_secret(self.secret)
        if self.basic is not None and (":" in self.basic[0] or not printable("".join(self.basic))):
            raise ValueError("basic: a user name holds no colon, and neither part a control character")
        for name, value in self.headers.items():
            check_header(name, value)
            if self.basic is not None and name.lower() == "authorization":
                raise ValueError("headers: Authorization is what basic sets; give one of them")
        for former in self.retiring:
            check_secret(former.secret)

    def signing_secrets(self, now: float) -> list[str]:
        """Return the secrets that sign at the moment `now` (seconds of the epoch), the present one first."""
        return [self.secret, *(former.secret for former in self.retiring if former.until > now)]


def seal_credentials(credentials: Credentials, subscription_id: str, keyring: Keyring) -> bytes:
    """Return the column `sealed` of the subscription with that id (a UUID as text, with dashes)."""
    return keyring.seal(msgspec.json.encode(credentials), subscription_binding(subscription_id))


def unseal_credentials(sealed: bytes, subscription_id: str, keyring: Keyring) -> Credentials:
    """Open the column `sealed`. Raises UnknownKey, or Tampered when it is not what `seal_credentials` made."""
    plain = keyring.unseal(bytes(sealed), subscription_binding(subscription_id))
    try:
        return msgspec.json.decode(plain, type=Credentials)
    except msgspec.DecodeError as error:
        # Without the cause: it could quote what was sealed.
        raise Tampered("the sealed content is no credentials: " + type(error).__name__) from None


def rotate_secret(credentials: Credentials, secret: str, overlap: float, now: float) -> Credentials:
    """Return the credentials with a new secret; the present one goes on signing for `overlap` seconds from `now`.

    `now`, seconds of the epoch, is the database's time, by which deliveries are signed.
    Raises ValueError when more secrets would sign than a receiver should have to try.
    """
    former = [Retiring(credentials.secret, now + overlap)] if overlap > 0 else []
    former += [one for one in credentials.retiring if one.until > now and overlap > 0]
    if len(former) > MAX_RETIRING:
        raise ValueError(f"{MAX_RETIRING} former secrets still sign; wait until the overlap of one ends, or give none")
    return msgspec.structs.replace(credentials, secret=secret, retiring=tuple(former))


def subscription_binding(subscription_id: str) -> bytes:
    """What sealed credentials are bound to: they open only as those of their own subscription."""
    return b"subscription " + subscription_id.encode()


def rejection_binding(rejection_id: str) -> bytes:
    """What the sealed body of a rejection is bound to. `rejection_id` is a UUID as text, with dashes."""
    return b"rejection " + rejection_id.encode()


def generate_secret() -> str:
    """Return a new signing secret."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_secret(secret: str) -> None:
    """Raise ValueError unless `secret` is a symmetric signing secret of Standard Webhooks."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"secret: {SECRET_PREFIX} and 24 to 64 bytes in base64")


def check_header(name: str, value: str) -> None:
    """Raise ValueError unless a delivery can carry this header. Never quotes its value."""
    if not name or not set(name) <= _TOKEN:
        raise ValueError(f"header {name!r}: not a header name")
    if name.lower() in _OWN_HEADERS or name.lower().startswith("webhook-"):
        raise ValueError(f"header {name}: set by the delivery itself")
    if not value or value != value.strip() or not printable(value) or not _latin(value):
        raise ValueError(f"header {name}: the value is empty, or holds what a header cannot carry")


def check_url(url: str) -> str:
    """Return the URL of a downstream service. Raises ValueError unless it is http or https with a host and no user."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("url: not a URL") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or not printable(url) or " " in url:
        raise ValueError("url: http:// or https:// with a host is needed")
    if parts.username is not None or parts.fragment:
        raise ValueError("url: credentials and #fragments do not belong into it")
    return url


def printable(text: str) -> bool:
    """Say whether the text is free of control characters."""
    return all(character >= " " and character != "\x7f" for character in text)


def _latin(text: str) -> bool:
    return all(character <= "\xff" for character in text)
