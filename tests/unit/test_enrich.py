"""Local enrichment adds what it can and never loses an alert."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.alert.alert import Alert
from schemas.settings.secret import ConfigurationError
from tests.unit.messages import alert_of, read_ethoca
from workers.enrichers.enricher import Additions, Rules
from workers.enrichers.local import LOCAL, enrich_alert
from workers.enrichers.merchant_table import MerchantTable, load_merchants

TABLE = """match,value,merchant_id,name
mid,456789,m-mid,By MID
member_id,4567,m-member,By member
descriptor,EXAMPLE*STORE 8005550100,m-exact,Exact
descriptor,example*,m-prefix,Prefix
descriptor,EXAMPLE*ST*,m-longer,Longer prefix
"""


def enriched(fields: dict[str, Any], rules: Rules | None = None) -> Alert:
    """Return the enriched alert of these fields."""
    alert = alert_of(read_ethoca(fields))
    enrich_alert(alert, rules or Rules())
    return alert


def table(tmp_path: Path, text: str = TABLE) -> Path:
    """Write a table of merchants and return its path."""
    path = tmp_path / "merchants.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("card_bin", "network"), [("555555", "mastercard"), ("41111122", "visa"), ("800012", None)])
def test_card_network(card_bin: str, network: str | None) -> None:
    """The BIN tells the network, or nothing does."""
    assert enriched({"cardBin": card_bin}).card_network == network
    assert enriched({}).card_network is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"amount": "125.40", "currency": "USD"}, {"amount_minor": 12540}),
        ({"amount": "100", "currency": "JPY"}, {"amount_minor": 100}),
        ({"amount": "1.5", "currency": "KWD"}, {"amount_minor": 1500}),
        ({"amount": "0.345", "currency": "USD"}, {}),
        ({"amount": "125.40"}, {}),
        ({"currency": "USD"}, {}),
    ],
)
def test_amount_in_minor_units(fields: dict[str, str], expected: dict[str, int]) -> None:
    """Minor units are exact, or not given."""
    assert enriched(fields).enrichment == expected


@pytest.mark.parametrize(
    ("fields", "respond_by"),
    [
        ({"alertTimestamp": "2026-11-20T17:11:05Z"}, "2026-11-22T05:11:05.000Z"),
        ({}, "2026-11-22T06:00:00.000Z"),
        ({"alertTimestamp": "9999-12-31"}, None),
    ],
)
def test_respond_by(fields: dict[str, str], respond_by: str | None) -> None:
    """The deadline counts from the alert's own time, else its receipt, by the window of its source."""
    assert enriched(fields, Rules(response_hours={"ethoca": 36.0})).respond_by == respond_by


def test_respond_by_of_a_source_without_a_window() -> None:
    """A source that is no longer configured has the usual 24 hours."""
    assert enriched({}).respond_by == "2026-11-21T18:00:00.000Z"


@pytest.mark.parametrize(
    ("fields", "merchant_id", "matched_by"),
    [
        ({"merchantId": "456789", "memberId": 4567}, "m-mid", "mid"),
        ({"caid": "456789"}, "m-mid", "mid"),
        ({"memberId": 4567, "merchantDescriptor": "EXAMPLE*STORE 8005550100"}, "m-member", "member_id"),
        ({"merchantDescriptor": "Example*Store  8005550100"}, "m-exact", "descriptor"),
        ({"merchantDescriptor": "EXAMPLE*STALL"}, "m-longer", "descriptor"),
        ({"merchantDescriptor": "EXAMPLE SHOP"}, "m-prefix", "descriptor"),
    ],
)
def test_merchant(tmp_path: Path, fields: dict[str, Any], merchant_id: str, matched_by: str) -> None:
    """MID goes before member id, that before the descriptor, an exact one before a prefix, a long before a short."""
    merchant = enriched(fields, Rules(merchants=load_merchants(str(table(tmp_path))))).enrichment["merchant"]
    assert (merchant["merchant_id"], merchant["matched_by"]) == (merchant_id, matched_by)


