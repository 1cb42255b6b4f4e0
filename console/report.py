"""How a command reports: a table for people, or one JSON document."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.surroundings import adopt_surroundings
from schemas.alert.alert import plain

PIPE_WIDTH = 250
_CONTROL = {code: None for code in (*range(32), 127, *range(128, 160)) if code not in {9, 10}}


def reporting(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what every one has: ``--json`` (the argument `as_json`) and ``--env``."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")(
        command
    )
    return click.option(
        "--env",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=lambda _context, _option, value: adopt_surroundings(value),
        help="Take the addresses from this file of a local run; by default ./var/run.env when none is set.",
    )(command)


def encode_json(document: object) -> bytes:
    """Encode as JSON: times as UTC ISO 8601 with milliseconds and a Z, ids and decimals as strings."""
    return orjson.dumps(document, default=plain, option=orjson.OPT_PASSTHROUGH_DATETIME)


def print_json(document: object) -> None:
    """Print one document, indented."""
    click.echo(orjson.dumps(orjson.loads(encode_json(document)), option=orjson.OPT_INDENT_2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print rows as a table. Cells are shown as they are: no markup, no control characters from outside."""
    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(show_cell(cell)) for cell in row))
    terminal = Console()
    Console(width=None if terminal.is_terminal else PIPE_WIDTH, highlight=False).print(table)


def show_cell(cell: object) -> str:
    """Return the text of one cell; nothing for None, yes and no for truth values."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.1f}"
    if isinstance(cell, list):
        return ", ".join(map(show_cell, cell))
    return strip_controls(str(plain(cell)))


def strip_controls(text: str) -> str:
    """Return the text without control characters, which could rewrite the terminal."""
    return text.translate(_CONTROL)
