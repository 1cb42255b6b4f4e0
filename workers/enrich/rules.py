"""What the enrichers go by, and which of them run, read once from the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from schemas.configuration import Configuration
from schemas.secret import ConfigurationError
from workers.enrich.merchants import MerchantTable, load_merchants
from workers.enrich.plugins import load_plugin

if TYPE_CHECKING:  # the interface names the rules
    from workers.enrich.enricher import Enricher

log = structlog.get_logger()

DEFAULT_RESPONSE_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What a drain is told of enrichment.

    response_hours  each source's response window, in hours from the alert
    merchants       the table of merchants; None: it cannot be read
    plugins         local plug-ins by name; None: it cannot be used
    remote          names of the enrichers that the enrich workers will ask
    give_up_after   seconds that an alert's events are held back for these
    """

    response_hours: Mapping[str, float] = field(default_factory=dict)
    merchants: MerchantTable | None = field(default_factory=MerchantTable)
    plugins: Mapping[str, "Enricher | None"] = field(default_factory=dict)
    remote: tuple[str, ...] = ()
    give_up_after: float = 0.0


def load_rules(configuration: Configuration) -> Rules:
    """Read the rules. A table of merchants or a plug-in that cannot be used stops no alert: its part fails."""
    settings = configuration.enrichment
    return Rules(
        response_hours={source.name: source.response_hours for source in configuration.sources},
        merchants=read_merchants(settings.merchants),
        plugins={plugin.name: load_plugin(plugin.name) for plugin in settings.plugins if not plugin.remote},
        remote=settings.remote_names,
        give_up_after=settings.remote.give_up_after,
    )


def read_merchants(path: str | None) -> MerchantTable | None:
    """Read the table of merchants, an empty one when none is configured. None when it cannot be used."""
    if path is None:
        return MerchantTable()
    try:
        return load_merchants(path)
    except ConfigurationError as error:
        log.error("merchants_not_read", why=str(error))  # noqa: TRY400 - the message says where
        return None
