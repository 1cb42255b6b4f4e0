"""The narrow repair of a body that is almost JSON: a bare UUID as a value, as one reseller documents its webhook."""

import re

_UUID = rb"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
# Strings are matched first and kept, so a UUID inside one is never touched. One that does not end takes what is left,
# so that it is looked through once, and not again from each quote in it.
_STRING_OR_BARE_UUID = re.compile(rb'("(?:[^"\\]|\\.)*+"?)|(:\s*)(' + _UUID + rb")(?=\s*[,}])", re.DOTALL)


def quote_bare_uuids(body: bytes) -> bytes | None:
    """Return the body with every bare UUID value quoted, or None when there is none. Nothing else is changed."""
    repaired, count = _STRING_OR_BARE_UUID.subn(
        lambda match: match[1] if match[1] is not None else match[2] + b'"' + match[3] + b'"', body
    )
    return repaired if count and repaired != body else None
