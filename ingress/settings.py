"""What the door needs to know, read once, before anything listens. Every fault stops the start."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from ingress.identity.certificate import Pins, read_pins
from ingress.identity.header import Credentials
from schemas.journal.redis_address import require_redis
from schemas.keyring import Keyring, load_keyring
from schemas.settings.configuration import Configuration, load_configuration
from schemas.settings.secret import ConfigurationError
from schemas.settings.sources import Source

# gunicorn ends, instead of starting workers for ever, when one exits with its own "the app cannot be loaded".
EXIT_STATUS = 4

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Admission:
    """One source and what it takes to speak for it."""

    source: Source
    pins: Pins
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration with its secrets resolved. `paths` leads from a request path to who may push there."""

    configuration: Configuration
    journal_url: str
    keyring: Keyring
    paths: dict[str, Admission]


def load_settings() -> Settings:
    """Read configuration, keys and credentials. Raises ConfigurationError."""
    configuration = load_configuration()
    paths = {}
    for source in configuration.sources:
        admission = Admission(source, read_pins(source), Credentials(source))
        for path in source.every_path:
            if "<" in path:
                raise ConfigurationError(f"source {source.name}: paths: {path!r} holds a <")
            paths[path] = admission
    if configuration.tls is None and any(source.certificate == "required" for source in configuration.sources):
        raise ConfigurationError("[tls] is missing: sources demand a client certificate, and client_ca says whose")
    return Settings(configuration, require_redis("JOURNAL_URL"), load_keyring(configuration.sealing), paths)


def stop_on_fault(start: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a function that starts the door end the process on a fault of the configuration, with one line."""

    @wraps(start)
    def started(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        try:
            return start(*arguments, **options)
        except ConfigurationError as error:
            os.write(2, f"alert-intake ingress: {' '.join(str(error).split())}\n".encode())
            raise SystemExit(EXIT_STATUS) from error

    return started
