"""Enricher: whose alert it is, by the table of merchants."""

from schemas.alert.alert import Alert
from workers.enrichers.enricher import Additions, Rules


def find_merchant(alert: Alert, rules: Rules) -> Additions:
    """Give `merchant`: {"merchant_id", "name", "matched_by"}; None when the table knows none.

    Raises LookupError while the table cannot be read.
    """
    if rules.merchants is None:
        raise LookupError("the table of merchants cannot be read")
    found = rules.merchants.find_merchant(alert.facts)
    if found is None:
        return {"merchant": None}
    merchant, matched_by = found
    return {"merchant": {"merchant_id": merchant.merchant_id, "name": merchant.name, "matched_by": matched_by}}
