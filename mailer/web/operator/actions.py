"""The record of what people and programs did."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.desk.actions import list_actions
from mailer.web.deps import READ, PartsDep
from mailer.web.signed_in import See

router = APIRouter()


@router.api_route("/desk/actions", methods=READ)
def actions(
    request: Request, parts: PartsDep, actor: See, who: str = "", what: str = "", before: int | None = None
) -> Response:
    """Who did what, when and to how many, newest first."""
    with parts.session() as session:
        found = list_actions(session, actor, who=who, what=what, before=before)
        return parts.desk.page(
            request,
            "actions.html",
            actor,
            found=found,
            who=who,
            what=what,
            older=parts.desk.url("/desk/actions", who=who, what=what, before=found.before)
            if found.before
            else "",
        )
