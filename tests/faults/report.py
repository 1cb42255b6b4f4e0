"""The table of the fault suite: one row a fault."""

from collections.abc import Sequence
from dataclasses import dataclass, fields


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
        return [f"{value:.1f}" if isinstance(value, float) else str(value) for value in self.values()]

    def values(self) -> list[object]:
        """Return the values in their order."""
        return [getattr(self, field.name) for field in fields(self)]


HEADINGS = ["fault", "injected", "pushes", "acknowledged", "refused", "lost", "doubled", "seconds to recover"]


def write_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table that also reads well as it is."""
    cells = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]

    def line(values: Sequence[str]) -> str:
        first, *rest = (
            value.ljust(width) if place == 0 else value.rjust(width)
            for place, (value, width) in enumerate(zip(values, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = "|".join(["", "-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:]), ""])
    return "\n".join([line(HEADINGS), rule, *(line(row.cells()) for row in rows)])
