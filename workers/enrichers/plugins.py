"""Plug-ins: enrichers that are installed as packages and found by entry point. Only those that the settings name."""

from functools import cache

import structlog

from schemas.settings.plugins import PluginUnusable, find_plugin
from workers.enrichers.enricher import Enricher

log = structlog.get_logger()


@cache
def load_plugin(name: str) -> Enricher | None:
    """Return the enricher that is installed under this name, or None when there is none that can be used.

    It stops no alert: its part of the enrichment fails, and is marked. The log says why, once a process.
    """
    try:
        return find_plugin(name)
    except PluginUnusable as error:
        log.error("plugin_not_loaded", enricher=name, why=str(error))  # noqa: TRY400 - as one line
        return None
