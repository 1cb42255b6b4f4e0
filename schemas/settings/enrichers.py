"""Which enrichers run beside the built-in ones: plug-ins, and order look-ups over HTTP. See docs/enrichers.md."""

import re
from urllib.parse import urlsplit

from msgspec import Struct, field

from schemas.settings.section import Section
from schemas.settings.sources import Credential

# What `enrichment` holds already, in the row or in what goes out: an enricher's own name may be none of these.
RESERVED = frozenset({
    "amount_minor", "card_network", "duplicates", "failed", "is_3d_secure", "kind", "member_id", "merchant",
    "minor_units", "pending", "problems", "related", "repaired", "respond_by", "revision", "source",
})  # fmt: skip
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Plugin(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An installed enricher, by the name of its entry point. `enrichment` holds what it adds under that name.

    remote         it asks a server: it runs in the enrich workers, before forwarding, not inside a batch
    timeout        seconds after which a remote one counts as failed
    cache_seconds  how long the answer of a remote one is good for the same alert; 0: it is always asked
    """

    name: str
    remote: bool = False
    timeout: float = 5.0
    cache_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse a name that cannot be a key of `enrichment`."""
        check_name(self.name)
        check_times(self.name, self.timeout, self.cache_seconds)


class Lookup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An order look-up over HTTP. `enrichment` holds its answer under `name`.

    url            where to POST; https, or http when `allow_http` says so
    timeout        seconds for asking once, from the look-up of the name to the end of the answer; the look-up of the
                   name counts, but ends only when the system's resolver ends it
    cache_seconds  how long an answer is good for the same transaction; 0: it is always asked
    credential     HTTP Basic or a header; default none
    service_ca     PEM file of the CAs that certify the service; default: the public ones
    """

    name: str
    url: str
    timeout: float = 3.0
    cache_seconds: float = 60.0
    credential: Credential | None = None
    service_ca: str | None = None
    allow_http: bool = False

    def __post_init__(self) -> None:
        """Refuse what could only fail at the first alert. Does not quote the URL, which may hold a token."""
        check_name(self.name)
        check_times(self.name, self.timeout, self.cache_seconds)
        parts = urlsplit(self.url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
            raise ValueError(f"enricher {self.name}: url is https:// with a host and without a user")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError(f"enricher {self.name}: url is not https; allow_http = true allows it")


class RemoteEnrichment(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long remote enrichers are asked. Times in seconds.

    give_up_after  an alert goes out without them, and marked, after this long
    concurrency    alerts at the same time in one enrich worker
    retry_after    pause before the second attempt, doubled before each further one, 10 at most
    trip_failures  an enricher that fails so often in a row is left in peace
    trip_seconds   for so long; then one alert tries it
    """

    give_up_after: float = 30.0
    concurrency: int = 8
    retry_after: float = 0.5
    trip_failures: int = 5
    trip_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what would ask nobody, or hold alerts back for ever."""
        if not 0 < self.give_up_after <= 3600:
            raise ValueError("give_up_after: more than 0, an hour at most")
        if self.concurrency < 1 or self.trip_failures < 1 or self.retry_after <= 0 or self.trip_seconds <= 0:
            raise ValueError("concurrency, trip_failures, retry_after, trip_seconds: more than 0 is needed")


class Enrichment(Section, frozen=True):
    """What is added to alerts. `merchants`: a CSV table mapping descriptor, MID or member id to a merchant."""

    merchants: str | None = None
    plugins: tuple[Plugin, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    remote: RemoteEnrichment = field(default_factory=RemoteEnrichment)

    def __post_init__(self) -> None:
        """Refuse two enrichers that would write under one name."""
        names = [plugin.name for plugin in self.plugins] + [lookup.name for lookup in self.lookups]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"two enrichers share the name {doubled[0]}")

    @property
    def remote_names(self) -> tuple[str, ...]:
        """The names of the enrichers that ask a server, in the order in which they are asked."""
        return tuple(lookup.name for lookup in self.lookups) + tuple(one.name for one in self.plugins if one.remote)


def check_name(name: str) -> None:
    """Raise ValueError unless an enricher may be called so."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"enricher {name!r}: small letters, digits and _, and not what enrichment holds already")


def check_times(name: str, timeout: float, cache_seconds: float) -> None:
    """Raise ValueError unless there is time to answer."""
    if not 0 < timeout <= 60 or cache_seconds < 0:
        raise ValueError(f"enricher {name}: timeout is more than 0, 60 at most; cache_seconds is not below 0")
