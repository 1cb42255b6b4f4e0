"""The kinds of values that the API speaks in, and how objects and lists of them are described."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
OPTIONAL: Schema = {"type": ["string", "null"]}
TIME: Schema = {"type": "string", "format": "date-time"}
OPTIONAL_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
ID: Schema = {"type": "string", "format": "uuid"}
OPTIONAL_ID: Schema = {"type": ["string", "null"], "format": "uuid"}
NUMBER: Schema = {"type": "integer"}
OPTIONAL_NUMBER: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}


def reference(name: str) -> Schema:
    """Refer to a schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(**properties: Schema) -> Schema:
    """Describe an object all of whose properties are always there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def listed(schema: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": schema}


def page(name: str) -> Schema:
    """Describe a page of a list."""
    return record(data=listed(reference(name)), next_cursor=OPTIONAL)


def choice(*texts: str) -> Schema:
    """Describe one of a few texts."""
    return {"type": "string", "enum": list(texts)}


DONE = listed(record(at=TIME, actor=TEXT, action=TEXT, note=OPTIONAL))
