"""Files that spreadsheets write, as rows: every usual encoding and delimiter, with or without a header."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOBase
from itertools import chain, islice
from pathlib import Path

from mailer.audience.addresses import INVISIBLE
from mailer.audience.columns import address_places, looks_like_address, meaning_of, named
from mailer.audience.encodings import Encoding, open_text
from mailer.errors import Refused

DELIMITERS = (",", ";", "\t", "|")
SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)
"""Excel's own first line, which says the delimiter outright."""
SAMPLE = 64 * 1024
SAMPLE_ROWS = 20
SHOWN_COLUMNS = 8


@dataclass(frozen=True)
class Row:
    """`line` is where it begins in the file; `problem` says why it cannot be used, empty when it can."""

    line: int
    cells: Sequence[str]
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """A file's columns (named as we name them where we know them), its rows and how it was read.

    Going through `rows` raises Refused where a quotation mark runs over the rows after it.
    """

    columns: tuple[str, ...]
    encoding: Encoding
    delimiter: str
    has_header: bool
    rows: Iterator[Row]


@contextmanager
def open_sheet(path: Path, encoding: str | None = None) -> Iterator[Sheet]:
    """The rows of a CSV file, read as they are asked for; raises Refused with one sentence."""
    with open_text(path, encoding) as (text, told):
        opening = text.read(SAMPLE)
        text.seek(0)
        delimiter, has_sep_line = _delimiter(opening)
        records = _records(text, delimiter, path.name, has_sep_line=has_sep_line)
        first = next(records, None)
        if first is None:
            raise Refused(f"{path.name} is empty; it needs a column with email addresses.")
        columns, has_header = _columns(first, path.name)
        rows = records if has_header else chain([first], records)
        yield Sheet(columns, told, delimiter, has_header, _checked(rows, columns, delimiter, path.name))


def _delimiter(opening: str) -> tuple[str, bool]:
    """The sign between cells, and whether a `sep=` line says it.

    Otherwise it is the sign that sets most addresses free, then the one that makes most columns.
    """
    first_line = opening.lstrip("\ufeff").splitlines()[:1]
    if first_line and (said := SEP_LINE.fullmatch(first_line[0])):
        return said[1], True

    def merit(sign: str) -> tuple[int, int]:
        rows = _sample(opening, sign)
        has_name = any(meaning_of(cell) == "email" for cell in rows[0]) if rows else False
        return has_name + sum(bool(address_places(row)) for row in rows), len(rows[0]) if rows else 0

    return max(DELIMITERS, key=merit), False


def _sample(opening: str, delimiter: str) -> list[list[str]]:
    """The first rows as far as they can be read."""
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(_lines(opening), delimiter=delimiter):
            rows += [[_tidy(cell) for cell in cells]] if cells else []
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows


def _records(text: TextIOBase, delimiter: str, name: str, *, has_sep_line: bool) -> Iterator[Row]:
    """The rows that hold something. A broken one is told by its `problem`, if it is broken by itself."""
    if has_sep_line:
        text.readline()
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if reader.line_num > line:
                raise Refused(_runs_over(name, line + has_sep_line)) from None
            yield Row(line + has_sep_line, (), "a quotation mark is not closed, or not doubled inside text")
            continue
        tidy = [_tidy(cell) for cell in cells]
        if any(tidy):
            yield Row(line + has_sep_line, tidy)


def _checked(rows: Iterator[Row], columns: Sequence[str], delimiter: str, name: str) -> Iterator[Row]:
    """The rows, with a problem on those that do not fit the columns."""
    for row in rows:
        # By chance a second stray quotation mark can close the first one, rows later: no error is seen.
        if any("\n" in cell or "\r" in cell for cell in row.cells) and _holds_rows(row, columns, delimiter):
            raise Refused(_runs_over(name, row.line))
        if any(row.cells[len(columns) :]):
            sign = {"\t": "tab"}.get(delimiter, delimiter)
            problem = (
                f"it has {len(row.cells)} cells for {len(columns)} columns; quote a value with {sign} in it"
            )
            yield Row(row.line, row.cells, problem)
        else:
            yield row


def _holds_rows(row: Row, columns: Sequence[str], delimiter: str) -> bool:
    """Whether two or more lines of this row are each a row of their own, address and all."""
    place = columns.index("email")
    lines = csv.reader(_lines(delimiter.join(row.cells)), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    alone = (
        cells for cells in lines if len(cells) == len(columns) and looks_like_address(cells[place].strip())
    )
    return len(list(islice(alone, 2))) == 2


def _lines(text: str) -> list[str]:
    """The lines as a file gives them; `splitlines` would also split at a form feed."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


def _runs_over(name: str, line: int) -> str:
    return (
        f"A quotation mark opens on line {line} of {name} and is not closed there, so that the rows after it "
        "would be lost; close it, or double it where it belongs to the text."
    )


def _tidy(cell: str) -> str:
    """Without what cannot be seen: spaces around, no-break spaces, zero-width signs."""
    if cell.isascii():
        return cell.strip()
    return INVISIBLE.sub("", cell).replace("\u00a0", " ").replace("\u202f", " ").strip()


def _columns(first: Row, name: str) -> tuple[tuple[str, ...], bool]:
    """The columns' names and whether the first row says them; without, the first address tells its column."""
    places = address_places(first.cells)
    if places:
        return tuple("email" if place == places[0] else "" for place in range(len(first.cells))), False
    columns = named(first.cells)
    if first.problem or "email" not in columns:
        shown = ", ".join(cell[:30] for cell in first.cells[:SHOWN_COLUMNS] if cell) or "not readable"
        raise Refused(
            f"{name} has no column of email addresses; name one of them `email` (the first row is: {shown})."
        )
    return columns, True
