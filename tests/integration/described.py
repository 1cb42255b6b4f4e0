"""Ask a server everything that its OpenAPI description allows, and what it does not, with schemathesis."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# Not demanded: that whatever fits the description is taken. It cannot say which texts are cursors, or URLs that may be
# delivered to.
EXCLUDED = "positive_data_acceptance"
SHORT = ("--phases", "examples,coverage,fuzzing")


def ask_everything(description: dict[str, Any], url: str, folder: Path, seconds: int, *options: str) -> str:
    """Run schemathesis against the server for about so many seconds; return its report, empty when all is well."""
    place = folder / "openapi.json"
    place.write_text(json.dumps(spell_out(description)))
    program = str(Path(sys.executable).parent / "schemathesis")
    command = [program, "run", str(place), "--url", url, "--max-time", str(seconds), "--request-timeout", "20"]
    command += ["--exclude-checks", EXCLUDED, "--continue-on-failure", "--no-color", "--warnings", "off", *options]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=3 * seconds + 120)
    return result.stdout + result.stderr if result.returncode else ""


def spell_out(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description with what schemathesis does not know spelt out: parameters that may be empty."""
    for operations in description["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter.get("allowEmptyValue"):
                    parameter["schema"] = {"anyOf": [parameter["schema"], {"const": ""}]}
    return description


def name_ids(description: dict[str, Any], ids: dict[str, list[str]]) -> dict[str, Any]:
    """Return the description with ids that there are, by the start of the path: random ones would only be unknown."""
    for path, operations in description["paths"].items():
        known = next((known for start, known in ids.items() if path.startswith(start)), [])
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and known:
                    parameter["schema"] = {"type": "string", "enum": known}
    return description
