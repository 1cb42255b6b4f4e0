"""Answer: what of what a receiver says goes on record."""

from collections.abc import Iterable

from schemas.alert.cards import mask_cards
from schemas.downstream.subscription import SECRET_PREFIX, Credentials
from workers.delivery.hide import drop_begun, hide_values
from workers.delivery.sign import encode_basic
from workers.outgoing.transport import ANSWER_READ

ANSWER_KEPT = 500  # characters of it that go on record


def show_answer(content: bytes, credentials: Credentials) -> str:
    """Return the beginning of an answer: printable, card numbers masked, nothing of the credentials."""
    if not content:
        return ""
    text = "".join(
        character if character.isprintable() else " " for character in content.decode("utf-8", "replace")
    ).strip()
    secrets = tuple(secrets_of(credentials))
    shown = hide_values(text, secrets)
    return mask_cards(drop_begun(shown, secrets) if len(content) >= ANSWER_READ else shown)


def keep_answer(text: str, contact: str | None) -> str | None:
    """Return what of an answer goes on record, without the contact that the receiver was sent; None of an empty one."""
    return hide_values(text, (contact or "",))[:ANSWER_KEPT] if text else None


def secrets_of(credentials: Credentials) -> Iterable[str]:
    """Return what a receiver could repeat of what it was sent or signs by, and must not be kept.

    A token is quoted without the scheme before it as well, a signing secret without its prefix and its padding.
    """
    if credentials.basic is not None:
        yield encode_basic(*credentials.basic)
        yield credentials.basic[1]
    for value in credentials.headers.values():
        yield value
        yield value.partition(" ")[2].strip()
    for secret in (credentials.secret, *(former.secret for former in credentials.retiring)):
        key = secret.removeprefix(SECRET_PREFIX)
        yield from (secret, key, key.rstrip("="))
