"""Segments: all of them, one, and the builder in which a rule is put together from rows or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from mailer.clock import zone_names
from mailer.content.arrivals import slug_for
from mailer.desk import segments as desk
from mailer.errors import MailerError, NotFound
from mailer.rules.kinds import kinds
from mailer.rules.rows import BadRows, Place
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.segment_form import Building, BuildingFields, building_of
from mailer.web.signed_in import See, Write

router = APIRouter()

PATH = "/desk/segments"
NEW = "/desk/new-segment"


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them, each as a sentence."""
    with parts.session() as session:
        rows = desk.list_segments(session, actor)
    return parts.desk.page(request, "segments/list.html", actor, rows=rows)


@router.api_route(NEW, methods=READ)
def ask_new(request: Request, parts: PartsDep, actor: Write) -> Response:
    """The builder with one row."""
    return _build(request, parts, actor, Building())


@router.post(NEW)
def add(request: Request, fields: BuildingFields, parts: PartsDep, actor: Write) -> Response:
    """Do to the rows what the button says, or save them as a new segment."""
    building = building_of(fields)
    if fields.get("do") != "save":
        return _changed(request, parts, actor, building, fields.get("do", ""))
    slug = building.slug or slug_for(building.title)
    try:
        with parts.session() as session:
            desk.add_segment(session, actor, slug, _rule(session, actor, building), building.title)
    except MailerError as error:
        return _build(request, parts, actor, building, error=error)
    return parts.desk.go(f"{PATH}/{slug}", done=f"Saved {slug}. Campaigns and courses can ask for it now.")


@router.post(NEW + "/look")
def look(request: Request, fields: BuildingFields, parts: PartsDep, actor: See) -> Response:
    """What the rows mean and who meets them: a part of the builder, renewed while somebody fills it in."""
    tried = _tried(parts, actor, building_of(fields), fields.get("instead_of", ""))
    return parts.desk.page(request, "segments/look.html", actor, **tried)


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See, count: str = "") -> Response:
    """One: its sentence, its rule and what asks for it; who meets it, when asked for that."""
    with parts.session() as session:
        segment = desk.show_segment(session, actor, slug)
        uses = desk.uses_of_segment(session, actor, slug)
        seen = desk.glance_at_segment(session, actor, slug) if count else None
    is_part = count == "part"
    template = "segments/people.html" if is_part else "segments/one.html"
    return parts.desk.page(request, template, actor, segment=segment, uses=uses, glance=seen)


