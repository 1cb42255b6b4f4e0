"""Plug-ins: enrichers that are installed as packages and found by entry point. Only those that the settings name."""

from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:  # the interface names the rules, which load plug-ins
    from workers.enrich.enricher import Enricher

GROUP = "alert_intake.enrichers"

log = structlog.get_logger()


@cache
def load_plugin(name: str) -> "Enricher | None":
    """Return the enricher that is installed under this name, or None when there is none that can be used.

    It stops no alert: its part of the enrichment fails, and is marked. The log says why, once a process.
    """
    found = entry_points(group=GROUP, name=name)
    if len({point.value for point in found}) != 1:
        log.error("plugin_not_loaded", enricher=name, why=f"{len(found)} are installed under this name in {GROUP}")
        return None
    try:
        enricher: object = next(iter(found)).load()
    except Exception as error:  # noqa: BLE001 - importing it runs code that is not ours
        log.error("plugin_not_loaded", enricher=name, why=type(error).__name__)  # noqa: TRY400 - as one line
        return None
    if not callable(enricher):
        log.error("plugin_not_loaded", enricher=name, why="it is no function")
        return None
    return enricher
