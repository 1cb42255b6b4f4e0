"""A table that gains a row as soon as a test has one, on the screen and in a file: an interrupted run can be continued.

The rows travel on the reports of the tests, which may run in several processes (xdist).
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.faults.lines import Line, read_lines, read_revision, rows_file

TIMES = int(os.environ.get("TIMES") or 1)


class Row(Protocol):
    """What a test has found."""

    @property
    def injected(self) -> int:
        """How often it tried."""

    def cells(self) -> list[str]:
        """Return the row as text."""


class Table:
    """A plugin of pytest. `name` marks the rows on the reports; the environment variable `variable` names the file.

    Beside that file lie the rows themselves (.jsonl). With RESUME=1 those of the same revision are kept, and a test
    whose rows are there, injected as often as TIMES says, is not run again.
    """

    def __init__(self, name: str, headings: Sequence[str], variable: str) -> None:
        self.name = name
        self.headings = headings
        self.file = Path(os.environ[variable]) if os.environ.get(variable) else None
        self.revision = read_revision() if self.file else ""
        earlier = read_lines(self.file) if self.file and os.environ.get("RESUME") == "1" else ()
        self.lines = [line for line in earlier if line.revision == self.revision]
        self.places: dict[str, int] = {}
        self.terminal: pytest.TerminalReporter | None = None

    def note(self, test: pytest.Item) -> Callable[[Row], None]:
        """Return what puts a row of this test into the table."""

        def keep(row: Row) -> None:
            line = Line(test.nodeid, self.places[test.nodeid], row.injected, row.cells(), self.revision)
            test.user_properties.append((self.name, asdict(line)))

        return keep

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Remember the order of the tests, and leave out those whose rows are there."""
        self.places = {test.nodeid: place for place, test in enumerate(items)}
        there = {line.test for line in self.lines if line.injected >= TIMES}
        config.hook.pytest_deselected(items=[test for test in items if test.nodeid in there])
        items[:] = [test for test in items if test.nodeid not in there]

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Find out where to write; the processes that xdist starts write nothing."""
        if not hasattr(session.config, "workerinput"):
            self.terminal = session.config.pluginmanager.get_plugin("terminalreporter")
            self.write()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the rows of a test that has passed. Where a file is kept, a failure is told at once, too."""
        if report.failed and self.terminal is not None and self.file is not None:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.terminal.ensure_newline()
            self.terminal.write_line(f"failed: {report.nodeid}: {crash.message if crash else report.longrepr}"[:2000])
        kept: list[Any] = [line for name, line in report.user_properties if name == self.name]
        if self.terminal is None or report.when != "call" or not report.passed or not kept:
            return
        found = [Line(**line) for line in kept]
        self.lines = sorted(
            [*(line for line in self.lines if line.test != report.nodeid), *found], key=lambda line: line.place
        )
        self.write()
        self.terminal.ensure_newline()
        for line in found:
            self.terminal.write_line(f"{' | '.join(line.cells)} ({report.duration:.0f} s)")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Call a run good that had nothing left to do."""
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.lines:
            session.exitstatus = pytest.ExitCode.OK

    def write(self) -> None:
        """Write both files anew, each as a whole or not at all."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            rows = "".join(json.dumps(asdict(line)) + "\n" for line in self.lines)
            for file, text in ((rows_file(self.file), rows), (self.file, self.text() + "\n")):
                part = file.with_name(f"{file.name}.part")
                part.write_text(text, encoding="utf-8")
                part.replace(file)

    def text(self) -> str:
        """Return the rows as a Markdown table."""
        return write_table(self.headings, [line.cells for line in self.lines])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if self.lines and self.terminal is not None:
            terminalreporter.section(self.name)
            terminalreporter.write_line(self.text())


def write_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows as a Markdown table that also reads well as it is: words to the left, numbers to the right."""
    cells = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    words = [any(not is_number(line[column]) for line in cells[1:]) for column in range(len(headings))]

    def line(values: Sequence[str]) -> str:
        padded = (
            value.ljust(width) if left else value.rjust(width)
            for value, width, left in zip(values, widths, words, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = ("-" * (width + 2) if left else "-" * (width + 1) + ":" for width, left in zip(widths, words, strict=True))
    return "\n".join([line(headings), f"|{'|'.join(rule)}|", *(line(row) for row in cells[1:])])


def is_number(text: str) -> bool:
    """Tell whether a cell holds a number."""
    return text.replace(".", "", 1).isdigit()
