"""The order look-up over a real connection: bounded in time and size, verified, and which alerts share its answer."""

import gzip
import json
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.alert.alert import Alert
from schemas.settings.configuration import Configuration, Sealing
from schemas.settings.enrichers import Enrichment, Lookup
from schemas.settings.secret import Secret
from tests.conftest import CertificateFiles
from tests.integration.orders import ORDER, Orders, run_orders
from tests.unit.messages import ETHOCA, alert_of, read_ethoca
from workers.lookups.asking import Refused, Unavailable
from workers.lookups.exchange import open_session
from workers.lookups.lookup import look_up_order
from workers.lookups.remote import open_remotes

FAR_TOO_MUCH = 64 * 1024 * 1024


@pytest.fixture
def orders() -> Iterator[Orders]:
    """Run an order service."""
    with run_orders() as orders:
        yield orders


def ask(orders: Orders, *alerts: Alert, timeout: float = 0.7, **terms: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - fields of Lookup
    """Look up the orders of alerts, one after the other over one session."""
    lookup = Lookup(name="orders", url=orders.url, allow_http=True, timeout=timeout, **terms)
    with open_session(lookup, 1) as session:
        return [look_up_order(session, lookup, alert) for alert in alerts or (alert_of(read_ethoca({})),)]


@pytest.mark.parametrize("sized", [True, False])
def test_answer_that_trickles_is_not_waited_for(orders: Orders, *, sized: bool) -> None:
    """Each byte comes in time and the whole does not: when the time for asking is over it ends, whatever has come."""
    orders.sized, orders.slow_body = sized, 0.05
    orders.answer += b" " * 60
    with pytest.raises(Unavailable):
        ask(orders)


def test_head_that_trickles_is_not_waited_for(orders: Orders) -> None:
    """Neither does a service gain time by its headers."""
    orders.slow_head = 0.05
    with pytest.raises(Unavailable):
        ask(orders)


@pytest.mark.parametrize("status", [200, 302])
@pytest.mark.parametrize("sized", [True, False])
def test_endless_answer_is_not_taken(orders: Orders, *, sized: bool, status: int) -> None:
    """Of an answer that is too long no more is read than says so; what sockets hold besides is lost with them."""
    orders.statuses, orders.sized, orders.padding = [status], sized, FAR_TOO_MUCH
    with pytest.raises(Refused):
        ask(orders, timeout=20)
    assert orders.sent < FAR_TOO_MUCH / 2


def test_compressed_answer_is_refused(orders: Orders) -> None:
    """It is asked for as it is: a few bytes of gzip would become as many megabytes."""
    orders.told = {"Content-Encoding": "gzip"}
    orders.answer = gzip.compress(orders.answer)
    with pytest.raises(Refused, match="compressed"):
        ask(orders)
    (headers,) = orders.headers
    assert headers["accept-encoding"] == "identity"


def test_answer_that_breaks_off_is_asked_for_again(orders: Orders) -> None:
    """Half an answer is none, and no answer that would be given again."""
    orders.told = {"Content-Length": "5000"}
    orders.sized = False
    with pytest.raises(Unavailable):
        ask(orders)


def test_service_of_ones_own_authority_is_verified(certificates: CertificateFiles) -> None:
    """Over TLS an answer comes from whom `service_ca` certifies, and without that setting from nobody."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificates.server.certificate, certificates.server.key)
    with run_orders(tls) as orders:
        assert ask(orders, timeout=10, service_ca=str(certificates.ca)) == [{"order": ORDER}]
        orders.slow_body = 0.05
        orders.answer += b" " * 60
        with pytest.raises(Unavailable):
            ask(orders, timeout=1.5, service_ca=str(certificates.ca))
        with pytest.raises(Unavailable):
            ask(orders, timeout=10)
        with pytest.raises(Unavailable):
            ask(orders, timeout=10, service_ca=str(certificates.foreign_ca))
    assert len(orders.asked) == 2


@pytest.mark.parametrize(
    ("fields", "shared"),
    [
        ({}, False),
        ({"merchantDescriptor": "MY*SHOP", "currency": "USD"}, False),
        ({"arn": "00000000000000000000000"}, False),
        ({"transactionId": "N/A", "orderId": "000"}, False),
        ({"arn": "75186056123456789012345"}, True),
        ({"transactionId": "T-77"}, True),
        ({"orderId": "7"}, True),
        (
            {
                "cardNumber": "555555******4444",
                "currency": "USD",
                "merchantDescriptor": "MY*SHOP",
                "transactionTimestamp": "2026-11-19T14:30:00Z",
            },
            True,
        ),
    ],
)
def test_only_alerts_of_one_known_transaction_share_an_answer(
    orders: Orders, fields: dict[str, str], *, shared: bool
) -> None:
    """Two alerts of 19.90 are of two purchases until something says otherwise: each is asked about, once."""
    settings = Enrichment(lookups=(Lookup(name="orders", url=orders.url, allow_http=True),))
    sealing = Sealing(keys=Secret(env="PATH"), matching=Secret(env="PATH"))
    (remote,) = open_remotes(Configuration(sources=(ETHOCA,), sealing=sealing, enrichment=settings))
    known = {"amount": "19.90"} | fields
    first, second = (alert_of(read_ethoca(known), id=f"019aa000-0000-7000-8000-00000000000{number}") for number in "12")
    for alert in (first, second, first):
        orders.answer = json.dumps({"order": {"id": str(len(orders.asked))}}).encode()
        answered = remote.answer(alert)
        assert answered == {"order": {"id": "0" if shared or alert is first else "1"}}
    assert len(orders.asked) == (1 if shared else 2)
