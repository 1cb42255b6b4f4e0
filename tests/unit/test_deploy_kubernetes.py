"""The manifests for Kubernetes fit together, and fit the compose file, the images and the example configuration."""

import re

import pytest

from tests.kubernetes import (
    FOLDER,
    GUIDE,
    PARTS,
    Manifest,
    containers,
    of_kind,
    pods,
    read_compose,
    read_kustomization,
)


@pytest.fixture(scope="module")
def compose() -> Manifest:
    """Return the compose file as compose itself reads it."""
    return read_compose()


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


def test_every_workload_may_be_moved() -> None:
    """Whatever runs more than once has a budget of disruption, and its selector finds it."""
    budgets = {
        manifest["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        for manifest in of_kind("PodDisruptionBudget").values()
    }
    assert budgets == {"ingress", "drain", "forward", "enrich", "beat", "console"}


def test_door_takes_pushes_until_no_load_balancer_believes_in_it(compose: Manifest) -> None:
    """All of its pod goes on for 30 seconds, and then has as long to end as with compose; the guide says so."""
    pod = dict(pods())["ingress"]
    pauses = {container["name"]: container["lifecycle"]["preStop"] for container in pod["containers"]}
    assert pauses == {"door": {"sleep": {"seconds": 30}}, "platform": {"sleep": {"seconds": 30}}}
    grace = pod["terminationGracePeriodSeconds"]
    assert grace - 30 >= int(compose["services"]["ingress"]["stop_grace_period"].removesuffix("s"))
    guide = GUIDE.read_text(encoding="utf-8")
    assert f"the door within {grace} seconds" in guide
    assert "Kubernetes 1.30 or newer" in guide


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
    for service in of_kind("Service").values():
        of = service["spec"]["selector"]["app.kubernetes.io/name"]
        assert {(of, port["targetPort"]) for port in service["spec"]["ports"]} <= offered


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
