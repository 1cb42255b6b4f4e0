"""What scales the pools asks where the work waits, and can read what it is given."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.make_secrets import make_secrets
from schemas.settings.configuration import load_configuration
from tests.kubernetes import FOLDER, GUIDE, of_kind, read_kustomization

LITERALS = dict(re.findall(r'--from-literal=(\w+)="(\$\(.+?\))"', GUIDE.read_text(encoding="utf-8")))
ASKED = [
    (reference["parameter"], reference["key"])
    for manifest in of_kind("TriggerAuthentication").values()
    for reference in manifest["spec"]["secretTargetRef"]
]


def test_scaled_workloads_set_no_number_of_their_own() -> None:
    """What an autoscaler scales is not set back when the manifests are applied again."""
    scaled = [manifest["spec"]["scaleTargetRef"]["name"] for manifest in of_kind("ScaledObject").values()]
    scaled += [manifest["spec"]["scaleTargetRef"]["name"] for manifest in of_kind("HorizontalPodAutoscaler").values()]
    deployments = of_kind("Deployment")
    assert sorted(scaled) == ["drain", "forward", "ingress"]
    for name in scaled:
        assert "replicas" not in deployments[name]["spec"]


def test_pools_are_scaled_by_what_the_workers_work_on() -> None:
    """KEDA looks at the stream and the group of the journal, and at a query that the tables can answer."""
    scaled = of_kind("ScaledObject")
    configuration = load_configuration(str(FOLDER / "alert-intake.toml"))
    (stream,) = scaled["drain"]["spec"]["triggers"]
    assert stream["type"] == "redis-streams"
    assert (stream["metadata"]["stream"], stream["metadata"]["consumerGroup"]) == (
        configuration.journal.stream,
        "drain",
    )
    (due,) = scaled["forward"]["spec"]["triggers"]
    assert due["type"] == "postgresql"
    authentications = of_kind("TriggerAuthentication")
    for manifest in scaled.values():
        assert manifest["spec"]["minReplicaCount"] >= 1
        for trigger in manifest["spec"]["triggers"]:
            (reference,) = authentications[trigger["authenticationRef"]["name"]]["spec"]["secretTargetRef"]
            assert reference["name"] == "alert-intake"


def test_redis_of_the_folder_is_where_the_autoscaler_asks() -> None:
    """KEDA asks from its own namespace: the address names the service of the journal, its namespace and its port."""
    (trigger,) = of_kind("ScaledObject")["drain"]["spec"]["triggers"]
    namespace = read_kustomization(FOLDER)["namespace"]
    (port,) = of_kind("Service")["journal"]["spec"]["ports"]
    assert trigger["metadata"]["address"] == f"journal.{namespace}.svc:{port['port']}"


def test_no_trigger_reads_a_key_that_is_made_from_a_file(tmp_path: Path) -> None:
    """The files end with a newline that the pods strip and KEDA does not: its keys are made by the guide, literally."""
    keys = {key for _, key in ASKED}
    assert keys.isdisjoint(make_secrets(tmp_path / "secrets"))
    assert keys <= LITERALS.keys()


@pytest.mark.parametrize(("parameter", "key"), ASKED, ids=[key for _, key in ASKED])
def test_keys_of_the_triggers_are_what_their_servers_expect(tmp_path: Path, parameter: str, key: str) -> None:
    """What the guide makes of the files is one word: the password of the journal, the address of the database."""
    folder = tmp_path / "deploy" / "secrets"
    make_secrets(folder)
    made = subprocess.run(
        ["sh", "-c", f'printf %s "{LITERALS[key]}"'], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    file = {"password": "journal_url", "connection": "database_url"}[parameter]
    address = (folder / file).read_text(encoding="ascii").rstrip("\n")
    assert made == (urlsplit(address).password if parameter == "password" else address)
    assert re.fullmatch(r"\S+", made)
