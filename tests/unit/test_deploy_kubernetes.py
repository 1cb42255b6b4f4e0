"""The manifests for Kubernetes fit together, and fit the compose file, the images and the example configuration."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.configuration import load_configuration

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
PARTS = ("redis", "enrich")
Manifest = dict[str, Any]


def read_manifests() -> list[Manifest]:
    """Return every manifest that the kustomizations name, the optional parts included."""
    files = [FOLDER / name for name in read_kustomization(FOLDER)["resources"]]
    for part in PARTS:
        files += [FOLDER / part / name for name in read_kustomization(FOLDER / part)["resources"]]
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def read_kustomization(folder: Path) -> Manifest:
    """Return the kustomization of a folder."""
    kustomization: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return kustomization


MANIFESTS = read_manifests()


def pods() -> Iterator[tuple[str, Manifest]]:
    """Yield the name of each workload with the specification of its pods."""
    for manifest in MANIFESTS:
        if manifest["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, Manifest]]:
    """Yield each container with the name of its workload."""
    for name, pod in pods():
        for container in pod["containers"]:
            yield name, container


def of_kind(kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by name."""
    return {manifest["metadata"]["name"]: manifest for manifest in MANIFESTS if manifest["kind"] == kind}


@pytest.fixture(scope="module")
def compose() -> Manifest:
    """Return the compose file as compose itself reads it."""
    program = str(Path(sys.executable).with_name("docker-compose"))
    command = [program, "--file", "docker-compose.yml", "--profile", "*", "config", "--format", "json"]
    model: Manifest = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return model


def test_every_file_is_named_by_a_kustomization() -> None:
    """No manifest lies about unused, and the parts that are off are folders of their own."""
    named = {FOLDER / name for name in read_kustomization(FOLDER)["resources"]} | {FOLDER / "kustomization.yaml"}
    for part in PARTS:
        named |= {FOLDER / part / name for name in read_kustomization(FOLDER / part)["resources"]}
        named.add(FOLDER / part / "kustomization.yaml")
    assert named == set(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=[name for name, _ in pods()])
def test_pods_are_confined(name: str, pod: Manifest) -> None:
    """Every pod runs as a numbered user without root, capabilities, a writable root or the way to the cluster's API."""
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def test_secrets_are_those_of_compose(compose: Manifest) -> None:
    """Each part is given the secrets that compose gives it and no other; the console all, for the doctor."""
    given = {
        name: {
            item["key"]
            for volume in pod["volumes"]
            if "secret" in volume
            for item in volume["secret"].get("items", [{"key": "all"}])
        }
        for name, pod in pods()
    }
    for name, service in compose["services"].items():
        if name in given and name != "console":
            assert given[name] == {secret["source"] for secret in service["secrets"]}, name
    assert given["console"] == {"all"}
    assert given.keys() - {"console"} <= compose["services"].keys()


def test_environment_is_that_of_compose(compose: Manifest) -> None:
    """Each part knows the variables that compose sets for it, at the least; the door listens on the network."""
    for name, container in containers():
        service = "platform" if container["name"] == "platform" else name
        if name in ("journal", "broker"):
            continue
        given = {variable["name"] for variable in container["env"]}
        expected = set(compose["services"][service]["environment"]) - {"INGRESS_BIND", "INGRESS_WORKERS"}
        assert expected <= given, name


def test_commands_are_those_of_compose(compose: Manifest) -> None:
    """Workers, beat and the migration are started by the same commands."""
    for name, container in containers():
        if name in ("drain", "forward", "enrich", "beat", "migrate"):
            command = [word for word in container.get("command", []) if word != "start"] + container.get("args", [])
            assert command == compose["services"][name]["command"], name


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


def test_every_workload_may_be_moved() -> None:
    """Whatever runs more than once has a budget of disruption, and its selector finds it."""
    budgets = {
        manifest["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        for manifest in of_kind("PodDisruptionBudget").values()
    }
    assert budgets == {"ingress", "drain", "forward", "beat", "console"}


def test_probes_ask_ports_that_are_there() -> None:
    """Each probe and each service names a port of its container, and whatever serves has a probe."""
    for name, container in containers():
        ports = {port["name"] for port in container.get("ports", [])}
        for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
            if kind in container:
                asked = container[kind].get("httpGet") or container[kind]["tcpSocket"]
                assert asked["port"] in ports, (name, kind)
        assert not ports or {"livenessProbe", "readinessProbe"} & container.keys(), name
    offered = {(name, port["name"]) for name, container in containers() for port in container.get("ports", [])}
    for name, service in of_kind("Service").items():
        assert {(name, port["targetPort"]) for port in service["spec"]["ports"]} <= offered


def test_door_reaches_the_journal_and_nothing_else() -> None:
    """Nobody speaks to anybody unless a policy says so, and the door's lets it out to the journal alone."""
    policies = of_kind("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached = []
    for policy in policies.values():
        selector = policy["spec"]["podSelector"]
        selected = [
            value for expression in selector.get("matchExpressions", []) for value in expression.get("values", [])
        ] + list(selector.get("matchLabels", {}).values())
        if "ingress" in selected:
            reached += policy["spec"].get("egress", [])
    assert reached == [
        {
            "to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "journal"}}}],
            "ports": [{"port": 6379, "protocol": "TCP"}],
        }
    ]


def test_configuration_names_only_secrets_that_the_door_is_given() -> None:
    """Every file under /run/secrets that the configuration names is among those that the door or the console has."""
    text = (FOLDER / "alert-intake.toml").read_text(encoding="utf-8")
    named = set(re.findall(r"/run/secrets/(\w+)", text)) - {"console_token"}
    door = next(pod for name, pod in pods() if name == "ingress")
    given = {item["key"] for volume in door["volumes"] if "secret" in volume for item in volume["secret"]["items"]} - {
        "journal_url"
    }
    assert named == given


def test_images_are_those_of_compose(compose: Manifest) -> None:
    """Each workload runs the image that compose builds for it."""
    for name, container in containers():
        assert container["image"] == compose["services"][name]["image"], name
