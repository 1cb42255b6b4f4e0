"""Secrets never stand in the configuration: each is named by environment variable or by file."""

import os
from pathlib import Path

from msgspec import Struct


class ConfigurationError(Exception):
    """The configuration cannot be used. The message is one line saying which setting and where: stop the start."""


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is to be found: ``{env = "NAME"}`` or ``{file = "/path"}``, exactly one of them."""

    env: str | None = None
    file: str | None = None

    def __post_init__(self) -> None:
        """Refuse a secret that names two places or none."""
        if (self.env is None) == (self.file is None):
            raise ValueError('a secret names exactly one place: {env = "NAME"} or {file = "/path"}')

    def reveal(self, setting: str) -> str:
        """Read the secret, without the line end that editors add. `setting` is named in the error if it is missing."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            if not value:
                raise ConfigurationError(f"{setting}: the environment variable {self.env} is not set")
            return value
        try:
            value = Path(str(self.file)).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{setting}: the file {self.file} cannot be read ({error})") from error
        if not value:
            raise ConfigurationError(f"{setting}: the file {self.file} is empty")
        return value
