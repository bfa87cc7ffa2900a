"""The audit log: who did what, when and to how many."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from mailer.accounts.rights import Actor
from mailer.desk.actions import NO_DAY, list_actions, note_export
from mailer.errors import Refused
from mailer.models import Action
from mailer.web.deps import READ, PartsDep
from mailer.web.desk import shown_time
from mailer.web.signed_in import Export, See
from mailer.web.taking_out import Cells, csv_answer, in_pieces

router = APIRouter()

AT_ONCE = 1000
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(\+|Z)", re.ASCII)
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
        raise Refused(NO_DAY) from None
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
            told=lambda value: _told(value, actor),
            older=parts.desk.url("/desk/audit", **query, before=found.before) if found.before else "",
            csv=parts.desk.url("/desk/audit.csv", **query),
        )


@router.get("/desk/audit.csv")
def take_out(parts: PartsDep, actor: Export, part: AskedDep) -> Response:
    """The same as a file, whole; taking it out is itself in the log."""
    with parts.session() as session:
        note_export(session, actor, who=part.who, what=part.what, day=part.day)

    def read(before: int | None) -> tuple[Sequence[Cells], int | None]:
        named = {"who": part.who, "what": part.what}
        with parts.session() as session:
            found = list_actions(session, actor, **named, day=part.day, before=before, most=AT_ONCE)
            return [_cells(action) for action in found.actions], found.before

    return csv_answer("audit.csv", COLUMNS, in_pieces(read))


def _told(value: object, actor: Actor) -> object:
    """What stands in an entry; an instant on the clock of who looks."""
    if isinstance(value, str) and INSTANT.match(value):
        try:
            return shown_time(datetime.fromisoformat(value), actor)
        except ValueError:
            return value
    return value


def _cells(action: Action) -> Cells:
    detail = json.dumps(action.detail, ensure_ascii=False) if action.detail else ""
    return (action.at.isoformat(timespec="seconds"), action.who, action.what, action.rows, detail)
