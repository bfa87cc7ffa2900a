"""How commands print: JSON for programs, plain tables for people."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Nothing of what people wrote is read as markup or as the name of an emoji.
console = Console(highlight=False, markup=False, emoji=False)
CONTROL_SIGNS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
GAP = 2
WIDEST = 100_000


def as_json(value: Any) -> None:
    """Print `value` as JSON."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def as_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print rows under their columns, numbers to the right; `empty` says what to do when there are none.

    Nothing is ever cut: a terminal that is too narrow gets folded cells, a file or a pipe full lines.
    """
    if not rows:
        say(empty)
        return
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for position, name in enumerate(columns):
        is_number = all(isinstance(row[position], int) for row in rows)
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    if console.file.isatty():
        console.print(table)
        return
    lines = StringIO()
    Console(file=lines, width=WIDEST).print(table)
    for line in lines.getvalue().splitlines():
        typer.echo(line.rstrip())


def printable(text: str) -> str:
    """`text` without what would steer a terminal: files, names and servers' answers may hold it."""
    return CONTROL_SIGNS.sub("\ufffd", text)


def warn(text: str) -> None:
    """Print a line beside the output, so that what a program reads stays clean."""
    typer.echo(printable(text), err=True)


def say(text: str) -> None:
    """Print a line of ours."""
    console.print(printable(text), soft_wrap=True)


def count(number: int, one: str, many: str | None = None) -> str:
    """ "1 mail", "2 mails"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
