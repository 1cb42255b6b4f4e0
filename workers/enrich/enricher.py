"""The interface of an enricher: one function. The local ones here have it, and a plug-in has no other.

docs/enrichers.md describes it for those who write plug-ins.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from schemas.alert import Alert
from workers.enrich.rules import Rules

# What an enricher adds: name -> what JSON can say. A value of None takes back what an earlier run had added.
Additions = Mapping[str, Any]


class Enricher(Protocol):
    """Look at an alert and return what to add to it. It changes nothing itself, and keeps nothing.

    A local one asks no server: it runs inside the transaction of a batch, again at every revision of the alert, and its
    answer depends on the alert and the rules alone. A remote one runs in the enrich workers, in threads, before the
    alert is forwarded; it may be called again for the same alert.

    Of the built-in ones `card_network` and `respond_by` are columns of the alert, and everything else becomes a key of
    `enrichment`. What a plug-in returns becomes one object there, under the plug-in's name. It may raise: then its part
    is missing and `enrichment.failed` names it.
    """

    def __call__(self, alert: Alert, rules: Rules, /) -> Additions:
        """Return what to add."""
