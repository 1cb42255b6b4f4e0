"""The interface of an enricher: one function, and the rules that it goes by. A plug-in has no other.

docs/enrichers.md describes it for those who write plug-ins.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.alert.alert import Alert
from workers.enrichers.merchant_table import MerchantTable

DEFAULT_RESPONSE_HOURS = 24.0

# What an enricher adds: name -> what JSON can say. A value of None takes back what an earlier run had added.
Additions = Mapping[str, Any]


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
