"""What the workshop is told at its start: the configuration, the keys and the addresses of its three servers."""

import os
from dataclasses import dataclass

from schemas.journal.redis_address import require_redis
from schemas.keyring import Keyring, load_keyring
from schemas.settings.configuration import Configuration, load_configuration, require_address


@dataclass(frozen=True)
class Workshop:
    """Read once per process and passed in. Addresses carry passwords: never log them."""

    configuration: Configuration
    keyring: Keyring
    journal_url: str
    broker_url: str
    database_url: str


def load_workshop() -> Workshop:
    """Read the settings from the environment. Raises ConfigurationError with one line that says which and where."""
    configuration = load_configuration(os.environ.get("ALERT_INTAKE_CONFIG"))
    return Workshop(
        configuration=configuration,
        keyring=load_keyring(configuration.sealing),
        journal_url=require_redis("JOURNAL_URL"),
        broker_url=require_redis("BROKER_URL"),
        database_url=require_address("DATABASE_URL"),
    )
