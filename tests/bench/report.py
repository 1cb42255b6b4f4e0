"""The tables of the benchmarks, on the terminal and as Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.table import Table


@dataclass
class Report:
    """One table: `headings`, the first of them that of what is measured, and rows of text."""

    title: str
    headings: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Add a row."""
        self.rows.append(cells)

    def to_rich(self) -> Table:
        """Return the table for a terminal."""
        table = Table(title=self.title)
        for place, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def to_markdown(self) -> str:
        """Return the table for a file."""
        rules = ["---", *["---:"] * (len(self.headings) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (self.headings, rules, *self.rows)]
        return "\n".join([f"### {self.title}", "", *lines, ""])


def read_table(table: Table) -> Report:
    """Return the report that a table shows."""
    rows = zip(*(column.cells for column in table.columns), strict=True)
    return Report(
        str(table.title), [str(column.header) for column in table.columns], [list(map(str, row)) for row in rows]
    )


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Tell a median and between which values it lies."""
    low, middle, high = (format(value, form) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"  # noqa: RUF001 - a range


def ratios(dividends: Sequence[float], divisors: Sequence[float]) -> list[float]:
    """Return round by round what the one is to the other."""
    return [dividend / divisor for dividend, divisor in zip(dividends, divisors, strict=True)]
