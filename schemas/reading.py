"""Read the fields of one alert by schema: what both formats share.

The order matters for card numbers: the number is turned into BIN, last four and token first, and what any other field
holds that looks like one is masked before anything leaves this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import EXCLUDE, Schema, ValidationError

from schemas import vocabulary
from schemas.alert import Facts, Problem
from schemas.cards import SHORTEST, mask_cards
from schemas.fields import INDEXED_LIMIT, CardNumber, Currency, Digits, Money, Text, Time, Word
from schemas.keyring import Keyring
from schemas.vocabulary import gather_facts, show_value

# Not text: what looks like a card number in one of these is no value that could be kept masked.
_UNMASKABLE = frozenset({"amount", "chargeback_amount"})
# Written by `normalize_time`, which no card number passes.
_TIMES = frozenset({"timestamp", "updated_at", "transaction_at", "alerted_at"})


class AlertSchema(Schema):
    """The fields of an alert under their canonical names. All are optional: only the id, read before, is not."""

    class Meta:
        """A field that has no place here lives in the sealed body only."""

        unknown = EXCLUDE
        register = False

    event = Word(vocabulary.EVENTS)
    timestamp = Time()
    updated_at = Time()
    provider = Word({network: network for network in vocabulary.NETWORKS})
    status = Word(vocabulary.STATUSES)

    issuer = Text()
    card_number = CardNumber()
    card_bin = Digits(6, 8)
    card_last4 = Digits(4, 4)
    amount = Money()
    currency = Currency()
    transaction_at = Time()
    transaction_id = Text()
    transaction_type = Word(vocabulary.TRANSACTION_TYPES, lower=False)
    arn = Text()
    auth_code = Text()
    merchant_id = Text(INDEXED_LIMIT)
    merchant_name = Text()
    merchant_descriptor = Text()
    merchant_order_id = Text()
    mcc = Text()
    alerted_at = Time()

    type = Text()
    status_code = Text()
    enrollment_id = Text()
    company_id = Text()
    card_expiration_date = Text()
    acquirer_bin = Text()
    rule_type = Text()
    rule_name = Text()
    installment_number = Text()
    pricing_tier = Text()
    ethoca_merchant_id = Text()
    member_id = Text()
    partner_id = Text()
    partner_name = Text()
    client_name = Text()
    caid = Text()
    initiated_by = Word(vocabulary.INITIATORS)
    is_3d_secure = Word(vocabulary.THREE_D_SECURE)
    alert_source = Text()
    reason_code = Text()
    chargeback_amount = Money()
    chargeback_currency = Currency()
    payment_type = Text()
    outcome = Text()


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
    facts = load_facts(sent, schema_of(time_zone), problems)
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


def load_facts(sent: dict[str, Any], schema: Schema, problems: list[Problem]) -> Facts:
    """Load by schema. What marshmallow refuses is listed, and absent unless it could be kept with a reservation."""
    try:
        facts: Facts = schema.load(sent)
    except ValidationError as error:
        for field, reasons in error.messages_dict.items():
            problems.append(Problem(field, show_value(sent[field], field), str(reasons[0])))
        facts = error.valid_data if isinstance(error.valid_data, dict) else {}
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


@lru_cache(maxsize=64)
def schema_of(time_zone: str) -> AlertSchema:
    """Return the schema for times of that zone, made once: making one costs as much as reading fifty alerts."""
    schema = AlertSchema(partial=True)
    zone = ZoneInfo(time_zone)
    for field in schema.load_fields.values():
        if isinstance(field, Time):
            field.zone = zone
    return schema
