"""What is done to a whole list: deleting it, and enrolling it into a course. Told first, then followed."""

from __future__ import annotations

from fastapi import APIRouter, BackgroundTasks, Request, Response

from mailer.accounts.rights import Actor
from mailer.desk import lists as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.queue import ERRANDS, TaskName
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.lists import PATH
from mailer.web.signed_in import Audience, See, Send

router = APIRouter()

REMOVE = PATH + "/{slug}/remove"
ENROLL = PATH + "/{slug}/enroll"
ACTS = PATH + "/acts/{act_id}"


@router.api_route(REMOVE, methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Audience) -> Response:
    """What deleting it means, to how many; or what needs it."""
    return _ask_remove(request, slug, parts, actor)


@router.post(REMOVE)
def remove(
    request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Audience, tasks: BackgroundTasks
) -> Response:
    """Delete it; its people leave it in the background."""
    try:
        if fields.get("sure", "").strip() != slug:
            raise Refused(f"Write {slug} into the field, so that no other list is deleted by mistake.")
        with parts.session() as session:
            act_id = desk.remove_list(session, actor, slug)
    except NotFound:
        raise
    except MailerError as error:
        return _ask_remove(request, slug, parts, actor, str(error))
    return _follow(parts, tasks, act_id, f"Deleted the list {slug}.")


@router.api_route(ENROLL, methods=READ)
def ask_enroll(
    request: Request, slug: str, parts: PartsDep, actor: Send, course: str = "", count: str = ""
) -> Response:
    """Who would join the course, and who not."""
    return _ask_enroll(request, slug, course, parts, actor, is_asked=count == "yes")


@router.post(ENROLL)
def enroll(
    request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Send, tasks: BackgroundTasks
) -> Response:
    """Enroll no more than were seen."""
    course, seen = fields.get("course", ""), fields.get("people", "")
    try:
        if not seen.isdecimal() or len(seen) > 12:
            raise Refused("Look at how many join it first, then say yes.")
        with parts.session() as session:
            act_id = desk.enroll_whole_list(session, actor, slug, course, int(seen))
    except NotFound:
        raise
    except MailerError as error:
        return _ask_enroll(request, slug, course, parts, actor, str(error), is_asked=True)
    return _follow(parts, tasks, act_id, "")


@router.api_route(ACTS, methods=READ)
def show_act(request: Request, act_id: int, parts: PartsDep, actor: See) -> Response:
    """How far it is."""
    with parts.session() as session:
        view = desk.see_act(session, actor, act_id)
    return parts.desk.page(request, "audience/list_act.html", actor, view=view)


@router.post(ACTS + "/stop")
def stop_act(act_id: int, parts: PartsDep, actor: Send) -> Response:
    """Enroll no more."""
    with parts.session() as session:
        act = desk.stop_enrolling(session, actor, act_id).act
    return parts.desk.go(ACTS.format(act_id=act_id), done=f"Stopped; {act.changed:,} are in the course.")


def _follow(parts: Parts, tasks: BackgroundTasks, act_id: int, done: str) -> Response:
    # After the answer: a broker that is away takes seconds to find out. The beat asks by itself anyway.
    tasks.add_task(parts.broker.send, TaskName.ACT_ON_MANY, queue=ERRANDS, expires=60)
    return parts.desk.go(ACTS.format(act_id=act_id), done=done)


def _ask_remove(request: Request, slug: str, parts: Parts, actor: Actor, error: str = "") -> Response:
    with parts.session() as session:
        seen = desk.look_at_removal(session, actor, slug)
    return parts.desk.page(request, "audience/list_remove.html", actor, seen=seen, error=error)


def _ask_enroll(
    request: Request, slug: str, course: str, parts: Parts, actor: Actor, error: str = "", *, is_asked: bool
) -> Response:
    with parts.session() as session:
        seen = desk.look_at_enrolling(session, actor, slug, course, is_asked=is_asked)
    return parts.desk.page(request, "audience/list_enroll.html", actor, seen=seen, error=error)
