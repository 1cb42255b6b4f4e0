"""Run the local enrichers over an alert. None of them can lose it: what one cannot add is missing, and marked."""

from collections.abc import Mapping
from typing import Any

import structlog

from schemas.alert.alert import Alert
from workers.enrichers.additions import check_additions
from workers.enrichers.card_network import find_card_network
from workers.enrichers.enricher import Enricher, Rules
from workers.enrichers.merchant import find_merchant
from workers.enrichers.minor_units import count_amount
from workers.enrichers.respond_by import set_deadline
from workers.telemetry.metrics import ENRICHER_FAILURES

log = structlog.get_logger()

# In this order; the name is what `enrichment.failed` and the log call it.
LOCAL: Mapping[str, Enricher] = {
    "card_network": find_card_network,
    "minor_units": count_amount,
    "respond_by": set_deadline,
    "merchant": find_merchant,
}
_ATTRIBUTES = frozenset({"card_network", "respond_by"})


def enrich_alert(alert: Alert, rules: Rules, enrichers: Mapping[str, Enricher] = LOCAL) -> None:
    """Set the alert's `card_network`, `respond_by` and `enrichment`. Never raises.

    What remote enrichers have put into `enrichment` stays. `enrichment.failed` names the enrichers that failed.
    """
    enrichment: dict[str, Any] = dict(alert.enrichment)
    failed = [name for name in enrichment.pop("failed", ()) if name in rules.remote]
    for name, enricher in enrichers.items():
        try:
            additions = dict(enricher(alert, rules))
        except Exception as error:  # noqa: BLE001 - whatever an enricher raises, the alert is stored
            note_failure(name, alert, error)
            failed.append(name)
            continue
        for key, value in additions.items():
            if key in _ATTRIBUTES:
                setattr(alert, key, value)
            else:
                put(enrichment, key, value)
    alert.enrichment = enrichment
    for name, plugin in rules.plugins.items():
        try:
            put(enrichment, name, run_plugin(plugin, alert, rules))
        except Exception as error:  # noqa: BLE001 - the same
            note_failure(name, alert, error)
            failed.append(name)
    put(enrichment, "failed", failed)


def run_plugin(plugin: Enricher | None, alert: Alert, rules: Rules) -> dict[str, Any]:
    """Return what a plug-in adds. It gets a copy of the alert: what it does to it has no effect."""
    if plugin is None:
        raise LookupError("the plug-in cannot be used")
    return check_additions(plugin(alert.snapshot(), rules))


def put(enrichment: dict[str, Any], key: str, value: object) -> None:
    """Set a key of `enrichment`; nothing (None, or an empty list or object) takes it away."""
    if value in (None, [], {}):
        enrichment.pop(key, None)
    else:
        enrichment[key] = value


def note_failure(name: str, alert: Alert, error: Exception) -> None:
    """Log that an enricher failed: only the kind of the error, whose text may quote the alert."""
    ENRICHER_FAILURES.labels(name).inc()
    log.warning("enricher_failed", enricher=name, alert_id=alert.id, error=type(error).__name__)
