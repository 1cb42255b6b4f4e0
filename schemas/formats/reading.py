"""Read the fields of one alert by schema: what both formats share.

The order matters for card numbers: the number is turned into BIN, last four and token first, and what any other field
holds that looks like one is masked before anything leaves this module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from schemas.alert import vocabulary
from schemas.alert.alert import Facts
from schemas.alert.cards import SHORTEST, mask_cards
from schemas.alert.problem import Problem, show_value
from schemas.formats.alert_schema import readers_of
from schemas.formats.fields import Kept
from schemas.formats.gathering import gather_facts
from schemas.keyring import Keyring

# Not text: what looks like a card number in one of these is no value that could be kept masked.
_UNMASKABLE = frozenset({"amount", "chargeback_amount"})
# Written by `normalize_time`, which no card number passes.
_TIMES = frozenset({"timestamp", "updated_at", "transaction_at", "alerted_at"})


@dataclass(slots=True)
class Reading:
    """What could be read. The parts that are no facts of the alert stand apart; so do those that could not be read."""

    facts: Facts
    problems: list[Problem]
    event: str | None
    timestamp: str | None
    updated_at: str | None
    provider: str | None
    status: str | None
    kind: str | None


def read_fields(fields: Mapping[str, Any], time_zone: str, keyring: Keyring) -> Reading:
    """Read the fields of one alert, as `document.parse_json` parsed them. Never raises for what JSON can hold.

    `time_zone` is the zone of times that carry none.
    """
    problems: list[Problem] = []
    sent = gather_facts(fields, problems)
    facts = load_facts(sent, readers_of(time_zone), problems)
    number = facts.pop("card_number", None)
    if number is not None:
        describe_card(facts, number)
    mask_facts(facts, problems)
    if number is not None and "*" not in number:
        # After the masking: a token is digits and letters by chance, and no card number.
        facts["card_token"] = keyring.card_token(number).hex()
    reading = Reading(
        facts,
        problems,
        facts.pop("event", None),
        facts.pop("timestamp", None),
        facts.pop("updated_at", None),
        facts.pop("provider", None),
        facts.pop("status", None),
        None,
    )
    word = facts.get("type")
    if word is not None:
        reading.kind = vocabulary.kind_of(word)
        if reading.kind is None:
            reading.kind = "other"
            problems.append(Problem("type", show_value(word), "not a known type"))
    return reading


def load_facts(
    sent: Mapping[str, Any], readers: Mapping[str, Callable[[object], str]], problems: list[Problem]
) -> Facts:
    """Read what was sent. What cannot be read is listed, and absent unless it could be kept with a reservation."""
    facts: Facts = {}
    for name, value in sent.items():
        try:
            facts[name] = readers[name](value)
        except ValidationError as error:
            problems.append(Problem(name, show_value(value, name), str(error.messages[0])))
            if isinstance(error, Kept):
                facts[name] = error.value
    return facts


def describe_card(facts: Facts, number: str) -> None:
    """Take BIN and last four from a card number, as `CardNumber` reads it, where the message itself names none."""
    begin, masked, end = number.partition("*")
    if len(begin) >= 6:
        facts.setdefault("card_bin", begin[:6])
    if len(end if masked else begin) >= 4:
        facts.setdefault("card_last4", (end if masked else begin)[-4:])


def mask_facts(facts: Facts, problems: list[Problem]) -> None:
    """Mask card numbers in every fact, and list where one stood."""
    for name, value in list(facts.items()):
        if len(value) < SHORTEST or name in _TIMES:
            continue
        masked = mask_cards(value)
        if masked != value:
            problems.append(Problem(name, show_value(masked), "looked like a card number"))
            if name in _UNMASKABLE:
                del facts[name]
            else:
                facts[name] = masked
