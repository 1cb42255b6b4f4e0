"""The header of a push: HTTP Basic or a key in a header of its own, any one of those configured for the source."""

import base64
import binascii
import hashlib
import hmac

from ingress.identity.certificate import Environment
from schemas.settings.sources import Basic, Credential, Source

REALM = "alert-intake"


class Credentials:
    """The configured credentials of one source. None configured: the certificate alone decides."""

    def __init__(self, source: Source) -> None:
        self._expected = tuple(
            (header_key(credential), isinstance(credential, Basic), digest(reveal_credential(credential, source)))
            for credential in source.credentials
        )
        schemes = ['Basic realm="%s", charset="UTF-8"'] if any(basic for _, basic, _ in self._expected) else []
        self.challenge = ", ".join(schemes or ['ApiKey realm="%s"']) % REALM

    def admit(self, environment: Environment) -> bool:
        """Say whether a request carries any of the credentials. Takes the same time whichever of them fits, or none."""
        admitted = not self._expected
        for key, basic, expected in self._expected:
            presented = str(environment.get(key, "")).encode("latin-1", "replace")
            admitted |= hmac.compare_digest(digest(read_basic(presented) if basic else presented), expected)
        return admitted


class Withdrawn(Credentials):
    """What became of credentials whose source is gone: nothing fits any more, and the challenge is the same."""

    def __init__(self, former: Credentials) -> None:
        self.challenge = former.challenge

    def admit(self, _environment: Environment) -> bool:
        """Say no."""
        return False


def header_key(credential: Credential) -> str:
    """Return the name under which WSGI keeps the credential's header."""
    if isinstance(credential, Basic):
        return "HTTP_AUTHORIZATION"
    name = credential.name.upper().replace("-", "_")
    return name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"


def reveal_credential(credential: Credential, source: Source) -> bytes:
    """Read the secret of a credential and return what a request must carry. Raises ConfigurationError."""
    if isinstance(credential, Basic):
        return f"{credential.user}:{credential.password.reveal(f'source {source.name}: password')}".encode()
    return credential.value.reveal(f"source {source.name}: {credential.name}").encode()


def read_basic(header: bytes) -> bytes:
    """Return ``user:password`` of an ``Authorization: Basic`` header, empty when it is none (RFC 7617)."""
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return b""


def digest(text: bytes) -> bytes:
    """Bring texts of any length to one length, so that comparing them tells nothing about it."""
    return hashlib.sha256(text).digest()
