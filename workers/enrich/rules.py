"""What the enrichers go by, read once from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from schemas.configuration import Configuration
from schemas.secret import ConfigurationError
from workers.enrich.merchants import MerchantTable, load_merchants

log = structlog.get_logger()

DEFAULT_RESPONSE_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Rules:
    """Each source's response window, in hours from the alert, and the table of merchants (None: cannot be read)."""

    response_hours: Mapping[str, float] = field(default_factory=dict)
    merchants: MerchantTable | None = field(default_factory=MerchantTable)


def load_rules(configuration: Configuration) -> Rules:
    """Read the rules. A table of merchants that cannot be used stops no alert: its part of enrichment fails."""
    response_hours = {source.name: source.response_hours for source in configuration.sources}
    path = configuration.enrichment.merchants
    if path is None:
        return Rules(response_hours)
    try:
        return Rules(response_hours, load_merchants(path))
    except ConfigurationError as error:
        log.error("merchants_not_read", why=str(error))  # noqa: TRY400 - the message says where
        return Rules(response_hours, None)
