"""Answer: what is read of what a receiver says, and what of that goes on record."""

import re
from collections.abc import Iterable

import urllib3

from schemas.cards import mask_cards
from schemas.subscription import Credentials
from workers.delivery.sign import encode_basic

ANSWER_READ = 4096  # bytes of an answer that are read before the connection is given up
ANSWER_KEPT = 500  # characters of it that go on record
HIDDEN = "[hidden]"


def read_beginning(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read what of an answer's body is of use. Its status is known: a body that does not come does not matter.

    A connection on which more would follow is closed, as is one that broke.
    """
    content = b""
    try:
        while len(content) < ANSWER_READ:
            part = response.read1(ANSWER_READ - len(content))
            if not part:
                return content
            content += part
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        pass
    response.close()
    return content


def show_answer(content: bytes, credentials: Credentials) -> str:
    """Return the beginning of an answer for the record: printable, card numbers masked, nothing of the credentials."""
    text = "".join(
        character if character.isprintable() else " " for character in content.decode("utf-8", "replace")
    ).strip()
    secrets = sorted(filter(None, secrets_of(credentials)), key=len, reverse=True)
    if secrets:
        text = re.sub("|".join(map(re.escape, secrets)), HIDDEN, text)
    return mask_cards(text)[:ANSWER_KEPT]


def secrets_of(credentials: Credentials) -> Iterable[str]:
    """Return what a receiver could repeat of what it was sent, and must not be kept."""
    if credentials.basic is not None:
        yield encode_basic(*credentials.basic)
        yield credentials.basic[1]
    yield from credentials.headers.values()
