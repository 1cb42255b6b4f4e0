"""The terms of a subscription: everything about it that an operator sets, except its credentials."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from console.paging import parse_uuid
from schemas.downstream.events import DEFAULT_EVENTS, check_events
from schemas.downstream.filters import EVERYTHING, Filters, check_kinds
from schemas.downstream.payload_keys import check_leave_out
from schemas.downstream.subscription import Credentials, check_url, generate_secret

MAX_NAME = 100
LEAST_RATE = 1 / 86_400  # one a day; a far smaller one would be due beyond the end of PostgreSQL's time
MAX_RATE = 10_000.0
MAX_CONCURRENCY = 256
MAX_TIMEOUT = 120.0


class Terms(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a subscription is to be. The fields are columns of `subscriptions`.

    filters        which alerts its events may be about
    format         of the body; there is one
    leave_out      names of what is left out of the body (schemas.downstream.forwarded.check_leave_out)
    personal_data  whether `descriptorContact` goes out
    rate_limit     deliveries a second, LEAST_RATE at least; None: no limit
    concurrency    deliveries at once; None: forwarding.subscription_concurrency
    timeout        seconds for one delivery; None: forwarding.timeout
    """

    name: str
    url: str
    events: tuple[str, ...] = DEFAULT_EVENTS
    description: str = ""
    filters: Filters = EVERYTHING
    format: Literal["reseller"] = "reseller"
    leave_out: tuple[str, ...] = ()
    personal_data: bool = False
    rate_limit: float | None = None
    concurrency: int | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, while somebody is there to mend it."""
        if not 1 <= len(self.name) <= MAX_NAME or not self.name.isprintable() or parse_uuid(self.name):
            raise ValueError(f"name: 1 to {MAX_NAME} printable characters, and not the form of an id")
        if len(self.description) > 1000 or "\0" in self.description:
            raise ValueError("description: at most 1000 characters")
        check_url(self.url)
        check_events(self.events)
        check_kinds(self.filters.kinds)
        check_leave_out(self.leave_out)
        if self.rate_limit is not None and not LEAST_RATE <= self.rate_limit <= MAX_RATE:
            raise ValueError(f"rate_limit: at least one a day ({LEAST_RATE:.3g}) and at most {MAX_RATE:g}")
        for name, most in (("concurrency", MAX_CONCURRENCY), ("timeout", MAX_TIMEOUT)):
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise ValueError(f"{name}: more than 0 and at most {most:g}")

    def to_row(self) -> dict[str, Any]:
        """Return the columns."""
        row = {name: getattr(self, name) for name in self.__struct_fields__}
        return row | {
            "events": list(check_events(self.events)),
            "leave_out": list(check_leave_out(self.leave_out)),
            "filters": msgspec.json.encode(self.filters).decode(),
        }


class Basic(Struct, frozen=True, forbid_unknown_fields=True):
    """User and password of HTTP Basic."""

    user: str
    password: str


class Proof(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How deliveries authenticate themselves, besides their signature."""

    basic: Basic | None = None
    headers: dict[str, str] = {}  # msgspec copies it for each instance

    def credentials(self) -> Credentials:
        """Return credentials with a new signing secret. Raises ValueError, without quoting a secret."""
        basic = None if self.basic is None else (self.basic.user, self.basic.password)
        return Credentials(secret=generate_secret(), basic=basic, headers=self.headers)


PROOF_FIELDS = frozenset(Proof.__struct_fields__)
TERMS_FIELDS = Terms.__struct_fields__


def read_terms(document: dict[str, Any]) -> Terms:
    """Read terms. Raises ValueError that says what is wrong."""
    return msgspec.convert(document, Terms)


def read_proof(document: dict[str, Any]) -> Proof:
    """Read what deliveries authenticate themselves with. Raises ValueError that quotes no value."""
    return msgspec.convert(document, Proof)
