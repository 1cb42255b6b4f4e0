"""Pins and credentials that follow the configuration: each source's certificates and passwords rotate while it pushes.

Everything else in the configuration takes a restart, and the log says so.
"""

import os
from dataclasses import replace
from typing import Any

import msgspec

from ingress.log import open_log
from ingress.settings import Admission, Settings, load_settings
from ingress.trust import FileWatch
from schemas.configuration import Configuration
from schemas.secret import ConfigurationError
from schemas.sources import Basic

# What may change of a source while the door runs.
ROTATING = {"subjects", "fingerprints", "credentials"}


class Admissions:
    """Who may speak for each source, as the files say now. Files that cannot be used leave everything as it was."""

    def __init__(self, settings: Settings) -> None:
        self._log = open_log()
        self._began = settings.configuration
        self._follow(settings)

    def current(self, admission: Admission) -> Admission:
        """Return what an admission has become since the start."""
        if self._watch.has_changed():
            self._renew()
        return self._by_source.get(admission.source.name, admission)

    def _renew(self) -> None:
        try:
            settings = load_settings()
        except ConfigurationError as error:
            self._log.error("configuration not renewed", why=" ".join(str(error).split()))
            return
        self._follow(settings)
        restart = without_rotating(settings.configuration) != without_rotating(self._began)
        self._log.info("pins and credentials renewed", process=os.getpid(), restart_needed=restart)

    def _follow(self, settings: Settings) -> None:
        """Take over the pins and credentials of the sources there were at the start, and watch their files."""
        files = [
            (credential.password if isinstance(credential, Basic) else credential.value).file
            for source in settings.configuration.sources
            for credential in source.credentials
        ]
        self._watch = FileWatch(os.environ.get("ALERT_INTAKE_CONFIG"), *files)
        renewed = {admission.source.name: admission for admission in settings.paths.values()}
        self._by_source = {
            source.name: replace(
                renewed[source.name],
                source=source,
                pins=replace(renewed[source.name].pins, required=source.certificate == "required"),
            )
            for source in self._began.sources
            if source.name in renewed
        }


def without_rotating(configuration: Configuration) -> tuple[Any, ...]:
    """Return what of the configuration does not rotate, to be compared."""
    others = msgspec.structs.asdict(configuration)
    sources = [msgspec.structs.asdict(source) for source in others.pop("sources")]
    return others, [{name: value for name, value in source.items() if name not in ROTATING} for source in sources]
