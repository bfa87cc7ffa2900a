"""Publishing a course with its effect seen first, taking it back, and its versions."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from mailer.desk import publishing as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.launch.effect import Bring, read_bring
from mailer.reports.course_versions import MOST_VERSIONS
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.desk import plural
from mailer.web.marketer.courses import PATH, drafts_of, number
from mailer.web.signed_in import See, Send, Write
from mailer.web.taking_out import attached

router = APIRouter()


@router.api_route(PATH + "/{slug}/publish", methods=READ)
def ask_publish(request: Request, slug: str, parts: PartsDep, actor: Send, look: str = "") -> Response:
    """What publishing would do, and to how many; to look on asks its links, which takes a moment."""
    if look == "on":
        drafts = drafts_of(parts)
        parts.ask_links(
            lambda session: desk.links_to_ask(
                *(session, actor, desk.check_draft(session, actor, drafts, slug)),
                *(parts.signer, parts.base_url),
            )
        )
    return _effect(request, parts, actor, slug, is_asked=look == "on")


@router.post(PATH + "/{slug}/publish")
def publish(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Publish what was looked at."""
    try:
        with parts.session() as session:
            checked = desk.check_draft(session, actor, drafts_of(parts), slug)
            plan = desk.publish_draft(
                *(session, actor, checked, _bring(fields), fields.get("seal", "")),
                *(parts.signer, parts.base_url),
            )
    except NotFound:
        raise
    except MailerError as error:
        return _effect(request, parts, actor, slug, str(error), is_asked=True)
    done = f"Published {slug} as version {plan.version}." if plan.changes else "It was published already."
    if plan.has_other_files and not plan.changes:
        done = f"Version {plan.version} keeps these files now."
    return parts.desk.go(f"{PATH}/{slug}", done=done)


@router.api_route(PATH + "/{slug}/versions", methods=READ)
def versions(
    request: Request,
    slug: str,
    parts: PartsDep,
    actor: See,
    old: int | None = None,
    new: int | None = None,
    before: int | None = None,
) -> Response:
    """Its versions, and what differs between two: the last two when none are named."""
    with parts.session() as session:
        course, rows = desk.list_versions(session, actor, slug, before)
        numbers = [row.number for row in rows]
        if before is None and (old is None or new is None):
            new, old = (numbers[0], numbers[1]) if len(numbers) > 1 else (None, None)
        found = None
        if old is not None and new is not None:
            found = desk.compare_versions(session, actor, slug, old, new)
        has_older = len(rows) > MOST_VERSIONS
        return parts.desk.page(
            request,
            "courses/versions.html",
            actor,
            course=course,
            rows=rows,
            most=MOST_VERSIONS,
            before=before,
            older=parts.desk.url(f"{PATH}/{slug}/versions", before=numbers[-2]) if has_older else "",
            difference=found,
        )


@router.get(PATH + "/{slug}/versions/{version}/course.zip")
def take_out_version(slug: str, version: int, parts: PartsDep, actor: Write) -> Response:
    """The course folder that a version was published from."""
    with parts.session() as session:
        content = desk.pack_version(session, actor, slug, version)
    name = f"{slug}-version-{version}.zip"
    return Response(content, media_type="application/zip", headers=attached(name))


@router.api_route(PATH + "/{slug}/versions/{version}/edit", methods=READ)
def ask_edit(request: Request, slug: str, version: int, parts: PartsDep, actor: Write) -> Response:
    """What editing a version means for the draft that there is."""
    with parts.session() as session:
        found = desk.look_at_version(session, actor, drafts_of(parts), slug, version)
        return parts.desk.page(request, "courses/edit_version.html", actor, slug=slug, found=found)


@router.post(PATH + "/{slug}/versions/{version}/edit")
def edit(slug: str, version: int, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Make it the draft."""
    with parts.session() as session:
        desk.edit_version(session, actor, drafts_of(parts), slug, version, fields.get("draft", ""))
    return parts.desk.go(f"{PATH}/{slug}", done=f"The draft is what version {version} was published from.")


@router.api_route(PATH + "/{slug}/undo", methods=READ)
def ask_undo(request: Request, slug: str, parts: PartsDep, actor: Send, count: str = "") -> Response:
    """What taking back the last publication would do, and to how many."""
    with parts.session() as session:
        seen = desk.look_at_undo(session, actor, slug, is_asked=bool(count))
        return parts.desk.page(request, "courses/undo.html", actor, seen=seen)


@router.post(PATH + "/{slug}/undo")
def undo(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Take it back."""
    version = number(fields.get("version", ""), "The version")
    with parts.session() as session:
        undone = desk.undo_last(session, actor, slug, version)
    readers = plural(undone.readers, "reader")
    done = f"{slug} is as it was in version {undone.like}, for {readers}; this is version {undone.version}."
    return parts.desk.go(f"{PATH}/{slug}", done=done)


def _bring(fields: Mapping[str, str]) -> Bring:
    """To whom new steps are brought, as it was chosen of each; raises Refused."""
    past = [
        f"{name.removeprefix('past-')}={value}" for name, value in fields.items() if name.startswith("past-")
    ]
    finished = [name.removeprefix("finished-") for name in fields if name.startswith("finished-")]
    return read_bring(past, finished)


def _effect(
    request: Request, parts: Parts, actor: Send, slug: str, error: str = "", *, is_asked: bool
) -> Response:
    effect = None
    with parts.session() as session:
        checked = desk.check_draft(session, actor, drafts_of(parts), slug)
        published = desk.find_published(session, actor, slug)
        if checked.compiled is not None:
            try:
                asked = session, actor, checked, parts.signer, parts.base_url
                effect = desk.effect_of(*asked, is_asked=is_asked)
            except Refused as refused:
                error = error or str(refused)
        return parts.desk.page(
            request,
            "courses/publish.html",
            actor,
            slug=slug,
            checked=checked,
            effect=effect,
            published=published,
            problems=effect.problems if effect else checked.problems,
            error=error,
        )
