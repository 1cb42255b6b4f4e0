"""The commands of docs/kubernetes.md are right for the manifests."""

import re
import shlex

import pytest

from tests.kubernetes import FOLDER, GUIDE, ROOT, containers, of_kind, pods, read_kustomization

TEXT = GUIDE.read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
KINDS = {
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "service": "Service",
    "job": "Job",
    "scaledobject": "ScaledObject",
    "hpa": "HorizontalPodAutoscaler",
}
# As they stand in blocks, where a long one goes on behind a backslash or a pipe, and between the lines.
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LINES = re.sub(r"(\\|(\|))\n\s*", r"\2 ", "".join(BLOCKS)).splitlines()
COMMANDS = [line.partition("  #")[0] for line in LINES if line.startswith("kubectl ")]
COMMANDS += re.findall(r"`(kubectl [^`]*)`", re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE))
TABLE = TEXT.partition("| where the runbook says")[2].partition("\n\n")[0].splitlines()[2:]


def test_guide_names_what_is_there() -> None:
    """Workloads, services, scaled objects and the labels of pods are those of the manifests."""
    assert len(COMMANDS) > 20
    named = re.findall(rf"\b({'|'.join(KINDS)})[/ ]([a-z]+)\b", "\n".join([*COMMANDS, *TABLE]))
    assert {kind for kind, _ in named} == KINDS.keys()
    for kind, name in named:
        assert name in of_kind(KINDS[kind]), (kind, name)
    assert set(re.findall(r"app\.kubernetes\.io/name=(\w+)", TEXT)) <= dict(pods()).keys()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_containers_and_ports_that_are_there(command: str) -> None:
    """A container is one of its workload, and what has several is asked for one; a forwarded port is the service's."""
    words = shlex.split(command)
    if re.search(r"\b(exec|logs)\b", command) and (
        asked := re.search(r"(?:deployment/|statefulset/|/name=)(\w+)", command)
    ):
        own = [container["name"] for workload, container in containers() if workload == asked[1]]
        assert "--container" in words or len(own) == 1
        assert "--container" not in words or words[words.index("--container") + 1] in own
    if "port-forward" in words:
        name, port = words[-2].removeprefix("service/"), int(words[-1].partition(":")[2])
        assert port in {offered["port"] for offered in of_kind("Service")[name]["spec"]["ports"]}


@pytest.mark.parametrize("command", [command for command in COMMANDS if re.search(r"\bexec\b", command)])
def test_commands_that_read_are_given_what_they_read(command: str) -> None:
    """Without `-i` a command in a pod finds its standard input closed: whatever reads has it, and nothing else."""
    reads = "<" in command or "|" in command
    assert (" exec -i " in command) == reads


def test_table_answers_the_runbook() -> None:
    """Each row begins with words of the runbook, and none of its places is left out."""
    assert TABLE
    for row in TABLE:
        first = row.split(" | ")[0].removeprefix("| ")
        for words in re.findall(r"`([^`]+)`", first):
            assert words in RUNBOOK or words.startswith("psql"), words
    listed = "\n".join(TABLE)
    for words in (
        "alert-intake doctor",
        "FILE",
        "log",
        "/readyz",
        "redis-cli",
        "psql",
        "rollout restart",
        "ReplicaCount",
    ):
        assert words in listed, words


def test_bounds_are_changed_where_they_stand() -> None:
    """The number of drains is KEDA's: what the table changes are fields that its object has."""
    (patch,) = re.findall(r"patch scaledobject/drain --type merge --patch '(.+?)'`", TEXT)
    fields = re.findall(r'"(\w+)": \d', patch)
    assert fields
    assert set(fields) <= of_kind("ScaledObject")["drain"]["spec"].keys()
    assert not re.search(r"kubectl [^`]*\bscale deployment/(drain|forward|ingress)", TEXT)


def test_guide_names_the_namespace() -> None:
    """Each command says a namespace, or relies on the one that the guide has set first: that of the manifests."""
    namespace = read_kustomization(FOLDER)["namespace"]
    assert f"kubectl config set-context --current --namespace {namespace}" in COMMANDS
    assert set(re.findall(r"--namespace (\S+)", "\n".join(COMMANDS))) == {namespace, "monitoring"}
