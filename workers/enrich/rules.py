"""What the enrichers go by, read once from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.configuration import Configuration
from workers.enrich.merchants import MerchantTable, load_merchants

DEFAULT_RESPONSE_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The response window of each source, in hours from the alert, and the table of merchants."""

    response_hours: Mapping[str, float] = field(default_factory=dict)
    merchants: MerchantTable = field(default_factory=MerchantTable)


def load_rules(configuration: Configuration) -> Rules:
    """Read the rules. Raises ConfigurationError when the table of merchants cannot be used."""
    path = configuration.enrichment.merchants
    return Rules(
        {source.name: source.response_hours for source in configuration.sources},
        load_merchants(path) if path else MerchantTable(),
    )
