"""Read the rules that the enrichers go by from the configuration."""

import structlog

from schemas.settings.configuration import Configuration
from schemas.settings.secret import ConfigurationError
from workers.enrichers.enricher import Rules
from workers.enrichers.merchant_table import MerchantTable, load_merchants
from workers.enrichers.plugins import load_plugin

log = structlog.get_logger()


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
