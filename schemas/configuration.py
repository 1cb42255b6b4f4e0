"""The configuration file: one TOML file, named by ``ALERT_INTAKE_CONFIG``, read once and passed in."""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from schemas.door import Door
from schemas.enrichers import Lookup, Plugin, RemoteEnrichment
from schemas.secret import ConfigurationError, Secret
from schemas.section import Section
from schemas.sources import Source

Days = Annotated[int, Meta(ge=1)]


class Tls(Section, frozen=True):
    """Certificate files of the door, PEM. All are read again when they change on disk; none needs a restart."""

    certificate: str
    key: str
    client_ca: str
    crl: str | None = None


class Journal(Section, frozen=True):
    """The journal, when the door refuses to fill it further, and on how many replicas an entry must be, too.

    `max_memory_share` is a share of Redis's maxmemory, `max_bytes` is held against the memory that Redis uses.
    """

    stream: str = "alert-intake:journal"
    timeout: float = 1.0
    max_memory_share: Annotated[float, Meta(gt=0, le=1)] = 0.7
    max_bytes: Annotated[int, Meta(gt=0)] | None = None
    max_entries: Annotated[int, Meta(gt=0)] | None = None
    replicas: Annotated[int, Meta(ge=0)] = 0


class Sealing(Section, frozen=True):
    """Keys. `keys`: base64 keys of 32 bytes, comma separated, the first seals, all open. `matching`: one such key.

    The matching key makes fingerprints and card tokens; unlike the sealing keys it must never change.
    """

    keys: Secret
    matching: Secret


class Drain(Section, frozen=True):
    """How entries are taken: `batch` at most at once; what idles `stale_after` s is taken over."""

    batch: int = 500
    seconds: float = 5.0
    stale_after: float = 15.0


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


class Forwarding(Section, frozen=True):
    """Deliveries to downstream services. Times in seconds.

    `timeout` is for one delivery as a whole, from the look-up of the name to the end of the answer. `concurrency` is
    of one worker, `subscription_concurrency` of one subscription over all workers.
    `schedule` is the waiting time before the second, third, ... attempt, each lengthened by up to `jitter` of itself.
    After the last one the item is given up (and can be retried by hand).
    A subscription is tripped after `trip_failures` failures in a row over at least `trip_seconds`; then one delivery
    is tried every `probe_interval`, and the first that succeeds resumes it.
    `service_ca` names a PEM file with CAs that are trusted besides the public ones.
    """

    timeout: float = 10.0
    lease: float = 60.0
    concurrency: int = 64
    subscription_concurrency: int = 16
    jitter: float = 0.2
    schedule: tuple[float, ...] = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 64800, 86400)
    allow_http: bool = False
    allow_private_addresses: bool = False
    allow_networks: tuple[str, ...] = ()
    service_ca: str | None = None
    trip_failures: int = 20
    trip_seconds: float = 600.0
    probe_interval: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what would forward nothing, or for ever."""
        positive = ("timeout", "lease", "concurrency", "subscription_concurrency", "trip_failures", "probe_interval")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: more than 0 is needed")
        if self.jitter < 0 or self.trip_seconds < 0 or any(wait < 0 for wait in self.schedule):
            raise ValueError("jitter, trip_seconds, schedule: 0 or more is needed")
        for network in self.allow_networks:
            ip_network(network)  # raises ValueError that quotes it


class Retention(Section, frozen=True):
    """How many days partitions are kept, counted from the end of their month.

    `raw_bodies` is also for closed rejections, `attempts` for delivered outbox items and for events.
    """

    raw_bodies: Days = 180
    receipts: Days = 400
    revisions: Days = 400
    attempts: Days = 90


class Console(Section, frozen=True):
    """The read API and the pages: who may look."""

    token: Secret


class Configuration(Section, frozen=True):
    """The whole file."""

    sources: tuple[Source, ...]
    sealing: Sealing
    tls: Tls | None = None
    console: Console | None = None
    door: Door = field(default_factory=Door)
    journal: Journal = field(default_factory=Journal)
    drain: Drain = field(default_factory=Drain)
    enrichment: Enrichment = field(default_factory=Enrichment)
    forwarding: Forwarding = field(default_factory=Forwarding)
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        """Refuse two sources that would answer at one path."""
        if not self.sources:
            raise ValueError("at least one [[sources]] is needed")
        paths = [path for source in self.sources for path in source.every_path]
        doubled = sorted({path for path in paths if paths.count(path) > 1})
        if doubled:
            raise ValueError(f"two sources share the path {doubled[0]}")

    def source(self, name: str) -> Source | None:
        """Return the source of that name."""
        return next((source for source in self.sources if source.name == name), None)


def load_configuration(path: str | None = None) -> Configuration:
    """Read the file at `path`, by default the one that ``ALERT_INTAKE_CONFIG`` names. Raises ConfigurationError.

    Relative paths inside the file are relative to the file.
    """
    name = path or os.environ.get("ALERT_INTAKE_CONFIG", "")
    if not name:
        raise ConfigurationError(
            "ALERT_INTAKE_CONFIG is not set: it names the configuration file (see README, Settings)"
        )
    file = Path(name)
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{name}: {error}") from error
    try:
        return msgspec.convert(anchor_files(document, file.resolve().parent), Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def anchor_files(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make every relative file name of the document absolute, seen from `folder`."""
    files = {"file", "certificate", "key", "client_ca", "crl", "merchants", "service_ca"}

    def anchored(key: str, value: Any, table: str) -> Any:  # noqa: ANN401 - a TOML value is of any type
        if isinstance(value, dict):
            return {inner: anchored(inner, item, key) for inner, item in value.items()}
        if isinstance(value, list):
            return [anchored(key, item, table) for item in value]
        if key in files and isinstance(value, str) and (key != "certificate" or table == "tls"):
            return str(folder / value)
        return value

    return {key: anchored(key, value, "") for key, value in document.items()}


def require_address(name: str) -> str:
    """Return the address in the environment variable `name` (JOURNAL_URL, BROKER_URL, DATABASE_URL)."""
    value = os.environ.get(name, "")
    if not value:
        raise ConfigurationError(f"{name} is not set: it names the server to use (see README, Settings)")
    return value