def test_unknown_merchant(tmp_path: Path) -> None:
    """Who is not in the table is not named, and a star inside a descriptor stands for nothing but itself."""
    rules = Rules(merchants=load_merchants(str(table(tmp_path))))
    assert enriched({"merchantDescriptor": "OTHER", "memberId": 1}, rules).enrichment == {}
    exact = load_merchants(str(table(tmp_path, "match,value,merchant_id,name\ndescriptor,A*B,m,n\n")))
    assert exact.find_merchant({"merchant_descriptor": "AXB"}) is None
    assert exact.find_merchant({"merchant_descriptor": "A*B"}) is not None
    assert MerchantTable().find_merchant({"merchant_descriptor": "A*B"}) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("who,x,m,n", "line 3: match is 'who', not one of mid, member_id, descriptor"),
        ("mid,,m,n", "line 3: value is empty"),
        ("descriptor,*,m,n", "line 3: value is only a *, which would match every alert"),
        ("mid,x,,n", "line 3: merchant_id is empty"),
        ("mid,1,other,n", "line 3: mid '1' already belongs to merchant 'm'"),
        ("mid,x,m,n,extra", "line 3: more values than columns"),
        ("mid,x", "line 3: merchant_id is empty"),
        ("mid,x,m,\0", "line 3: a NUL character"),
        ('mid,"x"y,m,n', "line 3: "),
    ],
)
def test_unusable_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    """A line that cannot be used stops the start and is named by its number."""
    path = table(tmp_path, f"match,value,merchant_id,name\nmid,1,m,n\n{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_merchants(str(path))
    assert str(caught.value).startswith(f"{path}, {why}")


def test_unusable_file_is_named(tmp_path: Path) -> None:
    """A table that is missing, not UTF-8 or without its columns stops the start."""
    with pytest.raises(ConfigurationError, match=r"no\.csv: the table of merchants cannot be read"):
        load_merchants(str(tmp_path / "no.csv"))
    path = table(tmp_path, "match,value,name\n")
    with pytest.raises(ConfigurationError, match="line 1: the column merchant_id is missing"):
        load_merchants(str(path))
    path.write_bytes(b"match,value,merchant_id,name\nmid,\xff,m,n\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_merchants(str(path))


def test_table_of_a_spreadsheet(tmp_path: Path) -> None:
    """A byte order mark, other column orders, further columns and repeated lines do not matter."""
    text = "\ufeffname,merchant_id,match,value,note\nN,m,mid,1,x\nN,m,mid,1,y\n\n"
    found = load_merchants(str(table(tmp_path, text))).find_merchant({"merchant_id": "1"})
    assert found is not None
    assert found[0].name == "N"


def test_failing_enricher_loses_nothing() -> None:
    """What an enricher cannot add is marked, in the alert and the log, without the reason; the others add theirs."""

    def fail(alert: Alert, _rules: Rules) -> Additions:
        raise RuntimeError(alert.facts["issuer"])

    alert = alert_of(read_ethoca({"issuer": "EXAMPLE BANK", "cardBin": "555555"}))
    with capture_logs() as logs:
        enrich_alert(alert, Rules(), {"broken": fail, **LOCAL})
    assert alert.enrichment == {"failed": ["broken"]}
    assert (alert.card_network, alert.facts["issuer"]) == ("mastercard", "EXAMPLE BANK")
    assert logs == [
        {
            "event": "enricher_failed",
            "enricher": "broken",
            "alert_id": alert.id,
            "error": "RuntimeError",
            "log_level": "warning",
        }
    ]
    enrich_alert(alert, Rules())
    assert alert.enrichment == {}


def test_enriching_again_keeps_what_others_added() -> None:
    """A revision takes back what no longer holds and leaves what local enrichment did not write."""
    alert = alert_of(read_ethoca({"amount": "1.00", "currency": "USD"}), enrichment={"order": {"id": "7"}})
    enrich_alert(alert, Rules())
    assert alert.enrichment == {"order": {"id": "7"}, "amount_minor": 100}
    del alert.facts["amount"]
    enrich_alert(alert, Rules())
    assert alert.enrichment == {"order": {"id": "7"}}
