"""The rows of the failovers."""

from dataclasses import dataclass

HEADINGS = ("journal.replicas", "what happens", "rounds", "pushes", "acknowledged", "lost", "doubled", "seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """What one accident did, so many times. `lost`, `doubled` in acknowledged pushes.

    `seconds`: the longest time from the accident until a new push was acknowledged, stored and delivered.
    """

    replicas: int
    accident: str
    injected: int
    pushes: int
    acknowledged: int
    lost: int
    doubled: int
    seconds: float

    def cells(self) -> list[str]:
        """Return the row as text."""
        counts = (self.injected, self.pushes, self.acknowledged, self.lost, self.doubled)
        return [str(self.replicas), self.accident, *map(str, counts), f"{self.seconds:.1f}"]
