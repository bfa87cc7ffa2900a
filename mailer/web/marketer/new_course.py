"""Bringing a course: a guide that is understood and looked at first, or a course folder in a zip."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.content.arrivals import MOST_GUIDE, Arrival, Arrivals, slug_for
from mailer.content.course_zip import MOST_PACKED
from mailer.content.draft_store import Drafts
from mailer.desk import drafts as desk
from mailer.desk import folders
from mailer.desk.senders import senders_to_choose
from mailer.errors import MailerError, NotFound, Refused
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.signed_in import Write

router = APIRouter()

PATH = "/desk/new-course"
MOST_DAYS = 3660


@router.api_route(PATH, methods=READ)
def ask(request: Request, parts: PartsDep, actor: Write) -> Response:
    """The forms for a guide and for a folder."""
    return _ask(request, parts, actor)


@router.post(PATH, max_body_size=MOST_GUIDE + ROOM)
def take(request: Request, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Keep a guide and show how it was understood; the form again when it was not."""
    try:
        if not upload.file:
            raise Refused("Choose a guide first.")
        days = days_in(upload.fields.get("days", "30"))
        with parts.session() as session:
            arrivals = Arrivals(parts.settings.data_dir)
            arrival = desk.take_guide(session, actor, arrivals, upload.file, upload.content, days)
    except MailerError as error:
        return _ask(request, parts, actor, guide_error=str(error))
    return parts.desk.go(f"{PATH}/{arrival.name}")


@router.post(PATH + "/folder", max_body_size=MOST_PACKED + ROOM)
def take_folder(request: Request, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Make a draft of a course folder; where there is one, say first what it would replace."""
    try:
        if not upload.file:
            raise Refused("Choose the zip of a course folder first.")
        drafts, arrivals = Drafts(parts.settings.data_dir), Arrivals(parts.settings.data_dir)
        with parts.session() as session:
            taken = folders.take_folder(session, actor, drafts, arrivals, upload.content)
    except MailerError as error:
        return _ask(request, parts, actor, folder_error=str(error))
    if taken.waits:
        return parts.desk.go(f"{PATH}/folder/{taken.waits}")
    done = f"Brought {taken.slug}."
    if left_out := taken.left_out:
        done += f" Left out, for a course has no use for them: {', '.join(left_out[:5])}"
        done += f" and {len(left_out) - 5} more." if len(left_out) > 5 else "."
    return parts.desk.go(f"/desk/courses/{taken.slug}", done=done)


@router.api_route(PATH + "/folder/{arrival}", methods=READ)
def ask_replace(request: Request, arrival: str, parts: PartsDep, actor: Write) -> Response:
    """What the folder would replace."""
    return _ask_replace(request, arrival, parts, actor)


@router.post(PATH + "/folder/{arrival}")
def replace(request: Request, arrival: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Replace the draft that was looked at; look anew when somebody has changed it since."""
    drafts, arrivals = Drafts(parts.settings.data_dir), Arrivals(parts.settings.data_dir)
    try:
        with parts.session() as session:
            slug = folders.replace_draft(session, actor, drafts, arrivals, arrival, fields.get("seen", ""))
    except NotFound:
        raise
    except MailerError as error:
        return _ask_replace(request, arrival, parts, actor, str(error))
    return parts.desk.go(f"/desk/courses/{slug}", done=f"Brought {slug}; what it replaced is kept.")


def _ask_replace(request: Request, arrival: str, parts: Parts, actor: Write, error: str = "") -> Response:
    drafts, arrivals = Drafts(parts.settings.data_dir), Arrivals(parts.settings.data_dir)
    with parts.session() as session:
        found = folders.look_at_folder(session, actor, drafts, arrivals, arrival)
    return parts.desk.page(
        request, "courses/folder_replace.html", actor, found=found, arrival=arrival, error=error
    )


@router.api_route(PATH + "/{arrival}", methods=READ)
def look(request: Request, arrival: str, parts: PartsDep, actor: Write) -> Response:
    """How a guide was understood, with what can be adjusted."""
    with parts.session() as session:
        found = desk.look_at_guide(session, actor, Arrivals(parts.settings.data_dir), arrival, None)
    return _look(request, parts, actor, found, {})


@router.post(PATH + "/{arrival}")
def make(request: Request, arrival: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Understand it anew for another number of days, or make the course."""
    arrivals = Arrivals(parts.settings.data_dir)
    with parts.session() as session:
        found = desk.look_at_guide(session, actor, arrivals, arrival, None)
    try:
        days = days_in(fields.get("days", str(found.days)))
        with parts.session() as session:
            found = desk.look_at_guide(session, actor, arrivals, arrival, days)
        if "look" in fields:
            return _look(request, parts, actor, found, fields)
        slug = fields.get("slug", "").strip() or slug_for(fields.get("title", ""))
        with parts.session() as session:
            desk.make_course(
                *(session, actor, Drafts(parts.settings.data_dir), arrivals, found),
                title=fields.get("title", ""),
                slug=slug,
                sender=fields.get("sender", ""),
            )
    except NotFound:
        raise
    except MailerError as error:
        return _look(request, parts, actor, found, fields, error=str(error))
    done = f"Made {slug}. Nobody gets anything before it is published."
    return parts.desk.go(f"/desk/courses/{slug}", done=done)


@router.post(PATH + "/{arrival}/sections/{key}")
def adjust(
    request: Request, arrival: str, key: str, fields: FormFields, parts: PartsDep, actor: Write
) -> Response:
    """Have one section otherwise, and look at all again; back to it, so that the keyboard stays there."""
    arrivals = Arrivals(parts.settings.data_dir)
    try:
        with parts.session() as session:
            desk.adjust_section(session, actor, arrivals, arrival, key, fields)
    except NotFound:
        raise
    except MailerError as error:
        with parts.session() as session:
            found = desk.look_at_guide(session, actor, arrivals, arrival, None)
        return _look(request, parts, actor, found, {}, error=str(error), at=key, adjusting=fields)
    return parts.desk.go(f"{PATH}/{arrival}#{key}", done="Adjusted the section.")


def days_in(words: str) -> int:
    """The number of days in a field; raises Refused."""
    if not words.strip().isdecimal() or not 1 <= int(words.strip()[:9]) <= MOST_DAYS:
        raise Refused(f"A course takes 1 to {MOST_DAYS:,} days.")
    return int(words)


def _ask(
    request: Request, parts: Parts, actor: Write, *, guide_error: str = "", folder_error: str = ""
) -> Response:
    return parts.desk.page(
        request,
        "courses/new.html",
        actor,
        status=422 if guide_error or folder_error else 200,
        guide_error=guide_error,
        folder_error=folder_error,
    )


def _look(
    request: Request,
    parts: Parts,
    actor: Write,
    arrival: Arrival,
    fields: dict[str, str],
    error: str = "",
    at: str = "",
    adjusting: dict[str, str] | None = None,
) -> Response:
    with parts.session() as session:
        senders = senders_to_choose(session, actor)
    title = fields.get("title", arrival.report.title)
    return parts.desk.page(
        request,
        "courses/understood.html",
        actor,
        arrival=arrival,
        title=title,
        slug=fields.get("slug", slug_for(title)),
        sender=fields.get("sender", senders[0][0] if senders else ""),
        senders=senders,
        error=error,
        at=at,
        adjusting=adjusting or {},
    )
