"""Ask a server everything that its OpenAPI description allows, and what it does not, with schemathesis."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Not demanded: that whatever fits the description is taken. It cannot say which texts are cursors, or URLs that may be
# delivered to.
EXCLUDED = "positive_data_acceptance"
# A certain number of requests, however slow the machine is. With a time instead, random ones go on until it is over.
SHORT = ("--phases", "examples,coverage,fuzzing", "--max-examples", "3")
# What a path may hold and random texts of a short run may not.
STRANGE = {"control": {"value": "\0"}, "blank": {"value": " "}, "foreign": {"value": "\u00fc\U0001f600"}}
LIMIT = 240  # seconds, after which it is taken for hung


def ask_everything(description: dict[str, Any], url: str, folder: Path, *options: str) -> str:
    """Run schemathesis against the server; return its report, empty when all is well."""
    place = folder / "openapi.json"
    place.write_text(json.dumps(spell_out(description)))
    program = str(Path(sys.executable).parent / "schemathesis")
    command = [program, "run", str(place), "--url", url, "--request-timeout", "20"]
    command += ["--exclude-checks", EXCLUDED, "--continue-on-failure", "--no-color", "--warnings", "off", *options]
    limit = LIMIT if "--max-time" not in options else None
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=limit)
    return result.stdout + result.stderr if result.returncode else ""


def for_seconds(seconds: int) -> tuple[str, ...]:
    """Return the options of a run that goes on for so long, with sequences of requests, too."""
    return ("--max-time", str(seconds))


def spell_out(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description with what schemathesis does not know spelt out: parameters that may be empty."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter.get("allowEmptyValue"):
                    parameter["schema"] = {"anyOf": [parameter["schema"], {"const": ""}]}
    return description


def name_ids(description: dict[str, Any], ids: dict[str, list[str]]) -> dict[str, Any]:
    """Return the description with ids that there are, by the start of the path, beside any text whatever.

    Random ids alone would only be unknown; those that there are alone would not show what else a path may hold.
    """
    for path, operations in description["paths"].items():
        known = next((known for start, known in ids.items() if path.startswith(start)), [])
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and known:
                    parameter["schema"] = {"anyOf": [{"type": "string", "enum": known}, {"type": "string"}]}
                    parameter["examples"] = {"known": {"value": known[0]}, **STRANGE}
    return description


def close_answers(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description with answers that hold what it says and nothing else, so that nothing goes undescribed.

    It leaves them open, since what is new may come to them; what there is today it must name.
    """
    schemas = description["components"]["schemas"]

    def close(node: Any) -> Any:  # noqa: ANN401 - a piece of JSON
        if isinstance(node, list):
            return [close(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "allOf" in node:
            parts = [close(schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part)
                     for part in node["allOf"]]  # fmt: skip
            return {
                "type": "object",
                "properties": {name: schema for part in parts for name, schema in part["properties"].items()},
                "required": [name for part in parts for name in part["required"]],
                "additionalProperties": False,
            }
        closed = {name: close(each) for name, each in node.items()}
        named = node.get("type") == "object" and "properties" in node
        return {"additionalProperties": False, **closed} if named else closed

    description["components"]["schemas"] = {name: close(schema) for name, schema in schemas.items()}
    for operations in description["paths"].values():
        for operation in operations.values():
            operation["responses"] = close(operation["responses"])
    return description
