"""How requests are described: what is asked for, in which role, and what comes back."""

from typing import Any

from console.access.caller import Role
from console.paging import MAX_LIMIT
from console.web.asked import DEFAULT_LIMIT
from console.web.openapi.kinds import ID, TEXT, Schema, choice

ONE: dict[str, Any] = {"name": "id", "in": "path", "required": True, "schema": ID}


def query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    """Describe a parameter of the query string. One without a value is the same as none."""
    return {"name": name, "in": "query", "allowEmptyValue": True, "schema": schema, "description": description}


def state(states: tuple[str, ...]) -> dict[str, Any]:
    """Describe the filter by state."""
    return query("state", choice(*states), "Only those in this state.")


def operation(
    name: str,
    summary: str,
    parameters: list[dict[str, Any]],
    schema: Schema,
    media_type: str = "application/json",
    role: Role = "read",
) -> dict[str, Any]:
    """Describe a request that is answered with `schema` to who has the role."""
    return {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "security": [{"token": [role]}],
        "responses": {
            "200": {"description": summary, "content": {media_type: {"schema": schema}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def change(name: str, summary: str, body: Schema, schema: Schema, *, required: bool = True) -> dict[str, Any]:
    """Describe a request that changes the thing of the id in the path, and answers with `schema`."""
    content = {"application/json": {"schema": body}}
    described = operation(name, summary, [ONE], schema, role="operate")
    return described | {"requestBody": {"required": required, "content": content}}


def giving(name: str, summary: str, given: Schema, schema: Schema) -> dict[str, Any]:
    """Describe a POST of `given` that is answered with `schema`."""
    described = operation(name, summary, [], schema, role="operate")
    return described | {"requestBody": {"required": True, "content": {"application/json": {"schema": given}}}}


def adding(name: str, summary: str, given: Schema, schema: Schema) -> dict[str, Any]:
    """Describe a POST that makes something."""
    described = giving(name, summary, given, schema)
    described["responses"]["201"] = described["responses"].pop("200")
    return described


def removal(name: str, summary: str) -> dict[str, Any]:
    """Describe a DELETE."""
    described = operation(name, summary, [ONE], {}, role="operate")
    described["responses"] = {"204": {"description": summary}, "default": described["responses"]["default"]}
    return described


def listing(name: str, summary: str, parameters: list[dict[str, Any]], schema: Schema) -> dict[str, Any]:
    """Describe a list with a cursor."""
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    paging = [
        query("limit", limit, "At most this many rows."),
        query("cursor", TEXT, "Where the list was left: a cursor of an earlier answer, with the same filters."),
    ]
    return operation(name, summary, [*parameters, *paging], schema)
