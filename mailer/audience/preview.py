"""A file before it is imported: its first rows as they would be understood, and what would be refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

from mailer.audience.columns import BUILT_IN, address_places, named
from mailer.audience.encodings import Encoding
from mailer.audience.reading import PeopleReader, PersonRow, refuse_doubled
from mailer.audience.spreadsheet import Row, first_rows, sheet_of
from mailer.audience.staging import NotTaken
from mailer.errors import MailerError, Refused
from mailer.models import FieldType

LOOKED_AT = 2000
"""Rows that are read for a preview: some 0.1 s."""
SHOWN = 8
SAMPLES = 3
SHOWN_CELL = 60


@dataclass(frozen=True)
class Reading:
    """How a file is read; `delimiter` and `columns` None: as it tells itself."""

    encoding: str
    is_guessed: bool = False
    delimiter: str | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Column:
    """A column: what stands above it, some of its values, and what it means to us ("" for nothing)."""

    place: int
    header: str
    samples: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Understood:
    """A row as somebody who would be added."""

    line: int
    email: str
    name: str
    language: str
    zone: str
    tags: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Preview:
    """What a file looks like. `problem` says what has to be chosen first; then nobody is understood.

    `looked_at` rows were read; they are all that there are when `is_whole`, else `rows` estimates how many
    there are. `guess` is the first row whose letters depend on a guess of the encoding.
    """

    delimiter: str
    has_header: bool
    columns: tuple[Column, ...]
    people: tuple[Understood, ...]
    refused: tuple[NotTaken, ...]
    looked_at: int
    repeated: int
    is_whole: bool
    rows: int
    guess: NotTaken | None
    problem: str = ""

    @property
    def chosen(self) -> tuple[str, ...]:
        """What each column means."""
        return tuple(column.meaning for column in self.columns)


def preview(path: Path, name: str, reading: Reading, declared: Mapping[str, FieldType]) -> Preview:
    """Look at the file of this name; raises Refused when it cannot be read at all."""
    with _opened(path, name, reading.encoding) as text:
        sign, rows = first_rows(text, name, reading.delimiter, LOOKED_AT)
    if not rows:
        raise Refused(f"{name} has no rows; it needs a column with email addresses.")
    has_header = not address_places(rows[0].cells)
    body = rows[1:] if has_header else rows
    columns = _columns(rows[0], body, reading.columns, declared, has_header=has_header)
    found = _Found(body, is_guessed=reading.is_guessed)
    try:
        chosen = [column.meaning for column in columns]
        refuse_doubled(chosen, declared, name)
        with _opened(path, name, reading.encoding) as text:
            sheet = sheet_of(text, Encoding(reading.encoding), name, sign, chosen)
            found.read(sheet.rows, PeopleReader(sheet.columns, declared))
            size, place = path.stat().st_size, cast(io.BufferedReader, text.buffer).tell()
    except Refused as error:
        found.problem, size, place = error.what, 1, 1
    is_whole = found.looked_at < LOOKED_AT
    return Preview(
        sign,
        has_header,
        columns,
        tuple(found.people),
        tuple(found.refused),
        found.looked_at,
        found.repeated,
        is_whole,
        found.looked_at if is_whole else round(found.looked_at * size / max(place, 1)),
        found.guess,
        found.problem,
    )


@contextmanager
def _opened(path: Path, name: str, encoding: str) -> Iterator[io.TextIOWrapper]:
    try:
        with path.open(encoding=encoding, newline="") as text:
            yield text
    except (UnicodeError, LookupError):
        raise Refused(f"{name} is not in {encoding}; choose another encoding.") from None


class _Found:
    """What the first rows come to."""

    def __init__(self, body: Sequence[Row], *, is_guessed: bool) -> None:
        self.people: list[Understood] = []
        self.refused: list[NotTaken] = []
        self.looked_at = self.repeated = 0
        self.problem = ""
        self.guess = _first_guess(body) if is_guessed else None

    def read(self, rows: Iterator[Row], reader: PeopleReader) -> None:
        """Go through at most LOOKED_AT rows; raises Refused where the file goes wrong as a whole."""
        seen: set[str] = set()
        for row in islice(rows, LOOKED_AT):
            self.looked_at += 1
            try:
                if row.problem:
                    raise Refused(row.problem)
                person = reader.person(row.line, row.cells)
            except MailerError as error:
                self.refused.append(NotTaken(row.line, _short(reader.email(row.cells)), str(error)))
                continue
            self.repeated += person.email_key in seen
            seen.add(person.email_key)
            if len(self.people) < SHOWN:
                self.people.append(_understood(person))


def _first_guess(body: Sequence[Row]) -> NotTaken | None:
    for row in body:
        words = " ".join(cell for cell in row.cells if not cell.isascii())
        if words:
            return NotTaken(row.line, _short(words), "")
    return None


def _understood(person: PersonRow) -> Understood:
    tags = person.tags.strip("{}").replace('"', "").replace(",", ", ")
    fields = json.loads(person.fields)
    shown = {
        key: value if isinstance(value, bool | float | int) else _short(value)
        for key, value in fields.items()
    }
    return Understood(
        person.line, person.email, person.name, person.language or "", person.zone or "", tags, shown
    )


def _columns(
    first: Row,
    body: Sequence[Row],
    chosen: Sequence[str] | None,
    declared: Mapping[str, FieldType],
    *,
    has_header: bool,
) -> tuple[Column, ...]:
    width = len(first.cells)
    headers = first.cells if has_header else [""] * width
    meanings = list(chosen) if chosen is not None and len(chosen) == width else _told(first, body, has_header)
    known = {*BUILT_IN, *declared}
    return tuple(
        Column(place, _short(header), _samples(body, place), meaning if meaning in known else "")
        for place, (header, meaning) in enumerate(zip(headers, meanings, strict=True))
    )


def _told(first: Row, body: Sequence[Row], has_header: bool) -> list[str]:
    """What the columns' names say; where none says "email", the column in which most addresses stand."""
    meanings = list(named(first.cells)) if has_header else [""] * len(first.cells)
    if "email" not in meanings:
        counts = [0] * len(meanings)
        for row in body[:200]:
            for place in address_places(row.cells[: len(counts)]):
                counts[place] += 1
        if any(counts):
            meanings[counts.index(max(counts))] = "email"
    return meanings


def _samples(body: Sequence[Row], place: int) -> tuple[str, ...]:
    found = dict.fromkeys(
        _short(row.cells[place]) for row in body[:200] if place < len(row.cells) and row.cells[place]
    )
    return tuple(found)[:SAMPLES]


def _short(text: str) -> str:
    plain = text.encode(errors="replace").decode().replace("\0", "")
    return plain if len(plain) <= SHOWN_CELL else f"{plain[:SHOWN_CELL]}…"
