"""The network policies: who may speak to whom, and to nobody else."""

import json
import re

from tests.kubernetes import FOLDER, MANIFESTS, list_egress, of_kind, read_kustomization, read_manifests

REDIS_PORT = [{"port": 6379, "protocol": "TCP"}]


def test_door_reaches_the_journal_and_nothing_else() -> None:
    """Nobody speaks to anybody unless a policy says so, and the door's lets it out to the journal alone."""
    policies = of_kind("NetworkPolicy")
    assert policies["nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert list_egress(MANIFESTS, "ingress") == [
        {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "journal"}}}], "ports": REDIS_PORT}
    ]


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
