"""Courses: the list, one course with its timeline, its settings and its zip."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from mailer.content.draft_store import Drafts
from mailer.desk import drafts as writing
from mailer.desk import folders
from mailer.desk import publishing as desk
from mailer.desk.pictures import list_pictures
from mailer.errors import MailerError, NotFound, Refused
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import See, Write
from mailer.web.taking_out import attached

router = APIRouter()

PATH = "/desk/courses"
TEXTS = (
    *("title", "subtitle", "language", "zone", "list_title", "consent", "send_time", "disclaimer"),
    *("sender.name", "sender.email", "sender.postal_address", "sender.reply_to"),
)


def drafts_of(parts: Parts) -> Drafts:
    """The folders of this installation's drafts."""
    return Drafts(parts.settings.data_dir)


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them."""
    with parts.session() as session:
        lines = desk.list_courses(session, actor, drafts_of(parts))
    return parts.desk.page(request, "courses/list.html", actor, lines=lines)


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """One course: the timeline of its draft, or of what is published."""
    return _show(request, slug, parts, actor)


def _show(
    request: Request,
    slug: str,
    parts: Parts,
    actor: See,
    adding: Mapping[str, str] | None = None,
    error: str = "",
) -> Response:
    """The course's page; `adding` is a step that could not be added because of an `error`."""
    drafts = drafts_of(parts)
    with parts.session() as session:
        published = desk.find_published(session, actor, slug)
        if published is None and not drafts.has(slug):
            raise NotFound(f"There is no course {slug!r}; look in the list of them.")
        draft = writing.show_draft(session, actor, drafts, slug) if drafts.has(slug) else None
        replaced_at = folders.replaced_at(session, actor, drafts, slug)
    return parts.desk.page(
        request,
        "courses/course.html",
        actor,
        slug=slug,
        published=published,
        draft=draft,
        replaced_at=replaced_at,
        adding=adding or {},
        error=error,
    )


@router.post(PATH + "/{slug}/move")
def move(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Another place or day for a step; back to it, so that the keyboard stays where it was."""
    name, digest = fields.get("name", ""), fields.get("digest", "")
    with parts.session() as session:
        if fields.get("day"):
            day = number(fields["day"], "The day")
            moved = writing.put_step_on(session, actor, drafts_of(parts), slug, name, day, digest)
        else:
            before = fields.get("before", "")
            moved = writing.move_step(
                session, actor, drafts_of(parts), slug, name, before=before, digest=digest
            )
    done = f"Moved {name}." if moved else f"{name} stays where it is."
    return parts.desk.go(f"{PATH}/{slug}#{name}", done=done)


@router.post(PATH + "/{slug}/steps")
def add(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Another step, opened to be written; the page again with what was wrong."""
    try:
        day = number(fields["day"], "The day") if fields.get("day", "").strip() else None
        with parts.session() as session:
            name = writing.add_step(
                *(session, actor, drafts_of(parts), slug),
                subject=fields.get("subject", ""),
                kind=fields.get("kind", ""),
                day=day,
                digest=fields.get("digest", ""),
            )
    except NotFound:
        raise
    except MailerError as error:
        return _show(request, slug, parts, actor, fields, str(error))
    return parts.desk.go(f"{PATH}/{slug}/steps/{name}")


@router.api_route(PATH + "/{slug}/settings", methods=READ)
def settings(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """course.toml as a form, and as text."""
    return _settings(request, parts, actor, slug)


@router.post(PATH + "/{slug}/settings")
def change(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Write it anew; the form again, with what was typed, when that fails."""
    digest = fields.get("digest", "")
    try:
        with parts.session() as session:
            if "text" in fields:
                writing.save_course_text(session, actor, drafts_of(parts), slug, fields["text"], digest)
            else:
                writing.save_course(session, actor, drafts_of(parts), slug, _changes(fields), digest)
    except NotFound:
        raise
    except MailerError as error:
        return _settings(request, parts, actor, slug, fields, str(error))
    return parts.desk.go(f"{PATH}/{slug}", done="Changed the course's settings.")


@router.get(PATH + "/{slug}/course.zip")
def take_out(slug: str, parts: PartsDep, actor: Write) -> Response:
    """The course folder as a zip."""
    with parts.session() as session:
        content = writing.pack_folder(session, actor, drafts_of(parts), slug)
    return Response(content, media_type="application/zip", headers=attached(f"{slug}.zip"))


@router.post(PATH + "/{slug}/bring-back")
def bring_back(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """The draft as it was before it was replaced."""
    with parts.session() as session:
        folders.bring_back(session, actor, drafts_of(parts), slug, fields.get("digest", ""))
    return parts.desk.go(f"{PATH}/{slug}", done="This is the draft as it was before it was replaced.")


@router.api_route(PATH + "/{slug}/remove", methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """What removing the draft means."""
    with parts.session() as session:
        draft = writing.show_draft(session, actor, drafts_of(parts), slug)
        published = desk.find_published(session, actor, slug)
    return parts.desk.page(request, "courses/remove.html", actor, slug=slug, draft=draft, published=published)


@router.post(PATH + "/{slug}/remove")
def remove(slug: str, parts: PartsDep, actor: Write) -> Response:
    """Forget the draft."""
    with parts.session() as session:
        writing.remove_draft(session, actor, drafts_of(parts), slug)
    return parts.desk.go(PATH, done=f"Removed the draft of {slug}.")


def number(words: str, what: str) -> int:
    """The whole number in a field; raises Refused."""
    if not words.strip().isdecimal() or len(words) > 9:
        raise Refused(f"{what} is a whole number.")
    return int(words)


def _changes(fields: dict[str, str]) -> dict[str, str | int]:
    changes: dict[str, str | int] = {
        name: fields[name].replace("\r\n", "\n").strip() for name in TEXTS if name in fields
    }
    if "days" in fields:
        changes["days"] = number(fields["days"], "The days")
    return changes


def _settings(
    request: Request,
    parts: Parts,
    actor: Write,
    slug: str,
    fields: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    with parts.session() as session:
        draft = writing.show_draft(session, actor, drafts_of(parts), slug)
        text, digest = writing.course_text(session, actor, drafts_of(parts), slug)
        pictures = list_pictures(session, actor, drafts_of(parts), slug)
    return parts.desk.page(
        request,
        "courses/settings.html",
        actor,
        slug=slug,
        source=draft.source,
        problems=[one for one in draft.problems if one.path == "course.toml"],
        text=(fields or {}).get("text", text),
        base=(fields or {}).get("digest") or digest,
        digest=digest,
        pictures=pictures,
        typed=fields or {},
        error=error,
    )