@router.api_route(PATH + "/{slug}/edit", methods=READ)
def ask_change(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """The builder with its rule, as text when rows cannot show it."""
    with parts.session() as session:
        segment = desk.show_segment(session, actor, slug)
        rows = desk.as_rows(session, actor, segment.rule)
    building = Building(slug, segment.title, rule=segment.rule, is_text=rows is None)
    building = replace(building, rows=rows) if rows else building
    return _build(request, parts, actor, building, instead_of=slug, seen=segment.digest, is_deep=rows is None)


@router.post(PATH + "/{slug}/edit")
def change(request: Request, slug: str, fields: BuildingFields, parts: PartsDep, actor: Write) -> Response:
    """Do to the rows what the button says, or give the segment the rule that they make."""
    building = replace(building_of(fields), slug=slug)
    with parts.session() as session:
        desk.show_segment(session, actor, slug)
    act = fields.get("do", "")
    seen = fields.get("over" if act == "over" else "seen", "")
    if act not in {"save", "over"}:
        return _changed(request, parts, actor, building, act, instead_of=slug, seen=seen)
    try:
        with parts.session() as session:
            rule = _rule(session, actor, building)
            saved = desk.put_segment(session, actor, slug, rule, building.title, seen)
    except NotFound:
        raise
    except MailerError as error:
        return _build(request, parts, actor, building, instead_of=slug, seen=seen, error=error)
    done = f"Changed {slug}; whatever asks for it asks the new rule now."
    if saved.asked_again:
        done += f" They were approved for others, and wait for that again: {', '.join(saved.asked_again)}."
    return parts.desk.go(f"{PATH}/{slug}", done=done)


@router.api_route(PATH + "/{slug}/remove", methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """What removing means, or why it cannot be removed."""
    with parts.session() as session:
        segment = desk.show_segment(session, actor, slug)
        uses = desk.uses_of_segment(session, actor, slug)
    return parts.desk.page(request, "segments/remove.html", actor, segment=segment, uses=uses)


@router.post(PATH + "/{slug}/remove")
def remove(slug: str, parts: PartsDep, actor: Write) -> Response:
    """Forget it."""
    with parts.session() as session:
        desk.remove_segment(session, actor, slug)
    return parts.desk.go(PATH, done=f"Removed {slug}; the people in it are as they were.")


def _rule(session: Any, actor: Write, building: Building) -> str:
    return building.rule if building.is_text else desk.as_text(session, actor, building.rows)


def _changed(
    request: Request,
    parts: Parts,
    actor: Write,
    building: Building,
    act: str,
    instead_of: str = "",
    seen: str = "",
) -> Response:
    """The builder again, its rows changed, or its rule shown in the other way."""
    error: MailerError | None = None
    is_deep = False
    try:
        with parts.session() as session:
            if act == "text" and not building.is_text:
                rule = desk.as_text(session, actor, building.rows)
                building = replace(building, rule=rule, is_text=True)
            elif act == "rows" and building.is_text:
                rows = desk.as_rows(session, actor, building.rule)
                building = replace(building, rows=rows, is_text=False) if rows else building
                is_deep = rows is None
    except MailerError as found:
        error = found
    # Where there is a script it asks by itself who meets the rule, and until then nobody waits for that.
    counts = act == "look" and error is None
    return _build(
        *(request, parts, actor, building),
        instead_of=instead_of,
        seen=seen,
        error=error,
        is_deep=is_deep,
        counts=counts,
    )


def _build(
    request: Request,
    parts: Parts,
    actor: Write,
    building: Building,
    *,
    instead_of: str = "",
    seen: str = "",
    error: MailerError | None = None,
    is_deep: bool = False,
    counts: bool = False,
) -> Response:
    with parts.session() as session:
        choices = desk.choices(session, actor, instead_of)
        known = desk.show_segment(session, actor, instead_of) if instead_of else None
    tried: dict[str, Any] = {"tried": None, "problem": ""}
    if counts:
        tried = _tried(parts, actor, building, instead_of)
    return parts.desk.page(
        request,
        "segments/build.html",
        actor,
        status=422 if error else 200,
        path=f"{PATH}/{instead_of}/edit" if instead_of else NEW,
        building=building,
        instead_of=instead_of,
        seen=seen,
        now_seen=known.digest if known else seen,
        choices=choices,
        kinds=kinds(choices.fields),
        zones=sorted(zone_names()),
        error=_words(error),
        is_deep=is_deep,
        **{"wrong": _wrong(error), **tried},
    )


def _tried(parts: Parts, actor: See, building: Building, instead_of: str) -> dict[str, Any]:
    """What the look at a rule shows: who meets it, or why it cannot be asked."""
    try:
        with parts.session() as session:
            rule = _rule(session, actor, building)
            return {"tried": desk.try_quickly(session, actor, rule, instead_of), "problem": "", "wrong": {}}
    except NotFound:
        return {"tried": None, "problem": "The segment is not there any more.", "wrong": {}}
    except MailerError as error:
        return {"tried": None, "problem": _words(error), "wrong": _wrong(error)}


def _wrong(error: MailerError | None) -> Mapping[Place, str]:
    return error.at if isinstance(error, BadRows) else {}


def _words(error: MailerError | None) -> str:
    if isinstance(error, BadRows):
        return (
            "Not every row says something yet." if len(error.at) > 1 else "One row does not say enough yet."
        )
    return error.what or str(error) if error else ""
