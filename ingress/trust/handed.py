"""How each kind of proxy hands a client certificate over: the headers it writes, and how to read them.

Reading is strict: exactly one certificate, nothing around it. A header that came twice arrives here joined by a comma,
so a forged one beside the proxy's own makes the whole unreadable, and what cannot be read is not believed.
"""

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from cryptography import x509

MAX_INTERMEDIATES = 8

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s+[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")
_BYTES = re.compile(r"[ \t]*:([A-Za-z0-9+/]+={0,2}):[ \t]*")


@dataclass(frozen=True, slots=True)
class Handed:
    """What a proxy says it was shown. None of it is verified yet."""

    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of proxy. `certificate`, `chain` and `address` are headers as WSGI names them.

    read(certificate, chain) raises one of identity.MALFORMED when it is not exactly what this proxy writes.
    """

    certificate: str
    address: str
    read: Callable[[str, str], Handed]
    chain: str = ""


def read_escaped_pem(text: str, _chain: str = "") -> Handed:
    """Read one URL-escaped PEM certificate, as nginx (`$ssl_client_escaped_cert`) and AWS write it."""
    pem = unquote_to_bytes(text)
    if not _PEM.fullmatch(pem):
        raise ValueError("not one certificate in PEM")
    return Handed(x509.load_pem_x509_certificate(pem))


def read_structured(text: str, chain: str = "") -> Handed:
    """Read `Client-Cert` and `Client-Cert-Chain`: byte sequences of structured fields, DER inside (RFC 9440, 2)."""
    intermediates = chain.split(",") if chain.strip() else []
    if len(intermediates) > MAX_INTERMEDIATES:
        raise ValueError("too long a chain")
    return Handed(read_der(text), tuple(read_der(item) for item in intermediates))


def read_der(text: str) -> x509.Certificate:
    """Read one byte sequence (RFC 9651, 3.3.5) that holds a certificate. Parameters are not expected."""
    found = _BYTES.fullmatch(text)
    if found is None:
        raise ValueError("not a byte sequence")
    return x509.load_der_x509_certificate(binascii.a2b_base64(found[1], strict_mode=True))


WAYS = {
    "nginx": Way("HTTP_X_CLIENT_CERT", "HTTP_X_CLIENT_ADDRESS", read_escaped_pem),
    "rfc9440": Way("HTTP_CLIENT_CERT", "HTTP_X_FORWARDED_FOR", read_structured, "HTTP_CLIENT_CERT_CHAIN"),
    # In verify mode only. `X-Amzn-Mtls-Clientcert`, without -Leaf, is the passthrough mode's: nobody verified it.
    "alb": Way("HTTP_X_AMZN_MTLS_CLIENTCERT_LEAF", "HTTP_X_FORWARDED_FOR", read_escaped_pem),
}
