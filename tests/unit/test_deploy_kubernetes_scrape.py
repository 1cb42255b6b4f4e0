"""Prometheus finds on Kubernetes what it finds with compose, under the names that the rules go by, and is let in."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kubernetes import FOLDER, GUIDE, ROOT, Manifest, of_kind, pods, read_kustomization, selected_by

PROMETHEUS = ROOT / "deploy" / "prometheus"
POD = "__meta_kubernetes_pod_"
# Job -> workload and port, of all parts that tell of themselves.
EXPECTED = {
    "alert-intake-door": {("ingress", 8081)},
    "alert-intake-workers": {("drain", 8083), ("forward", 8083), ("enrich", 8083)},
    "alert-intake-stores": {("console", 8082)},
}


def read_jobs(name: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a scrape configuration by name."""
    settings = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))
    return {job["job_name"]: job for job in settings["scrape_configs"]}


@pytest.fixture(scope="module")
def jobs() -> dict[str, dict[str, Any]]:
    """Return the jobs for Kubernetes."""
    return read_jobs("kubernetes.yml")


def discover(phase: str) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield what Prometheus discovers by the role `pod`: workload, port and labels of each port of each container."""
    for name, pod in pods():
        for container in pod["containers"]:
            for port in container.get("ports", []):
                labels = {"name": f"{name}-1", "phase": phase, "container_port_name": port["name"]}
                labels["label_app_kubernetes_io_name"] = name
                yield name, port["containerPort"], {POD + label: value for label, value in labels.items()}


def relabel(rules: list[dict[str, Any]], labels: dict[str, str]) -> dict[str, str] | None:
    """Return the labels of a target as the rules of a job leave them; None when they drop it."""
    for rule in rules:
        value = ";".join(labels.get(source, "") for source in rule["source_labels"])
        if rule.get("action", "replace") == "replace":
            labels = labels | {rule["target_label"]: value}
        else:
            assert rule["action"] == "keep"
            if not re.fullmatch(rule["regex"], value):
                return None
    return labels


def test_jobs_are_those_of_compose(jobs: dict[str, dict[str, Any]]) -> None:
    """Names and authorization are the same: the rules go by the names, and the console alone wants its token."""
    known = read_jobs("prometheus.yml")
    assert list(jobs) == list(known) == list(EXPECTED)
    for name, job in jobs.items():
        assert ("authorization" in job) == ("authorization" in known[name]), name
    assert jobs["alert-intake-stores"]["authorization"]["credentials_file"].endswith("/console_token")


@pytest.mark.parametrize("job", EXPECTED)
def test_each_job_finds_its_pods(jobs: dict[str, dict[str, Any]], job: str) -> None:
    """It looks into the namespace of the manifests, finds the ports of its parts that run, and names the pods."""
    (settings,) = jobs[job]["kubernetes_sd_configs"]
    assert settings == {"role": "pod", "namespaces": {"names": [read_kustomization(FOLDER)["namespace"]]}}
    found = set()
    for name, port, labels in discover("Running"):
        kept = relabel(jobs[job]["relabel_configs"], labels)
        if kept is not None:
            found.add((name, port))
            assert kept["instance"] == f"{name}-1"
    assert found == EXPECTED[job]
    for phase in ("Pending", "Succeeded", "Failed"):
        assert all(relabel(jobs[job]["relabel_configs"], labels) is None for _, _, labels in discover(phase)), phase


@pytest.mark.parametrize("job", EXPECTED)
def test_prometheus_is_let_in(job: str) -> None:
    """The namespace with the label that the guide has put on it may ask each port that is scraped."""
    (label,) = re.findall(r"kubectl label namespace \S+ (\S+)=true", GUIDE.read_text(encoding="utf-8"))
    allowed = {
        (name, port["port"])
        for policy in of_kind("NetworkPolicy").values()
        for rule in policy["spec"].get("ingress", [])
        if {"namespaceSelector": {"matchLabels": {label: "true"}}} in rule.get("from", [])
        for name in selected_by(policy)
        for port in rule["ports"]
    }
    assert EXPECTED[job] <= allowed


def test_guide_lets_prometheus_see_the_pods() -> None:
    """It names the scrape configuration, and what the role `pod` asks of the cluster."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert "deploy/prometheus/kubernetes.yml" in guide
    assert "--verb=get,list,watch --resource=pods" in guide


def test_manifest_names_are_labels() -> None:
    """The label that the jobs go by is on the pods of every workload, with the name of the workload."""
    workloads: dict[str, Manifest] = of_kind("Deployment") | of_kind("StatefulSet") | of_kind("Job")
    for name, manifest in workloads.items():
        assert manifest["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == name
