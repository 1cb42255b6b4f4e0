"""The description of the API holds together, and says what the code answers."""

from collections.abc import Iterator
from typing import Any

from console.access.caller import role_needed
from console.web.openapi.alerts import ALERT
from console.web.openapi.document import describe_api
from schemas.alert.alert import Alert
from schemas.alert.presented import present_alert


def references(node: object) -> Iterator[str]:
    """Yield every $ref below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    """Each $ref names a component that is there, and each schema is referred to."""
    document = describe_api()
    found = set(references(document))
    for target in found:
        node: Any = document
        for part in target.removeprefix("#/").split("/"):
            node = node[part]
    assert {target.rpartition("/")[2] for target in found if "/schemas/" in target} == set(
        document["components"]["schemas"]
    )


def test_operations_have_names_of_their_own() -> None:
    """Generated clients name their functions after operationId."""
    names = [operation["operationId"] for path in describe_api()["paths"].values() for operation in path.values()]
    assert "alerts" in names
    assert len(names) == len(set(names))


def test_alert_is_described_as_it_is_presented() -> None:
    """The schema of an alert has exactly the keys of one, nested ones too."""
    alert = Alert("1", "ethoca", "A1", "ethoca", "other", "open", "2026-11-20T17:11:05.000Z")
    presented = present_alert(alert)
    assert list(ALERT["properties"]) == list(presented)
    for name in ("card", "transaction", "merchant", "details"):
        assert list(ALERT["properties"][name]["properties"]) == list(presented[name])


def test_each_request_names_its_role() -> None:
    """What the description says of roles is what the method is admitted with."""
    for path, operations in describe_api()["paths"].items():
        for method, operation in operations.items():
            assert operation["security"] == [{"token": [role_needed(method.upper())]}], (path, method)
