"""How sending went, and why mails were refused."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from mailer.desk import board as desk
from mailer.models import Lane
from mailer.reports.history import Moment
from mailer.reports.reasons import WITHIN
from mailer.web.deps import READ, PartsDep
from mailer.web.signed_in import See
from mailer.web.taking_out import Cells, csv_answer

router = APIRouter()

OF_A_LANE = ("sent a minute", "waiting", "oldest due in seconds")


@router.api_route("/desk/history", methods=READ)
def history(request: Request, parts: PartsDep, actor: See) -> Response:
    """The last day and the last weeks, as charts and as tables."""
    with parts.session() as session:
        found = desk.see_history(session, actor)
    return parts.desk.page(request, "history.html", actor, found=found, lanes=list(Lane))


@router.get("/desk/history.csv")
def history_csv(parts: PartsDep, actor: See, of: Literal["day", "weeks"] = "day") -> Response:
    """The same as a file: a line for each moment, in UTC, with three columns for each lane."""
    with parts.session() as session:
        found = desk.see_history(session, actor)
    columns = ["at", *(f"{lane} {what}" for lane in Lane for what in OF_A_LANE), "put off", "refused"]
    moments = found.hours if of == "day" else found.weeks
    return csv_answer(f"history-{of}.csv", columns, [map(_cells, moments)])


def _cells(moment: Moment) -> Cells:
    lanes = [side.get(lane, "") for lane in Lane for side in (moment.sent, moment.waiting, moment.oldest)]
    return moment.at.isoformat(timespec="seconds"), *lanes, moment.put_off, moment.refused


@router.api_route("/desk/reasons", methods=READ)
def reasons(request: Request, parts: PartsDep, actor: See, within: str = "day") -> Response:
    """What servers said, grouped by what it was about."""
    with parts.session() as session:
        found = desk.see_reasons(session, actor, within)
    return parts.desk.page(request, "reasons.html", actor, found=found, within=within, spans=list(WITHIN))
