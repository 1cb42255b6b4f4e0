"""Run the local enrichers over an alert. None of them can lose it: what one cannot add is missing, and marked."""

from collections.abc import Mapping
from typing import Any

import structlog

from schemas.alert import Alert
from workers.enrich.card_network import find_card_network
from workers.enrich.enricher import Enricher
from workers.enrich.merchant import find_merchant
from workers.enrich.minor_units import count_amount
from workers.enrich.respond_by import set_deadline
from workers.enrich.rules import Rules

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

    What others have put into `enrichment` stays. `enrichment.failed` names the enrichers that failed, if any did.
    """
    enrichment: dict[str, Any] = dict(alert.enrichment)
    failed: list[str] = []
    for name, enricher in enrichers.items():
        try:
            additions = dict(enricher(alert, rules))
        except Exception as error:  # noqa: BLE001 - whatever a plug-in raises, the alert is stored
            log.warning("enricher_failed", enricher=name, alert_id=alert.id, error=type(error).__name__)
            failed.append(name)
            continue
        for key, value in additions.items():
            if key in _ATTRIBUTES:
                setattr(alert, key, value)
            elif value is None:
                enrichment.pop(key, None)
            else:
                enrichment[key] = value
    enrichment.pop("failed", None)
    alert.enrichment = enrichment | ({"failed": failed} if failed else {})
