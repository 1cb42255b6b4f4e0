"""The configuration file: what is wrong in it stops the start with one line that says where."""

from pathlib import Path

import pytest

from schemas.settings.configuration import load_configuration, require_address
from schemas.settings.secret import ConfigurationError, Secret
from schemas.settings.sources import Basic, Header

SEALING = """
[sealing]
keys = { env = "KEYS" }
matching = { file = "matching.key" }
"""
ETHOCA = """
[[sources]]
name = "ethoca"
format = "ethoca"
network = "ethoca"
paths = ["/api/push/alerts"]
subjects = ["CN=client"]
credentials = [{ scheme = "basic", user = "ethoca", password = { env = "PASSWORD" } }]
"""
RESELLER = """
[[sources]]
name = "reseller"
format = "reseller"
certificate = "optional"
repair = "bare-uuid"
credentials = [{ scheme = "header", name = "X-API-Key", value = { file = "api.key" } }]
"""


def written(tmp_path: Path, text: str) -> str:
    """Write a configuration file and return its name."""
    path = tmp_path / "alert-intake.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_complete_file(tmp_path: Path) -> None:
    """Sources, credentials and defaults are read; relative files lie beside the file that names them."""
    rest = '[tls]\ncertificate = "server.pem"\nkey = "/keys/server.key"\nclient_ca = "ca.pem"\n'
    rest += '[enrichment]\nmerchants = "merchants.csv"\n'
    configuration = load_configuration(written(tmp_path, SEALING + ETHOCA + RESELLER + rest))
    ethoca, reseller = configuration.sources
    assert ethoca.every_path == ("/push/ethoca", "/api/push/alerts")
    assert ethoca.certificate == "required"
    assert ethoca.credentials == (Basic("ethoca", Secret(env="PASSWORD")),)
    assert reseller.credentials == (Header("X-API-Key", Secret(file=str(tmp_path / "api.key"))),)
    assert (reseller.certificate, reseller.response_hours, reseller.time_zone) == ("optional", 24.0, "UTC")
    assert configuration.sealing.matching == Secret(file=str(tmp_path / "matching.key"))
    assert configuration.tls is not None
    assert configuration.tls.certificate == str(tmp_path / "server.pem")
    assert configuration.tls.key == "/keys/server.key"
    assert configuration.enrichment.merchants == str(tmp_path / "merchants.csv")
    assert configuration.door.max_body == 1024 * 1024
    assert configuration.source("reseller") is reseller
    assert configuration.source("nobody") is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (SEALING, "sources"),
        (SEALING + "sources = []", "sources"),
        (ETHOCA, "sealing"),
        (SEALING + ETHOCA + "[door]\nmax_bodyy = 1", "max_bodyy"),
        (SEALING + ETHOCA + "colour = 1", "colour"),
        (SEALING + ETHOCA + "[door]\nmax_body = 'big'", "max_body"),
        (SEALING + ETHOCA + ETHOCA, "two sources share the path"),
        (SEALING + ETHOCA.replace('subjects = ["CN=client"]', ""), "pin the certificate"),
        (SEALING + RESELLER.replace("credentials", "# credentials"), "at least one credential"),
        (SEALING + ETHOCA + 'time_zone = "Mars/Olympus"', "Mars/Olympus"),
        (SEALING + ETHOCA + "response_hours = 0", "response_hours"),
        (SEALING + ETHOCA.replace('"/api', '"api'), "starts with /"),
        (SEALING + ETHOCA.replace('name = "ethoca"', 'name = "e/t"'), "e/t"),
        (SEALING + ETHOCA.replace('format = "ethoca"', 'format = "xml"'), "xml"),
        (SEALING.replace('env = "KEYS"', 'env = "KEYS", file = "x"') + ETHOCA, "exactly one place"),
        (SEALING.replace('{ env = "KEYS" }', '"the key itself"') + ETHOCA, "sealing.keys"),
        ("not toml", "alert-intake.toml"),
    ],
)
def test_mistakes_stop_the_start(tmp_path: Path, text: str, where: str) -> None:
    """An unknown key, a wrong value or a source that anyone could use is refused by name, in one line."""
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(written(tmp_path, text))
    assert where in str(caught.value)
    assert "alert-intake.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the file is the one of ALERT_INTAKE_CONFIG; when that is not set, the message says so."""
    monkeypatch.setenv("ALERT_INTAKE_CONFIG", written(tmp_path, SEALING + ETHOCA))
    assert load_configuration().sources[0].name == "ethoca"
    monkeypatch.setenv("ALERT_INTAKE_CONFIG", str(tmp_path / "missing.toml"))
    with pytest.raises(ConfigurationError, match=r"missing\.toml"):
        load_configuration()
    monkeypatch.delenv("ALERT_INTAKE_CONFIG")
    with pytest.raises(ConfigurationError, match="ALERT_INTAKE_CONFIG is not set"):
        load_configuration()


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is read where it is, without an editor's line end; a missing or empty one is named by its setting."""
    path = tmp_path / "secret"
    path.write_bytes(b" pass word\r\n")
    assert Secret(file=str(path)).reveal("x") == " pass word"
    path.write_bytes(b"\n")
    with pytest.raises(ConfigurationError, match=r"^x: the file .* is empty"):
        Secret(file=str(path)).reveal("x")
    with pytest.raises(ConfigurationError, match=r"^x: the file .* cannot be read"):
        Secret(file=str(tmp_path / "missing")).reveal("x")
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    with pytest.raises(ConfigurationError, match=r"^x: the environment variable NO_SUCH_SECRET is not set"):
        Secret(env="NO_SUCH_SECRET").reveal("x")


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server's address comes from its variable, and a missing one is named."""
    monkeypatch.setenv("JOURNAL_URL", "redis://localhost")
    assert require_address("JOURNAL_URL") == "redis://localhost"
    monkeypatch.delenv("JOURNAL_URL")
    with pytest.raises(ConfigurationError, match="JOURNAL_URL is not set"):
        require_address("JOURNAL_URL")
