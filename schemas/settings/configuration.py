"""The configuration file: one TOML file, named by ``ALERT_INTAKE_CONFIG``, read once and passed in."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import field

from schemas.settings.door import Door
from schemas.settings.enrichers import Enrichment
from schemas.settings.forwarding import Forwarding
from schemas.settings.journal import Drain, Journal
from schemas.settings.notices import Notices
from schemas.settings.retention import Retention
from schemas.settings.secret import ConfigurationError, Secret
from schemas.settings.section import Section
from schemas.settings.sources import Source


class Tls(Section, frozen=True):
    """Certificate files of the door, PEM. All are read again when they change on disk; none needs a restart."""

    certificate: str
    key: str
    client_ca: str
    crl: str | None = None


class Sealing(Section, frozen=True):
    """Keys. `keys`: base64 keys of 32 bytes, comma separated, the first seals, all open. `matching`: one such key.

    The matching key makes fingerprints and card tokens; unlike the sealing keys it must never change.
    """

    keys: Secret
    matching: Secret


class Console(Section, frozen=True):
    """The read API and the pages: who may look.

    `origin` is where browsers find the console, such as https://alerts.example.com. With https their cookies are bound
    to it, and to encrypted connections.
    """

    token: Secret
    origin: str | None = None

    def __post_init__(self) -> None:
        """Refuse an origin that no browser would send."""
        if self.origin is not None and not re.fullmatch(r"https?://[a-z0-9.-]+(:[1-9][0-9]*)?", self.origin):
            raise ValueError("origin: scheme, host in small letters and port if not the usual; no path, no slash")


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
    notices: Notices = field(default_factory=Notices)
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
