"""Tags and custom fields: what there is, and renaming or removing one for everybody who has it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor
from mailer.desk import labels as desk
from mailer.desk.labels import Label, Step
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import FieldType
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.pace_form import number
from mailer.web.signed_in import Audience, See

router = APIRouter()

TAGS = "/desk/tags"
FIELDS = "/desk/fields"
SECONDS = 5.0
"""How long one press of a button changes people; where there are more, the page asks for another."""

TYPES = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "a number",
    FieldType.DATE: "a date",
    FieldType.YES_NO: "yes or no",
}


@dataclass(frozen=True)
class Kind:
    """What is renamed or removed for everybody: its page, how it is changed, and what is said of it then."""

    noun: str
    path: str
    show: Callable[[Session, Actor, str], Label]
    change: Callable[[Session, Actor, str, str, int, int | None], Step]
    shown: Callable[[str], str]
    gone: str


TAG = Kind("tag", TAGS, desk.show_tag, desk.change_tag, str.lower, "is gone")
FIELD = Kind("field", FIELDS, desk.show_field, desk.change_field, str, "is gone, with what people had in it")


@router.api_route(TAGS, methods=READ)
def list_tags(request: Request, parts: PartsDep, actor: See, after: str = "") -> Response:
    """Tags, and about how many people have each."""
    with parts.session() as session:
        page = desk.list_tags(session, actor, after[:200])
    return parts.desk.page(request, "audience/tags.html", actor, page=page, after=after)


@router.api_route(TAGS + "/change", methods=READ)
def ask_tag(request: Request, parts: PartsDep, actor: Audience, tag: str = "", after: str = "") -> Response:
    """What renaming or removing one means."""
    return _label(request, parts, actor, TAG, tag[:200], done=number(after))


@router.post(TAGS + "/change")
def change_tag(request: Request, fields: FormFields, parts: PartsDep, actor: Audience) -> Response:
    """Another name for it, or none, for all who have it."""
    return _change(request, fields, parts, actor, TAG)


@router.api_route(FIELDS, methods=READ)
def list_fields(request: Request, parts: PartsDep, actor: See) -> Response:
    """Custom fields, and the form for another one."""
    return _fields(request, parts, actor, {"key": "", "type": FieldType.TEXT})


@router.post(FIELDS)
def add_field(request: Request, fields: FormFields, parts: PartsDep, actor: Audience) -> Response:
    """A new one, or the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("key", "type")}
    try:
        if given["type"] not in set(FieldType):
            raise Refused("A field holds text, a number, a date, or yes or no.")
        with parts.session() as session:
            desk.declare_field(session, actor, given["key"], FieldType(given["type"]))
    except MailerError as error:
        return _fields(request, parts, actor, given, str(error))
    return parts.desk.go(FIELDS, done=f"People can have {given['key']} now.")


@router.api_route(FIELDS + "/change", methods=READ)
def ask_field(request: Request, parts: PartsDep, actor: Audience, field: str = "") -> Response:
    """What renaming or removing one means."""
    return _label(request, parts, actor, FIELD, field)


@router.post(FIELDS + "/change")
def change_field(request: Request, fields: FormFields, parts: PartsDep, actor: Audience) -> Response:
    """Another name for it, or none, with what everybody has in it."""
    return _change(request, fields, parts, actor, FIELD)


def _change(request: Request, fields: FormFields, parts: Parts, actor: Actor, kind: Kind) -> Response:
    """Change people for a while; the page again to go on where there are more, or with what was wrong."""
    name, new = fields.get(kind.noun, ""), fields.get("new", "").strip()

    def step(session: Session, after: int, note: int | None) -> Step:
        return kind.change(session, actor, name, new, after, note)

    try:
        new = _new(fields)
        people, after = _run(parts, step, number(fields.get("after", "")))
    except NotFound:
        raise
    except MailerError as error:
        return _label(request, parts, actor, kind, name, new=new, error=str(error))
    if after is not None:
        said = f"{_people(people)} so far; there are more. Press the button again to go on."
        return _label(request, parts, actor, kind, name, new=new, done=after, said=said)
    words = f"is {kind.shown(new)} now" if new else kind.gone
    return parts.desk.go(kind.path, done=f"{name} {words}: {_people(people)}.")


def _new(fields: dict[str, str]) -> str:
    """The new name; empty for removing. Raises Refused for a name that was left out."""
    if fields.get("verb") == "remove":
        return ""
    new = fields.get("new", "").strip()
    if not new:
        raise Refused("Write the new name.")
    return new


def _people(count: int) -> str:
    return "1 person was changed" if count == 1 else f"{count:,} people were changed"


def _run(
    parts: Parts, step: Callable[[Session, int, int | None], Step], after: int
) -> tuple[int, int | None]:
    """Step on from `after`, each in a transaction of its own, for SECONDS; how many, and where to go on."""
    ends, people, note = time.monotonic() + SECONDS, 0, None
    while True:
        with parts.session() as session:
            done = step(session, after, note)
        people, note = people + done.people, done.note
        if done.after is None:
            return people, None
        after = done.after
        if time.monotonic() > ends:
            return people, after


def _label(
    request: Request,
    parts: Parts,
    actor: Actor,
    kind: Kind,
    name: str,
    *,
    new: str = "",
    done: int = 0,
    said: str = "",
    error: str = "",
) -> Response:
    with parts.session() as session:
        label = kind.show(session, actor, name)
    page = f"audience/{kind.noun}.html"
    return parts.desk.page(request, page, actor, label=label, new=new, done=done, said=said, error=error)


def _fields(request: Request, parts: Parts, actor: Actor, given: dict[str, str], error: str = "") -> Response:
    with parts.session() as session:
        labels = desk.list_fields(session, actor)
    types = list(TYPES.items())
    return parts.desk.page(
        request, "audience/fields.html", actor, labels=labels, types=types, given=given, error=error
    )
