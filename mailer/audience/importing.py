"""Importing people from a file: every row is either taken or refused with a reason; twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.audience.columns import BUILT_IN
from mailer.audience.fields import declared_fields, typed_fields
from mailer.audience.lists import Evidence
from mailer.audience.merging import KeptAway, Merged, merge_people
from mailer.audience.spreadsheet import Row, Sheet, open_sheet
from mailer.audience.subscribers import Person
from mailer.errors import MailerError, Refused
from mailer.models import FieldType, MailingList, OptIn, SuppressionReason


@dataclass(frozen=True)
class RefusedRow:
    """A row that was not taken, or somebody who was kept away; `value` is the address."""

    line: int
    value: str
    reason: str


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Every row is one of `people`, one of `repeated` (somebody named before) or `refused`. Every one of
    the people is new or known, and has joined, was on the list already or is `kept_away`: they have
    left before, or their address is suppressed. `unconfirmed` of those on the list have still not
    answered. `pending` are the new subscriptions that have to be confirmed. `guess` is the first row
    whose letters depend on a guess of the encoding, with its line number.
    """

    encoding: str
    delimiter: str
    has_header: bool
    rows: int
    people: int
    repeated: int
    new_people: int
    known_people: int
    joined: int
    already_on_list: int
    unconfirmed: int
    left_before: int
    suppressed: int
    pending: tuple[int, ...]
    ignored_columns: tuple[str, ...]
    refused: tuple[RefusedRow, ...]
    kept_away: tuple[RefusedRow, ...]
    guess: tuple[int, str] | None


@dataclass
class _Reading:
    """Going through a sheet once; what is learned on the way is kept."""

    sheet: Sheet
    declared: Mapping[str, FieldType]
    rows: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    guess: tuple[int, str] | None = None

    def people(self) -> Iterator[tuple[int, Person]]:
        """Everybody whose row is good, with its line number; the others are added to `refused`."""
        for row in self.sheet.rows:
            self.rows += 1
            if self.guess is None and self.sheet.encoding.is_guessed:
                self._look_for_guess(row)
            values = {name: cell for name, cell in zip(self.sheet.columns, row.cells, strict=False) if cell}
            try:
                if row.problem:
                    raise Refused(row.problem)
                person = _person(values, self.declared)
            except MailerError as error:
                self.refused.append(RefusedRow(row.line, values.get("email", ""), str(error)))
            else:
                yield row.line, person

    def _look_for_guess(self, row: Row) -> None:
        text = " ".join(cell for cell in row.cells if not cell.isascii())
        if text:
            self.guess = row.line, text[:80]


def import_people(
    session: Session,
    path: Path,
    list_: MailingList,
    evidence: Evidence,
    now: datetime,
    *,
    is_confirmed: bool = False,
    encoding: str | None = None,
) -> ImportReport:
    """Add everybody in a CSV file to a list, in one transaction and in little memory.

    On a double opt-in list they are pending until they confirm, unless `is_confirmed` says that they
    have done so elsewhere. Whoever left the list or everything before stays away, and a suppressed
    address is not put on the list: it is not mailed, and importing again finds it once it may be.
    `encoding` is for a file whose own cannot be told. Raises Refused when the file as a whole cannot
    be read; single bad rows are refused in the report.
    """
    declared = declared_fields(session)
    is_active = is_confirmed or list_.opt_in == OptIn.SINGLE
    with open_sheet(path, encoding) as sheet:
        _check_columns(sheet, declared, path.name)
        reading = _Reading(sheet, declared)
        merged = merge_people(session, reading.people(), list_, evidence, now, is_active=is_active)
    return _report(reading, merged, is_active=is_active)


def _check_columns(sheet: Sheet, declared: Mapping[str, FieldType], name: str) -> None:
    for column in (*BUILT_IN, *declared):
        if sheet.columns.count(column) > 1:
            raise Refused(f"{name} has two columns that mean `{column}`; keep one of them.")


def _person(values: Mapping[str, str], declared: Mapping[str, FieldType]) -> Person:
    """One row as a Person; raises the MailerError that says what is wrong with it."""
    tags = values.get("tags", "").replace(";", ",").replace('"', "")
    return Person(
        email=values.get("email", ""),
        name=_name(values),
        language=values.get("language"),
        zone=values.get("zone"),
        tags=tags.split(",") if tags else (),
        fields=typed_fields({key: values[key] for key in declared if key in values}, declared),
    ).checked()


def _name(values: Mapping[str, str]) -> str:
    """The whole name, whichever parts of it have columns of their own.

    "Name" beside "Vorname" is the last name, "Nombre" beside "Apellidos" the first; beside both it is
    the whole.
    """
    name = values.get("name", "")
    known = name.casefold().split()
    first, last = (
        part if not set(part.casefold().split()) <= set(known) else ""
        for part in (values.get("first_name", ""), values.get("last_name", ""))
    )
    return " ".join(part for part in (first, name, last) if part)


def _report(reading: _Reading, merged: Merged, *, is_active: bool) -> ImportReport:
    sheet = reading.sheet
    left = sum(person.has_left for person in merged.kept_away)
    built_in_or_declared = {*BUILT_IN, *reading.declared}
    return ImportReport(
        encoding=sheet.encoding.name,
        delimiter=sheet.delimiter,
        has_header=sheet.has_header,
        rows=reading.rows,
        people=merged.people,
        repeated=reading.rows - len(reading.refused) - merged.people,
        new_people=merged.new_people,
        known_people=merged.people - merged.new_people,
        joined=len(merged.joined),
        already_on_list=merged.people - len(merged.joined) - len(merged.kept_away),
        unconfirmed=merged.unconfirmed,
        left_before=left,
        suppressed=len(merged.kept_away) - left,
        pending=() if is_active else tuple(merged.joined),
        ignored_columns=tuple(name for name in sheet.columns if name and name not in built_in_or_declared),
        refused=tuple(reading.refused),
        kept_away=tuple(
            RefusedRow(person.line, person.email, _why_kept_away(person)) for person in merged.kept_away
        ),
        guess=reading.guess,
    )


def _why_kept_away(person: KeptAway) -> str:
    if person.suppression == SuppressionReason.EVERYTHING:
        return f"left everything on {person.suppressed_at:%Y-%m-%d} and stays away"
    if person.suppression is not None:
        return f"the address is not mailed: {person.suppression} on {person.suppressed_at:%Y-%m-%d}"
    return f"left the list on {person.left_on:%Y-%m-%d} and stays away"
