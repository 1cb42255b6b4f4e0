"""The doctor looks at enrichers: servers of order look-ups, over real TLS, and installed plug-ins."""

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.diagnosis.check import Check
from console.diagnosis.enrichers import check_enrichers
from schemas.settings.enrichers import Enrichment, Lookup, Plugin
from schemas.settings.secret import Secret
from schemas.settings.sources import Header
from tests.conftest import CertificateFiles
from tests.integration.downstream import run_receiver
from tests.integration.test_enrich_plugins import install

MODULE = """
def right(alert, rules):
    return {}

def short(alert):
    return {}

text = "no function"
"""


def look_up(url: str, **terms: object) -> Check:
    """Return the check of one look-up."""
    lookup = Lookup(name="orders", url=url, **terms)  # type: ignore[arg-type]  # whatever the test sets
    (check,) = check_enrichers(Enrichment(lookups=(lookup,)))
    return check


@pytest.fixture(scope="module")
def encrypted(certificates: CertificateFiles) -> Iterator[str]:
    """Run a server over TLS, certified by an authority of its own; return its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    with run_receiver(context) as target:
        yield target.url.replace("127.0.0.1", "localhost")


def test_server_of_a_look_up_is_reached_and_verified(encrypted: str, certificates: CertificateFiles) -> None:
    """With the authority that certified it all is well; without it, or under another name, it is not."""
    assert look_up(encrypted, service_ca=str(certificates.ca)).well
    stranger = look_up(encrypted)
    assert not stranger.well
    assert "service_ca" in stranger.found
    misnamed = look_up(encrypted.replace("localhost", "127.1"), service_ca=str(certificates.ca))
    assert not misnamed.well
    assert "certificate" in misnamed.found


def test_server_that_is_not_there_is_named_without_its_address() -> None:
    """A refused connection and a name that does not resolve are said by their kinds: a path may hold a token."""
    for url in ("https://127.0.0.1:1/hidden-token", "https://orders.invalid/hidden-token"):
        check = look_up(url, timeout=5.0)
        assert (check.name, check.well) == ("look-up orders", False)
        assert "cannot be reached" in check.found
        assert "hidden" not in check.found


def test_secret_that_is_missing_is_said_first() -> None:
    """Nothing is connected to with a credential that is not there."""
    check = look_up("https://127.0.0.1:1/", credential=Header(name="X-API-Key", value=Secret(env="NOT_SET_ANYWHERE")))
    assert not check.well
    assert "NOT_SET_ANYWHERE" in check.found


@pytest.mark.parametrize(
    ("name", "well", "found"),
    [
        ("right", True, "can be called"),
        ("short", False, "cannot be called with an alert and rules"),
        ("text", False, "no function"),
        ("absent", False, "cannot be imported"),
        ("nowhere", False, "0 are installed"),
    ],
)
def test_plug_ins_are_imported_and_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, well: bool, found: str
) -> None:
    """One that is there and takes what enrichers take is well; each other says why it is not, and what to do."""
    points = {one: f"looked_at:{one}" for one in ("right", "short", "text", "absent")}
    install(tmp_path / "site", "looked_at", points, {"looked_at.py": MODULE})
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "looked_at", raising=False)
    (check,) = check_enrichers(Enrichment(plugins=(Plugin(name=name),)))
    assert (check.well, found in check.found) == (well, True)
