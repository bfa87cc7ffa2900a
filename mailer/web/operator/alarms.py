"""Alarms: those that there were, and who is told of them elsewhere."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.desk import alarms as desk
from mailer.errors import MailerError
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Run, See

router = APIRouter()

PATH = "/desk/alarms"


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """What is wrong, what was, and who is told."""
    return _list(request, parts, actor)


@router.post(PATH)
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Have somebody told; a webhook's secret is shown this once."""
    kind, address = fields.get("kind", ""), fields.get("address", "").strip()[:500]
    try:
        with parts.session() as session:
            shown, secret = desk.add_channel(session, actor, parts.seal, kind, address)
    except MailerError as error:
        return _list(request, parts, actor, kind=kind, error=str(error))
    if secret:
        return parts.desk.page(request, "alarm_secret.html", actor, shown=shown, secret=secret)
    return parts.desk.go(PATH, done=f"Added {shown}. Send it a test next.")


@router.post(PATH + "/{channel_id}/test")
def test(channel_id: int, parts: PartsDep, actor: Run) -> Response:
    """Tell it that this is a test."""
    with parts.session() as session:
        shown = desk.try_channel(session, actor, channel_id)
    return parts.desk.go(PATH, done=f"{shown} is told within half a minute that this is a test.")


@router.api_route(PATH + "/{channel_id}/remove", methods=READ)
def ask_remove(request: Request, channel_id: int, parts: PartsDep, actor: Run) -> Response:
    """What removing means."""
    with parts.session() as session:
        channel = desk.see_channel(session, actor, channel_id)
        return parts.desk.page(request, "alarm_remove.html", actor, channel=channel)


@router.post(PATH + "/{channel_id}/remove")
def remove(channel_id: int, parts: PartsDep, actor: Run) -> Response:
    """Tell it nothing any more."""
    with parts.session() as session:
        shown = desk.remove_channel(session, actor, channel_id)
    return parts.desk.go(PATH, done=f"{shown} is told of no alarms any more.")


def _list(request: Request, parts: Parts, actor: See, *, kind: str = "mail", error: str = "") -> Response:
    with parts.session() as session:
        view = desk.see_alarms(session, actor)
        return parts.desk.page(
            request,
            "alarms.html",
            actor,
            view=view,
            kind=kind,
            error=error,
        )
