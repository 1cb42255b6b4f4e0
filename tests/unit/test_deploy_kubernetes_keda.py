"""KEDA's objects hold what KEDA 2.11 knows: its kinds are not among those that `make check` validates."""

from typing import Any

import jsonschema_rs
import pytest

from tests.kubernetes import Manifest, of_kind

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
FLAG: Schema = {"enum": ["true", "false"]}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these keys and no other."""
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def trigger(name: str, required: dict[str, Schema], optional: dict[str, Schema]) -> Schema:
    """Return the schema of a trigger of one type. All that its metadata holds is text, numbers too."""
    metadata = record(required, optional)
    return record({"type": {"const": name}, "metadata": metadata, "authenticationRef": record({"name": TEXT})})


# As far as they are used here. By https://keda.sh/docs/2.11, "Scaling Deployments" and the pages of the two scalers.
TRIGGERS = [
    trigger(
        "redis-streams",
        {"address": {"type": "string", "pattern": r"^[\w.-]+:\d+$"}, "stream": TEXT, "consumerGroup": TEXT,
         "lagCount": NUMBER},
        {"activationLagCount": NUMBER, "enableTLS": FLAG, "unsafeSsl": FLAG, "databaseIndex": NUMBER},
    ),
    trigger("postgresql", {"query": TEXT, "targetQueryValue": NUMBER}, {"activationTargetQueryValue": NUMBER}),
]  # fmt: skip
SPECIFICATIONS = {
    "ScaledObject": record(
        {"scaleTargetRef": record({"name": TEXT}), "triggers": {"type": "array", "minItems": 1,
                                                                "items": {"oneOf": TRIGGERS}}},
        {**dict.fromkeys(("pollingInterval", "cooldownPeriod", "minReplicaCount", "maxReplicaCount"), COUNT),
         "fallback": record({"failureThreshold": COUNT, "replicas": COUNT})},
    ),
    "TriggerAuthentication": record({"secretTargetRef": {
        "type": "array", "minItems": 1, "items": record({"parameter": TEXT, "name": TEXT, "key": TEXT})}}),
}  # fmt: skip
OBJECTS = [(kind, name, manifest) for kind in SPECIFICATIONS for name, manifest in of_kind(kind).items()]


@pytest.mark.parametrize(("kind", "name", "manifest"), OBJECTS, ids=[f"{kind}-{name}" for kind, name, _ in OBJECTS])
def test_object_is_one_that_keda_takes(kind: str, name: str, manifest: Manifest) -> None:
    """Each has the fields that its kind needs, none that it does not know, and values of their types."""
    whole = record(
        {
            "apiVersion": {"const": "keda.sh/v1alpha1"},
            "kind": {"const": kind},
            "metadata": record({"name": {"const": name}}),
            "spec": SPECIFICATIONS[kind],
        }
    )
    errors = jsonschema_rs.Draft202012Validator(whole).iter_errors(manifest)
    assert [f"{error.instance_path}: {error.message}" for error in errors] == []


def test_pools_end_no_lower_than_they_fall_back_to() -> None:
    """Fewest, fallback and most are in this order, so that a cluster that cannot ask is within what it may be."""
    for manifest in of_kind("ScaledObject").values():
        spec = manifest["spec"]
        assert spec["minReplicaCount"] <= spec["fallback"]["replicas"] <= spec["maxReplicaCount"]
