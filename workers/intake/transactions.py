"""What an alert's transaction may be known by, whatever network and id the alert came under. Pure."""

from hashlib import blake2b

from schemas.alert.alert import Alert
from schemas.alert.money import strip_zeros
from workers.enrichers.merchant_table import fold_value

# A real ARN has 23 digits or so. What has few, or one over and over, is a placeholder of the sender's.
FEWEST_DIGITS = 12
FEWEST_KINDS = 3


def transaction_keys(alert: Alert) -> set[bytes]:
    """Return what the alert's transaction may be known by, as fingerprints of 16 bytes.

    Its ARN; and the card (BIN and last four), amount, currency and day together with each name that the merchant goes
    by: in the table of merchants, by MID, by descriptor. One key in common is enough.
    """
    facts = alert.facts
    keys = set()
    arn = facts.get("arn", "")
    if not arn.isalnum():
        arn = "".join(filter(str.isalnum, arn))
    arn = arn.upper()
    digits = arn if arn.isdecimal() else "".join(filter(str.isdecimal, arn))
    if len(digits) >= FEWEST_DIGITS and len(set(digits)) >= FEWEST_KINDS:
        keys.add(fingerprint("arn", arn))
    card_bin = facts.get("card_bin", "")[:6]
    purchase = [facts.get(name, "") for name in ("card_last4", "amount", "currency", "transaction_at")]
    if len(card_bin) == 6 and all(purchase):
        last4, amount, currency, moment = purchase
        for merchant in merchant_names(alert):
            keys.add(fingerprint("purchase", card_bin, last4, strip_zeros(amount), currency, moment[:10], *merchant))
    return keys


def merchant_names(alert: Alert) -> list[tuple[str, str]]:
    """Return the names of the alert's merchant: (kind of name, name)."""
    found = alert.enrichment.get("merchant") or {}
    names = {
        "table": str(found.get("merchant_id", "")),
        "mid": alert.facts.get("merchant_id", ""),
        "descriptor": alert.facts.get("merchant_descriptor", ""),
    }
    return [(kind, fold_value(kind, name)) for kind, name in names.items() if name.strip()]


def fingerprint(*parts: str) -> bytes:
    """Return 16 bytes that stand for these parts."""
    return blake2b("\0".join(parts).encode(), digest_size=16, person=b"transaction").digest()
