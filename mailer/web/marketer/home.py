"""Home, the first page after signing in: this week, what needs attention, and the last sends."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response

from mailer.desk import home as desk
from mailer.queue import ERRANDS, TaskName
from mailer.web.deps import READ, PartsDep
from mailer.web.marketer.courses import drafts_of
from mailer.web.signed_in import See

router = APIRouter()

PATH = "/desk"


@router.api_route(PATH, methods=READ)
def home(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of it."""
    depths = parts.broker.depths_or_none()
    with parts.session() as session:
        found = desk.see_home(session, actor, depths, parts.base_url, drafts_of(parts))
    return parts.desk.page(request, "home.html", actor, home=found)


@router.post(PATH + "/outlook")
def ask_anew(parts: PartsDep, actor: See, tasks: BackgroundTasks) -> Response:
    """Have the week's counts worked out anew."""
    with parts.session() as session:
        desk.ask_anew(session, actor)
    # After the answer: a broker that is away takes seconds to find out. The beat asks every minute anyway.
    tasks.add_task(parts.broker.send, TaskName.LOOK_AHEAD, queue=ERRANDS, expires=60)
    return parts.desk.go(PATH, done="The counts of the week are being worked out; they show here.")
