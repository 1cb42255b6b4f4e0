"""A source is a configured sender: its path, its format, who may speak for it, and how it is answered."""

from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field

from schemas.settings.door import Rate
from schemas.settings.secret import Secret

Format = Literal["ethoca", "reseller"]


class Basic(Struct, frozen=True, forbid_unknown_fields=True, tag_field="scheme", tag="basic"):
    """HTTP Basic (RFC 7617): user name in the configuration, password elsewhere."""

    user: str
    password: Secret


class Header(Struct, frozen=True, forbid_unknown_fields=True, tag_field="scheme", tag="header"):
    """A custom header that carries a key, such as ``X-API-Key``."""

    name: str
    value: Secret


Credential = Basic | Header


class Acknowledgement(Struct, frozen=True, forbid_unknown_fields=True):
    """How a source is told the outcome. Mastercard publishes no schema, so spelling and shape are settings.

    shape "alert": ``{"alertId": id, "status": success}`` for one alert, ``{"status": success, "alerts": [...]}`` for a
    list. shape "status": only ``{"status": success}``, for one alert as for a list.
    """

    success: str = "success"
    failed: str = "failed"
    shape: Literal["alert", "status"] = "alert"


class Source(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One configured sender.

    name            the last part of its path ``/push/<name>``, and what alerts, receipts and metrics call it
    format          which schema reads its bodies
    paths           further paths it may use, besides ``/push/<name>``
    network         the card network's alert programme whose own door this is; None for a reseller that names it itself
    certificate     "required" (the default: fails closed) or "optional", when the sender's contract knows none
    subjects        accepted client certificate subjects: an RFC 4514 name, "CN=..." alone, or an alternative name: DNS,
                    URI, e-mail or IP address
    fingerprints    accepted SHA-256 fingerprints of client certificates, as hex, colons allowed
    credentials     any one of them opens the door; several at once allow rotation; none: the certificate alone
    time_zone       the zone of times that carry none (the member's own zone, Ethoca field vocabulary)
    response_hours  how long the merchant has to respond, counted from the alert time
    pushes_per_second  from there on pushes are refused (429), on the average of ten seconds; None: no limit
    repair          "bare-uuid": quote an unquoted UUID value, tried only after strict parsing has failed
    """

    name: str
    format: Format
    paths: tuple[str, ...] = ()
    network: str | None = None
    certificate: Literal["required", "optional"] = "required"
    subjects: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    acknowledgement: Acknowledgement = field(default_factory=Acknowledgement)
    time_zone: str = "UTC"
    response_hours: float = 24.0
    repair: Literal["none", "bare-uuid"] = "none"
    pushes_per_second: Rate | None = None

    def __post_init__(self) -> None:
        """Refuse what could only fail later, at the first push."""
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum() or not self.name.isascii():
            raise ValueError(f"source name {self.name!r}: letters, digits, - and _ only")
        if any(not path.startswith("/") for path in self.paths):
            raise ValueError(f"source {self.name}: a path starts with /")
        if self.certificate == "optional" and not self.credentials:
            raise ValueError(f"source {self.name}: without a certificate at least one credential is needed")
        if self.certificate == "required" and not (self.subjects or self.fingerprints):
            raise ValueError(
                f"source {self.name}: pin the certificate by subjects or fingerprints; "
                "a public CA would otherwise let in everyone it ever certified"
            )
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"source {self.name}: unknown time zone {self.time_zone!r}") from error
        if self.response_hours <= 0:
            raise ValueError(f"source {self.name}: response_hours must be positive")

    @property
    def every_path(self) -> tuple[str, ...]:
        """All request paths of this source, its standard one first."""
        return (f"/push/{self.name}", *self.paths)
