"""The content of a message: what makes it the same as one that came before."""

import msgspec

from schemas.alert.alert import Message


def content_of(message: Message) -> bytes:
    """Return what a message says, as bytes that are equal whenever it says the same again, whatever its spelling.

    Left out is what differs on every retry and is no fact (age, hours left, times of the sending, the platform's own
    id), and zeros at the end of an amount's decimals. Their fingerprints are kept, so these bytes must never change.
    """
    facts = message.facts
    for name in ("amount", "chargeback_amount"):
        if "." in facts.get(name, ""):
            facts = facts | {name: facts[name].rstrip("0").rstrip(".")}
    return msgspec.json.encode([message.kind, message.event, message.status, facts], order="sorted")
