"""The compose file, the secrets made for it and the example configuration fit together."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.pages.certificates import look_at_files
from deploy.embedded.certificate_files import CLIENT_SUBJECT
from deploy.images.lock import TRACED
from deploy.make_secrets import make_secrets
from schemas.keyring import load_keyring, read_key
from schemas.settings.configuration import load_configuration
from schemas.telemetry.tracing import ENDPOINTS

ROOT = Path(__file__).resolve().parents[2]
METRICS = ROOT / "docs" / "metrics.md"
EXAMPLE = ROOT / "deploy" / "alert-intake.example.toml"


POOLS = ("drain", "forward", "enrich")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return the compose file as compose itself reads it."""
    return read_compose({})


def read_compose(environment: dict[str, str], *overrides: Path) -> dict[str, Any]:
    """Return the compose file as compose itself reads it with these variables, and with these files over it."""
    program = Path(sys.executable).with_name("docker-compose")
    files = [word for file in ("docker-compose.yml", *overrides) for word in ("--file", str(file))]
    command = [str(program), *files, "config", "--format", "json"]
    output = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=True).stdout
    model: dict[str, Any] = json.loads(output)
    return model


def test_made_secrets_are_those_that_compose_mounts(compose: dict[str, Any], tmp_path: Path) -> None:
    """Every secret of the compose file is made, and none that it does not use."""
    assert sorted(make_secrets(tmp_path / "secrets")) == sorted(compose["secrets"])
    assert {Path(secret["file"]) for secret in compose["secrets"].values()} == {
        ROOT / "deploy" / "secrets" / name for name in compose["secrets"]
    }


def test_secrets_are_kept_once_made(tmp_path: Path) -> None:
    """A second run writes nothing, and half a pair is refused rather than completed with another password."""
    folder = tmp_path / "secrets"
    make_secrets(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    assert make_secrets(folder) == []
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before
    (folder / "journal_url").unlink()
    with pytest.raises(FileExistsError, match="journal_password"):
        make_secrets(folder)


def test_secrets_lie_in_a_folder_closed_to_others(tmp_path: Path) -> None:
    """The files can be read inside a container by any user, the folder outside by its owner only."""
    folder = tmp_path / "secrets"
    make_secrets(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir() if file.is_file()} == {0o444}


def test_made_keys_are_usable(tmp_path: Path) -> None:
    """The made keys are what the keyring asks for."""
    folder = tmp_path / "secrets"
    make_secrets(folder)
    for name in ("sealing_keys", "matching_key"):
        text = (folder / name).read_text(encoding="ascii").strip().replace("+", "-").replace("/", "_")
        assert len(read_key(text, name)) == 32


def test_example_names_only_mounted_secrets(compose: dict[str, Any]) -> None:
    """Every file under /run/secrets that the example configuration names is mounted into the door or the console."""
    lines = [line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    named = set(re.findall(r"/run/secrets/(\w+)", "\n".join(lines)))
    mounted = {
        secret["source"] for service in ("ingress", "console") for secret in compose["services"][service]["secrets"]
    }
    assert len(named) > 8
    assert named <= mounted


def test_console_can_read_all_that_it_looks_at(compose: dict[str, Any], tmp_path: Path) -> None:
    """The page's certificates, the keyring and the token are mounted into the console; the door's key is not."""
    made, mounted = tmp_path / "made", tmp_path / "mounted"
    make_secrets(made)
    mounted.mkdir()
    for secret in compose["services"]["console"]["secrets"]:
        shutil.copy(made / secret["source"], mounted)
    file = tmp_path / "configuration.toml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace("/run/secrets", str(mounted)), encoding="utf-8")
    configuration = load_configuration(str(file))
    assert configuration.tls is not None
    assert configuration.console is not None
    found = look_at_files(configuration.tls)
    assert [certificate.name for certificate in found if certificate.days is None] == []
    assert len(found) == 2
    assert load_keyring(configuration.sealing)
    assert configuration.console.token.reveal("console.token")
    assert not Path(configuration.tls.key).exists()


def test_example_pins_the_development_sender() -> None:
    """The certificate that is made for trying the compose file out is the one that its configuration admits."""
    source = load_configuration(str(EXAMPLE)).source("ethoca")
    assert source is not None
    assert source.subjects == (CLIENT_SUBJECT.split(",")[0],)


def test_services_are_confined(compose: dict[str, Any]) -> None:
    """Every service runs without capabilities, without new privileges, on a read-only root, as a numbered user."""
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert "build" in service or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    """Nothing is published beyond this machine unless it is asked for, and only the door and the console at all."""
    published = {
        name: [port["host_ip"] for port in service["ports"]]
        for name, service in compose["services"].items()
        if service.get("ports")
    }
    assert published == {"nginx": ["127.0.0.1"], "console": ["127.0.0.1"]}


def test_door_reaches_the_journal_and_nothing_else(compose: dict[str, Any]) -> None:
    """The network of the ingress is closed, and neither the database, the broker nor the workshop is on it."""
    services = compose["services"]
    assert list(services["ingress"]["networks"]) == ["door"]
    assert compose["networks"]["door"]["internal"] is True
    assert {name for name, service in services.items() if "door" in service["networks"]} == {
        "ingress",
        "platform",
        "journal",
    }


def test_documented_override_has_the_parts_traced(tmp_path: Path) -> None:
    """With the override of docs/metrics.md door, drain and forward have the collector, and each reaches it."""
    (override,) = re.findall(r"```yaml\n(# docker-compose\.override\.yml\n.*?)```", METRICS.read_text(), re.DOTALL)
    (tmp_path / "override.yml").write_text(override, encoding="utf-8")
    services = read_compose({"EXTRAS": "tracing"}, tmp_path / "override.yml")["services"]
    traced = {name for name, service in services.items() if set(service.get("environment") or {}) & set(ENDPOINTS)}
    assert traced == {"ingress", "drain", "forward"}
    for name in traced:
        assert set(services[name]["networks"]) & set(services["collector"]["networks"])
    for name, service in services.items():
        built = Path(service.get("build", {}).get("dockerfile", "")).stem
        assert service.get("build", {}).get("args") == ({"EXTRAS": "tracing"} if built in TRACED else None), name


def test_pools_grow_by_a_word_in_the_environment() -> None:
    """Each pool has as many containers as its variable says, one unless it is set; the document names every one."""
    variables = {f"{pool.upper()}_REPLICAS": str(3 + place) for place, pool in enumerate(POOLS)}
    for given, expected in (({}, [1, 1, 1]), (variables, [3, 4, 5])):
        services = read_compose(given | {"COMPOSE_PROFILES": "enrich"})["services"]
        assert [services[pool]["deploy"]["replicas"] for pool in POOLS] == expected
    door = {"INGRESS_WORKERS": "5"}
    assert read_compose(door)["services"]["ingress"]["environment"]["INGRESS_WORKERS"] == "5"
    document = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert all(f"`{word}" in document for word in (*variables, *door, "COMPOSE_PROFILES=enrich"))


def test_compose_file_holds_no_password(compose: dict[str, Any]) -> None:
    """No environment variable of any service holds an address with a password, or a password."""
    for name, service in compose["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            assert "@" not in value, (name, variable)
            assert not re.search("PASSWORD$|SECRET$|TOKEN$|KEY$", variable), (name, variable)
