"""Alternative names of a certificate (RFC 5280, 4.2.1.6), and the same as somebody wrote them into the configuration.

Each kind is compared as its standard says: a DNS name without regard to letter case; an IP address as a number; of an
e-mail address the host, of a URI scheme and host without regard to letter case, and the rest exactly (RFC 5280, 7).
"""

import re
from contextlib import suppress
from ipaddress import ip_address

from cryptography import x509

# What kind of name, and the name in the one spelling that is compared.
AlternativeName = tuple[str, str]

_DNS = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@=,]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
# With its own scheme and `//`, or a URN: anything else with a colon might be a host and its port.
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^\s/?#]+)(?P<rest>\S*)|urn:\S+", re.IGNORECASE)


def read_alternative_name(text: str) -> AlternativeName | None:
    """Read a name as people write it, such as ``spiffe://a/b`` or ``192.0.2.1``. None when it is none of these."""
    with suppress(ValueError):
        return "ip", str(ip_address(text))
    if _URI.fullmatch(text):
        return "uri", fold_uri(text)
    if _EMAIL.fullmatch(text):
        return "email", fold_email(text)
    if _DNS.fullmatch(text):
        return "dns", text.lower()
    return None


def alternative_names(certificate: x509.Certificate) -> frozenset[AlternativeName]:
    """Return those names of a certificate that can be pinned."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(
        [
            *(("dns", name.lower()) for name in names.get_values_for_type(x509.DNSName)),
            *(("ip", str(address)) for address in names.get_values_for_type(x509.IPAddress)),
            *(("email", fold_email(address)) for address in names.get_values_for_type(x509.RFC822Name)),
            *(("uri", fold_uri(uri)) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)),
        ]
    )


def fold_email(address: str) -> str:
    """Fold the letter case of an e-mail address's host."""
    local, at, host = address.rpartition("@")
    return f"{local}{at}{host.lower()}"


def fold_uri(uri: str) -> str:
    """Fold the letter case of a URI's scheme and host."""
    found = _URI.fullmatch(uri)
    if found is None or found["scheme"] is None:
        scheme, colon, rest = uri.partition(":")
        return f"{scheme.lower()}{colon}{rest}"
    user, at, host = found["host"].rpartition("@")
    return f"{found['scheme'].lower()}://{user}{at}{host.lower()}{found['rest']}"
