"""The form of the segment builder: its fields as rows, and rows with another added or taken away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from mailer.errors import Refused
from mailer.rules.rows import Group, Place, Row, Rows

MOST_ROWS = 40
MOST_GROUPS = 10
FIELD = re.compile(r"(what|was|operator|value|days)-(\d{1,2})-(\d{1,2})", re.ASCII)
PLACE = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)
NEW = Row("tag", "has")


@dataclass(frozen=True)
class Building:
    """A segment as it stands in the form; `is_text` when its rule is written instead of chosen."""

    slug: str = ""
    title: str = ""
    rows: Rows = field(default_factory=lambda: Rows((NEW,)))
    rule: str = ""
    is_text: bool = False
    focus: Place | None = None
    """The row that has just been added."""


async def _building(request: Request) -> Mapping[str, str]:
    """The form's fields: more than other forms may have."""
    try:
        form = await request.form(max_files=0, max_fields=MOST_ROWS * 6 + MOST_GROUPS * 4 + 20)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Refused("The form could not be read; go back and try again.") from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


BuildingFields = Annotated[Mapping[str, str], Depends(_building)]


def building_of(fields: Mapping[str, str]) -> Building:
    """What was sent, with what its button asks for done to the rows."""
    found = Building(
        slug=fields.get("slug", "").strip(),
        title=fields.get("title", "").strip(),
        rows=_rows(fields),
        rule=fields.get("rule", "").strip(),
        is_text=fields.get("mode") == "text",
    )
    act, _, where = fields.get("do", "").partition(":")
    place = PLACE.fullmatch(where)
    if act == "group" and len(found.rows.groups) < MOST_GROUPS:
        groups = (*found.rows.groups, Group((NEW,), is_any=not found.rows.is_any))
        return replace(found, rows=replace(found.rows, groups=groups), focus=(len(groups), 0))
    if place is None:
        return found
    group, number = int(place[1]), int(place[2] or 0)
    match act:
        case "add" if len(found.rows.at()) < MOST_ROWS:
            return _added(found, group)
        case "remove":
            return replace(found, rows=_without(found.rows, group, number))
        case "ungroup" if 1 <= group <= len(found.rows.groups):
            groups = found.rows.groups[: group - 1] + found.rows.groups[group:]
            return replace(found, rows=replace(found.rows, groups=groups))
    return found


def _added(found: Building, group: int) -> Building:
    rows = found.rows
    if group == 0:
        rows = replace(rows, own=(*rows.own, NEW))
        return replace(found, rows=rows, focus=(0, len(rows.own) - 1))
    if group > len(rows.groups):
        return found
    one = rows.groups[group - 1]
    grown = replace(one, rows=(*one.rows, NEW))
    return replace(found, rows=_with_group(rows, group, grown), focus=(group, len(one.rows)))


def _without(rows: Rows, group: int, number: int) -> Rows:
    if group == 0:
        return replace(rows, own=rows.own[:number] + rows.own[number + 1 :])
    if group > len(rows.groups):
        return rows
    one = rows.groups[group - 1]
    left = one.rows[:number] + one.rows[number + 1 :]
    if not left:
        return replace(rows, groups=rows.groups[: group - 1] + rows.groups[group:])
    return _with_group(rows, group, replace(one, rows=left))


def _with_group(rows: Rows, group: int, one: Group) -> Rows:
    return replace(rows, groups=(*rows.groups[: group - 1], one, *rows.groups[group:]))


def _rows(fields: Mapping[str, str]) -> Rows:
    places = sorted({(int(found[2]), int(found[3])) for name in fields if (found := FIELD.fullmatch(name))})
    by_group: dict[int, list[Row]] = {}
    for group, number in places[:MOST_ROWS]:
        by_group.setdefault(group, []).append(_row(fields, f"{group}-{number}"))
    own = tuple(by_group.pop(0, ()))
    groups = tuple(
        Group(
            tuple(rows),
            is_any=fields.get(f"join-{group}") == "any",
            is_not=fields.get(f"not-{group}") == "yes",
        )
        for group, rows in by_group.items()
    )
    return Rows(own, groups, is_any=fields.get("join-0") == "any")


def _row(fields: Mapping[str, str], place: str) -> Row:
    what = fields.get(f"what-{place}", "")
    if what != fields.get(f"was-{place}", what):
        # Its operator and value are of what was asked before.
        return Row(what, "")
    said = fields.get(f"operator-{place}", "")
    return Row(
        what,
        said.removeprefix("not:"),
        fields.get(f"value-{place}", ""),
        fields.get(f"days-{place}", ""),
        is_not=said.startswith("not:"),
    )
