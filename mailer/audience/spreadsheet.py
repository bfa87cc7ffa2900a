"""Files that spreadsheets write, as rows: every usual encoding and delimiter, with or without a header."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import TextIOBase
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, cast

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


class Row(NamedTuple):
    """`line` is where it begins in the file; `problem` says why it cannot be used, empty when it can."""

    line: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True)
class Sheet:
    """A file's columns (named as we name them where we know them), its rows and how it was read.

    `digest` is the SHA-256 of its bytes. Going through `rows` raises Refused where a quotation mark runs
    over the rows after it.
    """

    columns: tuple[str, ...]
    encoding: Encoding
    delimiter: str
    has_header: bool
    digest: bytes
    rows: Iterator[Row]


@contextmanager
def open_sheet(
    path: Path,
    encoding: str | None = None,
    delimiter: str | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[Sheet]:
    """The rows of a CSV file, read as they are asked for; raises Refused with one sentence.

    `delimiter` is the sign between cells that somebody has said it has, and `columns` are its columns by our
    names, "" for those that are not used; None: as the file tells.
    """
    with open_text(path, encoding) as (text, told):
        digest = hashlib.file_digest(cast(io.BufferedReader, text.buffer), "sha256").digest()
        text.seek(0)
        yield sheet_of(text, told, path.name, delimiter, columns, digest)


def sheet_of(
    text: TextIOBase,
    encoding: Encoding,
    name: str,
    delimiter: str | None = None,
    columns: Sequence[str] | None = None,
    digest: bytes = b"",
) -> Sheet:
    """The same of a text that is open already, from its beginning."""
    sign, reading = _begun(text, name, delimiter)
    records = reading.records()
    first = next(records, None)
    if first is None:
        raise Refused(f"{name} is empty; it needs a column with email addresses.")
    if columns is None:
        known, has_header = _columns(first, name)
    else:
        known, has_header = _said(columns, first, name)
    reading.columns = known
    rows = records if has_header else chain([reading.checked(first)], records)
    return Sheet(known, encoding, sign, has_header, digest, rows)


def first_rows(text: TextIOBase, name: str, delimiter: str | None, most: int) -> tuple[str, list[Row]]:
    """The sign between cells, and the first rows as they stand, whatever their columns mean.

    What cannot be read is left out here; `sheet_of` says what is wrong with it.
    """
    sign, reading = _begun(text, name, delimiter)
    rows: list[Row] = []
    with suppress(Refused):
        rows.extend(islice(reading.records(), most))
    return sign, rows


def _begun(text: TextIOBase, name: str, delimiter: str | None) -> tuple[str, _Reading]:
    opening = text.read(SAMPLE)
    text.seek(0)
    told, has_sep_line = _delimiter(opening)
    sign = delimiter or told
    return sign, _Reading(text, sign, name, has_sep_line=has_sep_line)


def _said(columns: Sequence[str], first: Row, name: str) -> tuple[tuple[str, ...], bool]:
    """What somebody said of the columns; the first row says their names unless it has an address."""
    if "email" not in columns:
        raise Refused(f"Say which column of {name} has the email addresses.")
    return tuple(columns), not address_places(first.cells)


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
            rows += [_tidy(cells)] if cells else []
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows


class _Reading:
    """Going through a file once. Until the first row has told the columns, they are empty."""

    def __init__(self, text: TextIOBase, delimiter: str, name: str, *, has_sep_line: bool) -> None:
        if has_sep_line:
            text.readline()
        self.columns: tuple[str, ...] = ()
        self._reader = csv.reader(text, delimiter=delimiter, strict=True)
        self._delimiter = delimiter
        self._name = name
        self._lines_before = int(has_sep_line)

    def records(self) -> Iterator[Row]:
        """The rows that hold something. A broken one is told by its `problem`, if it is broken by itself."""
        reader = self._reader
        while True:
            before = reader.line_num
            line = before + 1 + self._lines_before
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                if reader.line_num > before + 1:
                    raise Refused(_runs_over(self._name, line)) from None
                yield Row(line, [], "a quotation mark is not closed, or not doubled inside text")
                continue
            tidy = _tidy(cells)
            if any(tidy):
                row = Row(line, tidy)
                is_plain = reader.line_num == before + 1 and len(cells) <= len(self.columns)
                yield row if is_plain or not self.columns else self.checked(row)

    def checked(self, row: Row) -> Row:
        """The row, with what keeps it from fitting the columns; raises Refused when it is several rows."""
        line, cells, _ = row
        # By chance a second stray quotation mark can close the first one, rows later: no error is seen.
        has_line_ends = any("\n" in cell or "\r" in cell for cell in cells)
        if has_line_ends and _holds_rows(cells, self.columns, self._delimiter):
            raise Refused(_runs_over(self._name, line))
        width = len(self.columns)
        if not any(cells[width:]):
            return row
        sign = {"\t": "tab"}.get(self._delimiter, self._delimiter)
        return Row(
            line, cells, f"it has {len(cells)} cells for {width} columns; quote a value with {sign} in it"
        )


def _holds_rows(cells: Sequence[str], columns: Sequence[str], delimiter: str) -> bool:
    """Whether two or more lines of this row are each a row of their own, address and all."""
    place = columns.index("email")
    lines = csv.reader(_lines(delimiter.join(cells)), delimiter=delimiter, quoting=csv.QUOTE_NONE)
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


def _tidy(cells: list[str]) -> list[str]:
    """Without what cannot be seen: spaces around, no-break spaces, zero-width signs."""
    if "".join(cells).isascii():
        return [cell.strip() for cell in cells]
    return [INVISIBLE.sub("", cell).replace("\u00a0", " ").replace("\u202f", " ").strip() for cell in cells]


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
