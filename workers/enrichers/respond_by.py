"""Enricher: by when the merchant has to respond."""

from schemas.alert.alert import Alert
from schemas.alert.times import add_hours
from workers.enrichers.enricher import DEFAULT_RESPONSE_HOURS, Additions, Rules


def set_deadline(alert: Alert, rules: Rules) -> Additions:
    """Give `respond_by`: the alert's own time, else that of its receipt, and the response window of its source."""
    hours = rules.response_hours.get(alert.source, DEFAULT_RESPONSE_HOURS)
    return {"respond_by": add_hours(alert.facts.get("alerted_at", alert.received_at), hours)}
