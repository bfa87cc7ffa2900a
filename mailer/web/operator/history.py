"""How sending went, and why mails were refused."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.desk import board as desk
from mailer.models import Lane
from mailer.reports.reasons import WITHIN
from mailer.web.deps import READ, PartsDep
from mailer.web.signed_in import See

router = APIRouter()


@router.api_route("/desk/history", methods=READ)
def history(request: Request, parts: PartsDep, actor: See) -> Response:
    """The last day and the last weeks, as charts and as tables."""
    with parts.session() as session:
        found = desk.see_history(session, actor)
    return parts.desk.page(request, "history.html", actor, found=found, lanes=list(Lane))


@router.api_route("/desk/reasons", methods=READ)
def reasons(request: Request, parts: PartsDep, actor: See, within: str = "day") -> Response:
    """What servers said, grouped by what it was about."""
    with parts.session() as session:
        found = desk.see_reasons(session, actor, within)
    return parts.desk.page(request, "reasons.html", actor, found=found, within=within, spans=list(WITHIN))
