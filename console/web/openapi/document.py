"""The whole description, put together of its parts."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from console.web.openapi import alerts, deliveries, operations, rejections, subscriptions
from console.web.openapi.kinds import NUMBER, TEXT, Schema, record, reference

PARTS = (alerts, rejections, subscriptions, deliveries, operations)
DESCRIPTION = (
    "Times are UTC ISO 8601, money is a decimal string, ids are strings. An unknown parameter is an error. "
    "The list of alerts is in the order in which they were stored and never skips or repeats one while others are "
    "being stored: walk it by next_cursor, keep resume_cursor, and come back with it for what is new. What happens to "
    "them afterwards is in the stream of events. A token has the role read or operate; each request names the one that "
    "it needs."
)

PROBLEM: Schema = record(type=TEXT, title=TEXT, status=NUMBER, detail=TEXT)


def describe_api() -> dict[str, Any]:
    """Return the whole description."""
    schemas: dict[str, Schema] = {"Problem": PROBLEM}
    paths: dict[str, Any] = {}
    for part in PARTS:
        schemas |= part.SCHEMAS
        paths |= part.PATHS
    return {
        "openapi": "3.1.0",
        "info": {"title": "alert-intake", "version": installed_version(), "description": DESCRIPTION},
        "security": [{"token": ["read"]}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "What could not be answered, and why (RFC 9457).",
                    "content": {"application/problem+json": {"schema": reference("Problem")}},
                }
            },
        },
    }


def installed_version() -> str:
    """Return the version of the product."""
    try:
        return version("alert-intake")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"
