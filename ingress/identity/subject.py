"""Compare the subject of a certificate with the name that somebody wrote into the configuration.

People copy subjects out of `openssl`, browsers, Windows and letters, each with its own order, spacing and short names
(RFC 4514, RFC 2253, OpenSSL's one-line form). So names are compared as what they are: a set of attributes, as X.520's
caseIgnoreMatch does it, in whatever order.
"""

import re

from cryptography import x509
from cryptography.x509.oid import NameOID

Attributes = tuple[tuple[str, str], ...]

# Short names of attribute types (RFC 4514, section 3, OpenSSL's and Windows' own), lower case, to dotted numbers.
TYPES = {
    "cn": NameOID.COMMON_NAME.dotted_string,
    "commonname": NameOID.COMMON_NAME.dotted_string,
    "l": NameOID.LOCALITY_NAME.dotted_string,
    "st": NameOID.STATE_OR_PROVINCE_NAME.dotted_string,
    "s": NameOID.STATE_OR_PROVINCE_NAME.dotted_string,
    "o": NameOID.ORGANIZATION_NAME.dotted_string,
    "ou": NameOID.ORGANIZATIONAL_UNIT_NAME.dotted_string,
    "c": NameOID.COUNTRY_NAME.dotted_string,
    "street": NameOID.STREET_ADDRESS.dotted_string,
    "dc": NameOID.DOMAIN_COMPONENT.dotted_string,
    "uid": NameOID.USER_ID.dotted_string,
    "e": NameOID.EMAIL_ADDRESS.dotted_string,
    "email": NameOID.EMAIL_ADDRESS.dotted_string,
    "emailaddress": NameOID.EMAIL_ADDRESS.dotted_string,
    "serialnumber": NameOID.SERIAL_NUMBER.dotted_string,
    "organizationidentifier": NameOID.ORGANIZATION_IDENTIFIER.dotted_string,
    "businesscategory": NameOID.BUSINESS_CATEGORY.dotted_string,
}
COMMON_NAME = NameOID.COMMON_NAME.dotted_string

_DOTTED = re.compile(r"(?:oid\.)?(\d+(?:\.\d+)+)", re.IGNORECASE)
_PIECE = re.compile(r'\\([0-9a-fA-F]{2})|\\(.)|"((?:[^"\\]|\\.)*)"|([^\\"])', re.DOTALL)


def read_name(text: str) -> Attributes:
    """Read a subject as people write it. Raises ValueError when it is no distinguished name.

    Accepted: ``CN=a, O=b``, ``CN=a,O=b``, ``CN = a, O = "b, c"``, ``CN=a+OU=d``, ``/C=US/CN=a``, in any order.
    """
    slashed = text.startswith("/")
    parts = split_unescaped(text[1:] if slashed else text, "/" if slashed else ",;+")
    return tuple(sorted(read_attribute(part) for part in parts))


def read_attribute(part: str) -> tuple[str, str]:
    """Read one ``type=value``."""
    kind, equals, value = part.partition("=")
    kind = kind.strip().lower()
    dotted = _DOTTED.fullmatch(kind)
    number = dotted[1] if dotted else TYPES.get(kind)
    if not equals or number is None:
        raise ValueError(f"{part.strip()!r} is not an attribute such as CN=...")
    value = fold_value(unescape(value.strip()))
    if not value:
        raise ValueError(f"the attribute {kind.upper()} has no value")
    return number, value


def split_unescaped(text: str, separators: str) -> list[str]:
    """Split at separators that are neither escaped nor in quotes."""
    parts, quoted, escaped = [""], False, False
    for character in text:
        if not escaped and character == '"':
            quoted = not quoted
        if character in separators and not quoted and not escaped:
            parts.append("")
        else:
            parts[-1] += character
        escaped = character == "\\" and not escaped
    return parts


def unescape(value: str) -> str:
    r"""Undo the escapes of RFC 4514 (``\,`` and ``\2C``) and the quotes of RFC 2253."""
    out = bytearray()
    for match in _PIECE.finditer(value):
        pair, special, quoted, plain = match.groups()
        if pair is not None:
            out += bytes.fromhex(pair)
        elif quoted is not None:
            out += unescape(quoted).encode()
        else:
            out += (special or plain).encode()
    return out.decode("utf-8", "replace")


def fold_value(value: str) -> str:
    """Fold letter case and white space, which do not tell two names apart (X.520, caseIgnoreMatch)."""
    return " ".join(value.split()).casefold()


def attributes_of(name: x509.Name) -> Attributes:
    """Return the attributes of a certificate's name, folded and sorted like those of `read_name`."""
    return tuple(
        sorted(
            (attribute.oid.dotted_string, fold_value(attribute.value))
            for attribute in name
            if isinstance(attribute.value, str)
        )
    )


def same_name(wanted: Attributes, subject: Attributes) -> bool:
    """Say whether `subject` is the wanted name: all of it, or its one common name when only that is wanted."""
    if len(wanted) == 1 and wanted[0][0] == COMMON_NAME:
        return tuple(attribute for attribute in subject if attribute[0] == COMMON_NAME) == wanted
    return subject == wanted
