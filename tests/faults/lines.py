"""The lines of a table as they are kept in a file, so that a run that was broken off can be continued."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.running import ROOT


@dataclass(frozen=True, slots=True)
class Line:
    """A row and the test it is of. `place`: where it stands among all tests; `revision`: what was tested."""

    test: str
    place: int
    injected: int
    cells: list[str]
    revision: str = ""


def rows_file(file: Path) -> Path:
    """Return where the rows of a table lie."""
    return file.with_suffix(".jsonl")


def read_lines(file: Path) -> Iterator[Line]:
    """Read the rows of an earlier run."""
    if rows_file(file).exists():
        for line in rows_file(file).read_text(encoding="utf-8").splitlines():
            yield Line(**json.loads(line))


def read_revision() -> str:
    """Return the commit that is checked out, and that something is changed; nothing where that cannot be told."""
    command = ("git", "describe", "--always", "--dirty", "--abbrev=12", "--match=")
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return said.stdout.strip()
