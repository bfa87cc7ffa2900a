"""Laying out plain text: widths, wrapping, hanging indents, aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

WIDTH = 72

Measure = Callable[[str], int]
"""How many columns a piece of text takes."""


def columns_of(text: str) -> int:
    """The columns `text` takes in a fixed-width font: two for the wide letters of East Asia."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def wrapped(text: str, width: int = WIDTH, measure: Measure = columns_of) -> str:
    """`text` in lines of at most `width` columns, broken at spaces only, so never inside an address.

    Line breaks in `text` stay.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and measure(line) + 1 + measure(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return "\n".join(lines)


def hanging(text: str, first: str, rest: str | None = None) -> str:
    """`text` with `first` before its first line and `rest` (as many spaces) before the others."""
    rest = " " * len(first) if rest is None else rest
    lines = text.split("\n")
    return "\n".join([first + lines[0], *(f"{rest}{line}".rstrip() for line in lines[1:])])


def underlined(text: str, character: str, measure: Measure = columns_of) -> str:
    """`text` with a line of `character` below it, as wide as its widest line."""
    return f"{text}\n{character * max(measure(line) for line in text.split(chr(10)))}"


def table(rows: Sequence[Sequence[str]], width: int = WIDTH, measure: Measure = columns_of) -> str:
    """`rows`, the first of them the head, in aligned columns; as records where they would be too wide."""
    widths = [max(measure(row[column]) for row in rows) for column in range(len(rows[0]))]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        return _records(rows, width, measure)
    lines = [_aligned(row, widths, measure) for row in rows]
    rule = "  ".join("-" * each for each in widths)
    return "\n".join([lines[0], rule, *lines[1:]])


def _aligned(row: Sequence[str], widths: Sequence[int], measure: Measure) -> str:
    padded = (cell + " " * (width - measure(cell)) for cell, width in zip(row, widths, strict=True))
    return "  ".join(padded).rstrip()


def _records(rows: Sequence[Sequence[str]], width: int, measure: Measure) -> str:
    """Each row as lines of "Head: cell", a blank line between rows."""
    head, *body = rows
    records = []
    for row in body:
        pairs = (f"{name}: {cell}" if name else cell for name, cell in zip(head, row, strict=True))
        records.append("\n".join(hanging(wrapped(pair, width - 2, measure), "", "  ") for pair in pairs))
    return "\n\n".join(records)
