"""Enricher: the amount in the currency's minor units, as ledgers and payment processors count."""

from schemas.alert.alert import Alert
from schemas.alert.money import count_minor_units
from workers.enrichers.enricher import Additions, Rules


def count_amount(alert: Alert, _rules: Rules) -> Additions:
    """Give `amount_minor`, an integer; None without an amount, or when it is finer than the minor unit."""
    amount = alert.facts.get("amount")
    return {"amount_minor": None if amount is None else count_minor_units(amount, alert.facts.get("currency"))}
