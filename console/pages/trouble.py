"""One thing that is wrong, as the first page tells of it."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["bad", "warn"]
Link = tuple[str, str]  # endpoint, label


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong. `advice` says what to do; `command` or `link` does it."""

    level: Level
    what: str
    advice: str
    command: str | None = None
    link: Link | None = None
