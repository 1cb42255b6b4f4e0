"""The table of the failovers."""

from dataclasses import dataclass

HEADINGS = ("journal.replicas", "what happens", "rounds", "pushes", "acknowledged", "lost", "doubled", "seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """What one accident did. `lost`, `doubled` in acknowledged pushes.

    `seconds`: the longest time from the accident until a new push was acknowledged, stored and delivered.
    """

    replicas: int
    accident: str
    rounds: int
    pushes: int
    acknowledged: int
    lost: int
    doubled: int
    seconds: float


def write_table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        HEADINGS,
        ("---:", "---", *["---:"] * 6),
        *(
            (
                str(row.replicas),
                row.accident,
                *map(str, (row.rounds, row.pushes, row.acknowledged, row.lost, row.doubled)),
                f"{row.seconds:.1f}",
            )
            for row in rows
        ),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
