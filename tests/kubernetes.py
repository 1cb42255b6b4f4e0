"""The manifests of deploy/kubernetes as kustomize puts them together, for the tests that look at them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
GUIDE = ROOT / "docs" / "kubernetes.md"
PARTS = ("redis", "enrich", "tracing")
Manifest = dict[str, Any]


def read_manifests(*parts: str) -> list[Manifest]:
    """Return every manifest that the kustomization names, with these optional parts."""
    manifests = read_resources(FOLDER)
    for part in parts:
        manifests += read_resources(FOLDER / part)
        for patch in read_kustomization(FOLDER / part).get("patches", []):
            apply_patch(manifests, patch)
    return manifests


def read_resources(folder: Path) -> list[Manifest]:
    """Return the manifests that the kustomization of a folder names."""
    files = [folder / name for name in read_kustomization(folder)["resources"]]
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def read_kustomization(folder: Path) -> Manifest:
    """Return the kustomization of a folder."""
    kustomization: Manifest = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    return kustomization


def apply_patch(manifests: list[Manifest], patch: Manifest) -> None:
    """Change the one manifest that a patch is for, as kustomize does; what is replaced must be there."""
    (target,) = [
        manifest
        for manifest in manifests
        if (manifest["kind"], manifest["metadata"]["name"]) == (patch["target"]["kind"], patch["target"]["name"])
    ]
    for operation in yaml.safe_load(patch["patch"]):
        *way, last = operation["path"].split("/")[1:]
        place: Any = target
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        if last == "-":
            place.append(operation["value"])
            continue
        assert (last in place) == (operation["op"] == "replace")
        place[last] = operation["value"]


MANIFESTS = read_manifests(*PARTS)


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


def selected_by(policy: Manifest) -> list[str]:
    """Return the workloads that a network policy names; none when it is for all pods."""
    selector = policy["spec"]["podSelector"]
    listed = [value for expression in selector.get("matchExpressions", []) for value in expression.get("values", [])]
    return listed + list(selector.get("matchLabels", {}).values())


def list_egress(manifests: list[Manifest], name: str) -> list[Manifest]:
    """Return what the policies that name a workload let it out to."""
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    return [rule for policy in policies if name in selected_by(policy) for rule in policy["spec"].get("egress", [])]


def read_compose() -> Manifest:
    """Return the compose file as compose itself reads it."""
    program = str(Path(sys.executable).with_name("docker-compose"))
    command = [program, "--file", "docker-compose.yml", "--profile", "*", "config", "--format", "json"]
    model: Manifest = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return model
