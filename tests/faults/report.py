"""The rows of the fault suite: one a fault."""

from dataclasses import dataclass, fields

HEADINGS = ("fault", "injected", "pushes", "acknowledged", "refused", "lost", "doubled", "seconds to recover")


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did. `seconds` is the longest time until a new push was acknowledged, stored and delivered."""

    fault: str
    injected: int
    pushes: int
    acknowledged: int
    refused: int
    lost: int
    doubled: int
    seconds: float

    def cells(self) -> list[str]:
        """Return the row as text."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [f"{value:.1f}" if isinstance(value, float) else str(value) for value in values]
