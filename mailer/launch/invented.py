"""The invented people of a simulation, as a CSV file has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

from mailer.audience.addresses import normalise
from mailer.audience.columns import BUILT_IN
from mailer.audience.fields import typed_value
from mailer.audience.spreadsheet import Row, open_sheet
from mailer.audience.subscribers import tidy_language, tidy_name
from mailer.clock import zone
from mailer.errors import MailerError, Refused
from mailer.models import Answer, FieldType

OWN = (*BUILT_IN, "enrolled_at", "gap", "answers", "lists")
NO_FIELDS: Mapping[str, FieldType] = MappingProxyType({})


@dataclass(frozen=True)
class Invented:
    """Somebody of a file: who they are, when they enroll, and what they say of each week.

    `answers` is, for each week, what they say after its first mail, after its second, and so on. `fields` are
    as they are written. They are on the course's own list, and on `lists` too.
    """

    email: str
    name: str = ""
    zone: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    enrolled_at: datetime | None = None
    gap: int | None = None
    answers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    lists: tuple[str, ...] = ()


def read_people(path: Path, fields: Mapping[str, FieldType] = NO_FIELDS) -> list[Invented]:
    """The people of a CSV file; raises Refused, or the error of what is wrong, with the file and line.

    Columns beside those of an import: `enrolled_at` (a date and time with its offset), `gap` (days from
    mail to mail), `answers` ("1=not-yet 1=done 2=too-hard"), `lists` (slugs). All others are custom `fields`
    that are declared, with values of their types.
    """
    people = []
    with open_sheet(path) as sheet:
        if "email" not in sheet.columns:
            raise Refused(f"{path.name} has no column with email addresses; name it email.")
        _refuse_unknown(path, sheet.columns, fields)
        for row in sheet.rows:
            try:
                person = _person(sheet.columns, row)
                for name, cell in person.fields.items():
                    typed_value(cell, fields[name])
                people.append(person)
            except (MailerError, ValueError) as error:
                raise Refused(f"{path.name}:{row.line}: {error}") from None
    if not people:
        raise Refused(f"{path.name} has no people; write one on each line below the header.")
    return people


def _refuse_unknown(path: Path, columns: Sequence[str], fields: Mapping[str, FieldType]) -> None:
    """Raises Refused for a column that would be passed over: most likely it is mistyped."""
    known = [*OWN, *fields]
    for name in columns:
        if name and name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise Refused(
                f"{path.name}:1: the column {name!r} is not known; {meant}A custom field has to be declared "
                f"(`steadypost subscriber field {name}`)."
            )


def _person(columns: Sequence[str], row: Row) -> Invented:
    if row.problem:
        raise ValueError(row.problem)
    cells = {name: cell.strip() for name, cell in zip(columns, row.cells, strict=False) if cell.strip()}
    if cells.get("zone"):
        zone(cells["zone"])
    return Invented(
        email=normalise(cells.get("email", ""))[0],
        name=tidy_name(cells.get("name", "")),
        zone=cells.get("zone", ""),
        language=tidy_language(cells["language"]) if "language" in cells else "",
        tags=tuple(sorted({tidy_name(word).lower() for word in cells.get("tags", "").split(",") if word})),
        fields={name: cell for name, cell in cells.items() if name not in OWN},
        enrolled_at=_moment(cells["enrolled_at"]) if "enrolled_at" in cells else None,
        gap=_gap(cells["gap"]) if "gap" in cells else None,
        answers=_answers(cells.get("answers", "")),
        lists=tuple(cells.get("lists", "").replace(",", " ").split()),
    )


def _moment(cell: str) -> datetime:
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{cell!r} is not a moment; write it as 2027-03-01T12:00:00+01:00.")
    return moment


def _gap(cell: str) -> int:
    if not cell.isdecimal() or not 1 <= int(cell) <= 31:
        raise ValueError(f"the gap {cell!r} is not a number of days from 1 to 31.")
    return int(cell)


def _answers(cell: str) -> dict[int, tuple[str, ...]]:
    answers: dict[int, tuple[str, ...]] = {}
    for word in cell.split():
        week, _, answer = word.partition("=")
        if not week.isdecimal() or answer not in set(Answer):
            known = ", ".join(Answer)
            raise ValueError(f"{word!r} is not an answer; write it as 1=not-yet (answers are {known}).")
        answers[int(week)] = (*answers.get(int(week), ()), answer)
    return answers
