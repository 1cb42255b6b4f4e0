"""Enricher: the card network, by the ranges of the BIN."""

from schemas.alert.alert import Alert
from schemas.alert.cards import card_network
from workers.enrichers.enricher import Additions, Rules


def find_card_network(alert: Alert, _rules: Rules) -> Additions:
    """Name the card network (visa, mastercard, amex, ...); None when the BIN is missing or in no known range."""
    card_bin = alert.facts.get("card_bin")
    return {"card_network": card_network(card_bin) if card_bin else None}
