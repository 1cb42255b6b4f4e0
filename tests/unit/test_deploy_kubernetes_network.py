"""The network policies: who may speak to whom, and to nobody else."""

import json
import re
from urllib.parse import urlsplit

from schemas.telemetry.tracing import ENDPOINTS
from tests.kubernetes import FOLDER, MANIFESTS, list_egress, of_kind, read_kustomization, read_manifests

REDIS_PORT = [{"port": 6379, "protocol": "TCP"}]
JOURNAL = {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "journal"}}}], "ports": REDIS_PORT}


def test_door_reaches_the_journal_and_nothing_else() -> None:
    """Nobody speaks to anybody unless a policy says so, and the door's lets it out to the journal alone."""
    policies = of_kind("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert list_egress(read_manifests("redis", "enrich"), "ingress") == [JOURNAL]


def test_traced_parts_reach_the_collector_that_they_are_told_of() -> None:
    """With the part `tracing` door, drain and forward have its address and a way to its namespace and port."""
    manifests = read_manifests("redis", "tracing")
    told = {
        manifest["metadata"]["name"]: urlsplit(variable["value"])
        for manifest in manifests
        if manifest["kind"] == "Deployment"
        for variable in manifest["spec"]["template"]["spec"]["containers"][0].get("env", [])
        if variable["name"] in ENDPOINTS
    }
    assert told.keys() == {"ingress", "drain", "forward"}
    for name, address in told.items():
        assert address.hostname is not None
        namespace = {"matchLabels": {"kubernetes.io/metadata.name": address.hostname.split(".")[1]}}
        way = {"to": [{"namespaceSelector": namespace}], "ports": [{"port": address.port, "protocol": "TCP"}]}
        assert way in list_egress(manifests, name)
    assert [rule for rule in list_egress(manifests, "ingress") if rule != JOURNAL] == [way]


def test_managed_redis_can_be_reached() -> None:
    """Without the part `redis` no policy or trigger speaks of its pods, and whoever needs a Redis reaches its port."""
    manifests = read_manifests()
    assert read_kustomization(FOLDER)["components"] == []
    assert list_egress(manifests, "ingress") == [{"ports": REDIS_PORT}]
    for name in ("migrate", "drain", "forward", "enrich", "beat", "console"):
        assert {"ports": REDIS_PORT} in list_egress(manifests, name), name
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    assert not re.search('"(journal|broker)"', json.dumps(policies))
    (address,) = [
        trigger["metadata"]["address"]
        for manifest in manifests
        if manifest["kind"] == "ScaledObject"
        for trigger in manifest["spec"]["triggers"]
        if "address" in trigger["metadata"]
    ]
    assert re.fullmatch(r"[\w.-]+\.example\.com:\d+", address)


def test_console_reaches_whatever_enrich_workers_reach() -> None:
    """`alert-intake doctor`, which runs in the console, connects to the server of each look-up, as they do."""
    reached = list_egress(MANIFESTS, "console")
    for rule in list_egress(MANIFESTS, "enrich"):
        assert rule in reached
