"""The audit log: who did what, when and to how many."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from mailer.accounts.rights import Actor
from mailer.desk.actions import list_actions, note_export
from mailer.errors import Refused
from mailer.models import Action
from mailer.reports.csv_file import BOM, csv_lines
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import Export, See

router = APIRouter()

AT_ONCE = 1000
COLUMNS = ("at", "who", "what", "rows", "detail")


@dataclass(frozen=True)
class Asked:
    """Which part of the log: of whom, of which acts, of which day; empty is all."""

    who: str
    what: str
    day: date | None

    @property
    def is_part(self) -> bool:
        """Whether anything is left out."""
        return bool(self.who or self.what or self.day)


def asked(who: str = "", what: str = "", day: str = "") -> Asked:
    """The filter as the address has it; raises Refused for a day that is none."""
    try:
        wanted = date.fromisoformat(day) if day else None
    except ValueError:
        wanted = date.min
    # Nobody did anything before 1970, and at the calendar's very ends no zone can be added.
    if wanted is not None and not 1970 <= wanted.year < date.max.year:
        raise Refused("The day is written as 2026-03-31.")
    return Asked(who.strip(), what.strip(), wanted)


AskedDep = Annotated[Asked, Depends(asked)]


@router.api_route("/desk/audit", methods=READ)
def look(
    request: Request, parts: PartsDep, actor: See, part: AskedDep, before: int | None = None
) -> Response:
    """A page of it, newest first."""
    with parts.session() as session:
        found = list_actions(session, actor, who=part.who, what=part.what, day=part.day, before=before)
        query = {"who": part.who, "what": part.what, "day": part.day}
        return parts.desk.page(
            request,
            "audit.html",
            actor,
            found=found,
            part=part,
            older=parts.desk.url("/desk/audit", **query, before=found.before) if found.before else "",
            csv=parts.desk.url("/desk/audit.csv", **query),
        )


@router.get("/desk/audit.csv")
def take_out(parts: PartsDep, actor: Export, part: AskedDep) -> Response:
    """The same as a file, whole; taking it out is itself in the log."""
    with parts.session() as session:
        note_export(session, actor, who=part.who, what=part.what, day=part.day)
    headers = {**PRIVATE_HEADERS, "Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(_file(parts, actor, part), media_type="text/csv; charset=utf-8", headers=headers)


def _file(parts: Parts, actor: Actor, part: Asked) -> Iterator[str]:
    """In pieces, each read in a transaction of its own: a slow reader holds none open."""
    yield BOM + csv_lines([COLUMNS])
    before: int | None = None
    while True:
        with parts.session() as session:
            found = list_actions(
                *(session, actor),
                who=part.who,
                what=part.what,
                day=part.day,
                before=before,
                most=AT_ONCE,
            )
            piece = csv_lines(_cells(action) for action in found.actions)
        yield piece
        if found.before is None:
            return
        before = found.before


def _cells(action: Action) -> tuple[object, ...]:
    detail = json.dumps(action.detail, ensure_ascii=False) if action.detail else ""
    return (action.at.isoformat(timespec="seconds"), action.who, action.what, action.rows, detail)
