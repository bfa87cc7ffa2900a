"""Rows of a sheet as people: made tidy, checked, and ready to be copied into a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mailer.audience.addresses import normalise
from mailer.audience.columns import BUILT_IN
from mailer.audience.fields import BadValue, typed_value
from mailer.audience.subscribers import tidy_language, tidy_name
from mailer.clock import zone
from mailer.db import as_array
from mailer.errors import Refused
from mailer.models import FieldType

SHORT = 64
"""Cells up to this many signs are remembered: sheets say the same few things again and again."""


class PersonRow(NamedTuple):
    """One row in PostgreSQL's own writing: `tags` an array, `fields` JSON. None and empty mean: not said."""

    line: int
    email_key: str
    email: str
    name: str
    language: str | None
    zone: str | None
    tags: str
    fields: str


class PeopleReader:
    """What the cells of a sheet with these columns say; made once, and then asked for every row.

    What is taken and refused is what `Person.checked` and `typed_fields` take and refuse. This is their
    short way for a million rows, and a test holds the two equal.
    """

    def __init__(self, columns: Sequence[str], declared: Mapping[str, FieldType]) -> None:
        self._width = len(columns)
        place = {name: columns.index(name) for name in (*BUILT_IN, *declared) if name in columns}
        self._email = place["email"]
        self._name, self._language = place.get("name"), place.get("language")
        self._zone, self._tags = place.get("zone"), place.get("tags")
        self._parts = place.get("first_name"), place.get("last_name")
        self._has_parts = self._parts != (None, None)
        self._fields = [(key, type_, place[key]) for key, type_ in declared.items() if key in place]

    def person(self, line: int, cells: list[str]) -> PersonRow:
        """One row's person; raises the MailerError that says what is wrong with it."""
        if len(cells) < self._width:
            cells = cells + [""] * (self._width - len(cells))
        fields = [
            (_short_field if len(cell) <= SHORT else _field)(key, type_, cell)
            for key, type_, at in self._fields
            if (cell := cells[at])
        ]
        email, key = normalise(cells[self._email])
        zone_name = _cell(cells, self._zone)
        if zone_name:
            zone(zone_name)
        language, tags = _cell(cells, self._language), _cell(cells, self._tags)
        return PersonRow(
            line,
            key,
            email,
            tidy_name(self._whole_name(cells) if self._has_parts else _cell(cells, self._name)),
            tidy_language(language) if language else None,
            zone_name or None,
            (_short_tags if len(tags) <= SHORT else _tags)(tags),
            f"{{{','.join(fields)}}}",
        )

    def email(self, cells: Sequence[str]) -> str:
        """What stands in the column of addresses."""
        return cells[self._email] if self._email < len(cells) else ""

    def _whole_name(self, cells: Sequence[str]) -> str:
        """The name, whichever parts of it have columns of their own.

        "Name" beside "Vorname" is the last name, "Nombre" beside "Apellidos" the first; beside both it
        is the whole.
        """
        name = _cell(cells, self._name)
        known = name.casefold().split()
        first, last = (
            part if not set(part.casefold().split()) <= set(known) else ""
            for part in (_cell(cells, place) for place in self._parts)
        )
        return " ".join(part for part in (first, name, last) if part)


def _cell(cells: Sequence[str], place: int | None) -> str:
    return "" if place is None else cells[place]


def _field(key: str, type_: FieldType, cell: str) -> str:
    try:
        return f"{json.dumps(key)}:{json.dumps(typed_value(cell, type_))}"
    except BadValue as error:
        raise BadValue(f"field {key}, {error.what}") from None


def _tags(cell: str) -> str:
    words = cell.replace(";", ",").replace('"', "").split(",")
    return as_array(sorted({tidy for word in words if (tidy := tidy_name(word).lower())}))


_short_field = lru_cache(maxsize=16_384)(_field)
_short_tags = lru_cache(maxsize=4096)(_tags)


def refuse_doubled(columns: Sequence[str], declared: Mapping[str, FieldType], name: str) -> None:
    """Raises Refused when two columns of the file `name` mean the same."""
    for column in (*BUILT_IN, *declared):
        if columns.count(column) > 1:
            raise Refused(f"{name} has two columns that mean `{column}`; keep one of them.")
