"""Lists: what people sign up to."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right
from mailer.desk import lists as desk
from mailer.desk.senders import senders_to_choose
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import OptIn
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import See, Write

router = APIRouter()

PATH = "/desk/lists"
OPT_IN = {
    OptIn.DOUBLE: "double: they confirm by a mail first",
    OptIn.SINGLE: "single: they are on it at once",
}


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them, and the form for another one."""
    return _list(request, parts, actor, {"slug": "", "title": "", "opt_in": OptIn.DOUBLE, "sender": ""})


@router.post(PATH)
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """A new one, or the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("slug", "title", "opt_in", "sender")}
    try:
        with parts.session() as session:
            opt_in = opt_in_of(given["opt_in"])
            desk.add_list(session, actor, given["slug"], given["title"], opt_in, given["sender"])
    except MailerError as error:
        return _list(request, parts, actor, given, str(error))
    return parts.desk.go(f"{PATH}/{given['slug']}", done=f"Added {given['slug']}.")


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See, exact: str = "") -> Response:
    """One, with its people, courses and forms."""
    return _show(request, slug, parts, actor, is_exact=bool(exact))


@router.post(PATH + "/{slug}")
def change(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Its title and opt-in; the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("title", "opt_in", "sender", "seen")}
    try:
        with parts.session() as session:
            opt_in = opt_in_of(given["opt_in"])
            asked = given["title"], opt_in, given["sender"], given["seen"]
            desk.change_list(session, actor, slug, *asked)
    except NotFound:
        raise
    except MailerError as error:
        return _show(request, slug, parts, actor, given=given, error=str(error))
    return parts.desk.go(f"{PATH}/{slug}", done="Changed. Those who are on it stay as they are.")


def opt_in_of(word: str) -> OptIn:
    """The opt-in of this name; raises Refused."""
    try:
        return OptIn(word)
    except ValueError:
        raise Refused("People get on a list by single or by double opt-in.") from None


def _senders(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Those that whoever may choose one chooses from."""
    return senders_to_choose(session, actor) if actor.may(Right.WRITE) else []


def _list(request: Request, parts: Parts, actor: Actor, given: dict[str, str], error: str = "") -> Response:
    with parts.session() as session:
        rows = desk.list_page(session, actor)
        choices = _senders(session, actor)
    return parts.desk.page(
        request,
        "audience/lists.html",
        actor,
        rows=rows,
        given=given,
        opt_ins=list(OPT_IN.items()),
        senders=choices,
        error=error,
    )


def _show(
    request: Request,
    slug: str,
    parts: Parts,
    actor: Actor,
    *,
    is_exact: bool = False,
    given: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    with parts.session() as session:
        view = desk.view_list(session, actor, slug, is_exact=is_exact)
        choices = _senders(session, actor)
    list_ = view.counts.list
    return parts.desk.page(
        request,
        "audience/list.html",
        actor,
        view=view,
        seen=(given or {}).get("seen") or view.digest,
        given=given or {"title": list_.title, "opt_in": list_.opt_in, "sender": view.sender_slug},
        opt_ins=list(OPT_IN.items()),
        senders=choices,
        error=error,
    )
