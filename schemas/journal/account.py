"""The account of one incarnation of the journal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """One incarnation of the journal, counted in entries."""

    incarnation: str | None
    current: bool
    added: int
    settled: int
    waiting: int
    orphaned: int = 0

    @property
    def missing(self) -> int:
        """Entries that were added and are neither settled nor waiting; negative when more was settled than added."""
        return self.added - self.settled - self.waiting

    @property
    def balanced(self) -> bool:
        """Whether every entry is accounted for."""
        return self.missing == 0 and self.orphaned == 0
