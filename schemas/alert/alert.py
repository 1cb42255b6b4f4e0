"""The canonical alert: one set of names for what Ethoca and the resellers call by many names.

Two shapes. A `Message` is what one push says of one alert. An `Alert` is what all messages together have made of it: a
row of the table `alerts`, whose columns are its attributes; facts that have no column of their own are in `details`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID

from schemas.alert.problem import Problem
from schemas.alert.times import iso_time

# Facts are canonical field name -> text. Money is a plain decimal ("125.40"), a time is UTC ISO 8601 with milliseconds
# ("2026-11-20T17:11:05.000Z"), an id keeps every digit. A fact that is unknown is absent, never null or empty.
Facts = dict[str, str]

# Facts that are columns of `alerts`. `status` is kept apart: it is no fact of the network's but a state.
COLUMNS = (
    "issuer", "card_bin", "card_last4", "card_token", "amount", "currency", "transaction_at", "transaction_id",
    "transaction_type", "arn", "auth_code", "merchant_id", "merchant_name", "merchant_descriptor", "merchant_order_id",
    "mcc", "alerted_at",
)  # fmt: skip

# Facts that are kept in `details`. `type` is the sender's own word for the kind.
DETAILS = (
    "type", "status_code", "enrollment_id", "company_id", "card_expiration_date", "acquirer_bin", "rule_type",
    "rule_name", "installment_number", "pricing_tier", "ethoca_merchant_id", "member_id", "partner_id", "partner_name",
    "client_name", "caid", "initiated_by", "is_3d_secure", "alert_source", "reason_code", "chargeback_amount",
    "chargeback_currency", "payment_type", "outcome",
)  # fmt: skip

FACTS = (*COLUMNS, *DETAILS)


@dataclass(frozen=True, slots=True)
class Message:
    """What one push says of one alert.

    network            "ethoca", "verifi", ... lower case; "unknown" when the sender names none
    provider_alert_id  the network's own alert id; with `network`, the identity
    source             name of the source it came through
    own_door           it came through the network's own door, not through a reseller
    kind               "confirmed_fraud", "customer_dispute" or "other"; None when the message does not say
    event              "alert.created" or "alert.resolved" where the format has events
    sent_at            `updatedAt`, else the envelope's `timestamp`, as ISO text; None: only its receipt orders it
    status             lower case ("open", "resolved", "not_found", ...); None when the message carries none
    facts              every other field it carries
    """

    network: str
    provider_alert_id: str
    source: str
    own_door: bool
    kind: str | None
    event: str | None
    sent_at: str | None
    status: str | None
    facts: Facts
    problems: tuple[Problem, ...] = ()
    repaired: bool = False


@dataclass(slots=True)
class Alert:
    """What is known of one alert: the attributes and `facts` are columns of the table `alerts`; times are ISO text."""

    id: str
    network: str
    provider_alert_id: str
    source: str
    kind: str
    status: str
    received_at: str
    revision: int = 1
    duplicates: int = 0
    repaired: bool = False
    facts: Facts = field(default_factory=dict)
    card_network: str | None = None
    respond_by: str | None = None
    related: list[str] = field(default_factory=list)
    enrichment: dict[str, Any] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    standing: dict[str, Any] = field(default_factory=dict)

    def snapshot(self) -> "Alert":
        """Return the alert as it stands now, for those who are told of it: without the marks that decide its future."""
        return replace(
            self,
            facts=dict(self.facts),
            related=list(self.related),
            enrichment=dict(self.enrichment),
            problems=list(self.problems),
            seen=[],
            standing={},
        )

    def to_told_row(self) -> dict[str, Any]:
        """Return the same columns for those who are told of the alert: without the marks that decide its future."""
        return self.to_row() | {"seen": [], "standing": {}}

    def to_row(self) -> dict[str, Any]:
        """Return the columns of the table `alerts`, ready for JSON. Unknown facts are absent, as in `facts`."""
        row = dict(zip(ROW_ATTRIBUTES, _row_attributes(self), strict=True))
        row["details"] = details = {}
        for name, value in self.facts.items():
            if name in _COLUMNS:
                row[name] = value
            elif name in _DETAILS:
                details[name] = value
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Alert":
        """Read a row of `alerts`, be it as psycopg returns it or as `to_row` made it (the snapshot of an event)."""
        facts = {name: str(plain(row[name])) for name in COLUMNS if row.get(name) is not None}
        return cls(facts=facts | row["details"], **{name: plain(row[name]) for name in ROW_ATTRIBUTES})


def plain(value: Any) -> Any:  # noqa: ANN401 - a column is of any type
    """Turn what psycopg returns into what JSON can say: times to UTC ISO 8601, decimals and ids to text."""
    match value:
        case datetime():
            return iso_time(value)
        case Decimal():
            return format(value, "f")
        case UUID():
            return str(value)
        case list():
            return [plain(item) for item in value]
        case _:
            return value


ROW_ATTRIBUTES = (
    "id", "network", "provider_alert_id", "source", "kind", "status", "received_at", "revision", "duplicates",
    "repaired", "card_network", "respond_by", "related", "enrichment", "problems", "seen", "standing",
)  # fmt: skip
_row_attributes = attrgetter(*ROW_ATTRIBUTES)
_COLUMNS = frozenset(COLUMNS)
_DETAILS = frozenset(DETAILS)
