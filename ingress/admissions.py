"""Who may push, as the configuration says now: each source's certificates and passwords rotate while it pushes.

Everything else in the configuration takes a restart, and the log says so. A source is taken over whole or stays whole
as it was: what is half of one file and half of another might let in whom neither of them does.
"""

import os
import time
from dataclasses import replace
from typing import Any

import msgspec

from ingress.identity.certificate import Pins
from ingress.identity.header import Withdrawn
from ingress.settings import Admission, Settings, load_settings
from ingress.telemetry.log import explain, open_log
from ingress.trust.files import FileWatch
from schemas.settings.configuration import Configuration
from schemas.settings.sources import Basic, Source

# What may change of a source while the door runs.
ROTATING = {"certificate", "subjects", "fingerprints", "credentials"}
AGAIN_SECONDS = 1.0  # files that could not be used may wait for one that nobody watches yet


class Admissions:
    """Who may speak for each source, as the files say now. Files that cannot be used leave everything as it was."""

    def __init__(self) -> None:
        """Read the settings that the door begins with: `began`. Raises ConfigurationError."""
        self._log = open_log()
        self.began, self._watch = load_watched()
        self._fault: str | None = None
        self._again_at = 0.0
        self._by_source = by_source(self.began)

    def current(self, admission: Admission) -> Admission:
        """Return what an admission has become since the start."""
        self.follow_files()
        return self._by_source[admission.source.name]

    def follow_files(self) -> None:
        """Take over what has changed. Cheap enough for every push."""
        if self._watch.has_changed() or (self._fault is not None and time.monotonic() >= self._again_at):
            self._renew()

    def _renew(self) -> None:
        try:
            settings, self._watch = load_watched(self._watch)
        except Exception as error:  # noqa: BLE001 - a door with the former settings is better than none
            self._again_at = time.monotonic() + AGAIN_SECONDS
            fault = explain(error)
            if fault != self._fault:
                self._log.error("configuration not renewed", process=os.getpid(), why=fault)
            self._fault = fault
            return
        self._fault = None
        now, found = settings.configuration, by_source(settings)
        self._by_source = {
            name: self._succeed(former, found.get(name), now) for name, former in self._by_source.items()
        }
        restart_needed = needs_restart(self.began.configuration, now)
        self._log.info("pins and credentials renewed", process=os.getpid(), restart_needed=restart_needed)

    def _succeed(self, former: Admission, found: Admission | None, now: Configuration) -> Admission:
        """Return what becomes of an admission: what the file says, what it was, or one that admits nobody."""
        name = former.source.name
        if found is None:
            if not isinstance(former.credentials, Withdrawn):
                why = "the configuration does not name this source any more: nobody may push to it"
                self._log.warning("source withdrawn", source=name, why=why)
            return withdraw(former)
        reason = why_it_waits(found.source, self.began.configuration, now)
        if reason is not None:
            self._log.error("source not renewed", source=name, why=f"{reason}: restart the door")
            return former
        return replace(found, source=former.source)


def by_source(settings: Settings) -> dict[str, Admission]:
    """Return the admissions by the names of their sources."""
    return {admission.source.name: admission for admission in settings.paths.values()}


def load_watched(watch: FileWatch | None = None) -> tuple[Settings, FileWatch]:
    """Read the settings, and return them with a watch over their files that has noted these before they were read.

    So a file that changes meanwhile is one that has changed. `watch` goes on while it is over the same files.
    """
    while True:
        settings = load_settings()
        files = files_of(settings.configuration)
        if watch is not None and watch.files == files:
            return settings, watch
        watch = FileWatch(*files)


def files_of(configuration: Configuration) -> tuple[str | None, ...]:
    """Return the configuration file and those that hold its passwords."""
    credentials = [credential for source in configuration.sources for credential in source.credentials]
    secrets = [one.password if isinstance(one, Basic) else one.value for one in credentials]
    return (os.environ.get("ALERT_INTAKE_CONFIG"), *(secret.file for secret in secrets))


def withdraw(admission: Admission) -> Admission:
    """Return an admission that refuses everybody, as it refused strangers: 403 for pins, 401 for credentials."""
    nobody = Pins(admission.pins.required, frozenset(), frozenset(), frozenset())
    return replace(admission, pins=nobody, credentials=Withdrawn(admission.credentials))


def why_it_waits(source: Source, began: Configuration, now: Configuration) -> str | None:
    """Return why a source as it stands in the file may not count before a restart, None when it may at once.

    A pinned name means somebody only under the authorities that it was pinned for: under others anybody may bear it.
    """
    if source.certificate == "optional":
        refused = 'certificate = "optional", and the door lets nobody connect without one yet'
        return refused if demands_certificates(began) else None
    under, wanted = (configuration.tls and configuration.tls.client_ca for configuration in (began, now))
    return None if under == wanted else "tls.client_ca names another file, under which its pins count"


def demands_certificates(configuration: Configuration) -> bool:
    """Say whether the door lets nobody connect without a certificate. A proxy in front decides that itself."""
    everybody = all(source.certificate == "required" for source in configuration.sources)
    return everybody and configuration.door.front is None


def needs_restart(began: Configuration, now: Configuration) -> bool:
    """Say whether anything has changed that does not rotate."""
    return without_rotating(began) != without_rotating(now) or demands_certificates(began) != demands_certificates(now)


def without_rotating(configuration: Configuration) -> tuple[Any, ...]:
    """Return what of the configuration does not rotate, to be compared."""
    others = msgspec.structs.asdict(configuration)
    sources = [msgspec.structs.asdict(source) for source in others.pop("sources")]
    return others, [{name: value for name, value in source.items() if name not in ROTATING} for source in sources]
