"""A changed guide brought into the draft it once became: each section is shown, and taken or not."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.content.arrivals import MOST_GUIDE, Arrivals
from mailer.desk import drafts as writing
from mailer.desk import guides as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.courses import PATH, drafts_of
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.signed_in import Write

router = APIRouter()


@router.api_route(PATH + "/{slug}/guide", methods=READ)
def ask(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """The form for the changed guide."""
    return _ask(request, parts, actor, slug)


@router.post(PATH + "/{slug}/guide", max_body_size=MOST_GUIDE + ROOM)
def take(request: Request, slug: str, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Keep it, and show what it changes; the form again when it is no guide."""
    try:
        if not upload.file:
            raise Refused("Choose the guide first.")
        with parts.session() as session:
            name = desk.take_guide_again(
                *(session, actor, drafts_of(parts), _arrivals(parts), slug, upload.file, upload.content)
            )
    except NotFound:
        raise
    except MailerError as error:
        return _ask(request, parts, actor, slug, str(error))
    return parts.desk.go(f"{PATH}/{slug}/guide/{name}")


@router.api_route(PATH + "/{slug}/guide/{name}", methods=READ)
def look(request: Request, slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """What it changes, section by section."""
    return _look(request, parts, actor, slug, name, {})


@router.post(PATH + "/{slug}/guide/{name}")
def choose(
    request: Request, slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Write
) -> Response:
    """Look again with an answer, or take what was chosen."""
    if "look" in fields:
        return _look(request, parts, actor, slug, name, fields)
    chosen = [field.removeprefix("take:") for field in fields if field.startswith("take:")]
    try:
        with parts.session() as session:
            count = desk.take_sections(
                *(session, actor, drafts_of(parts), _arrivals(parts), slug, name),
                *(_answers(fields), chosen, fields.get("digest", "")),
            )
    except NotFound:
        raise
    except MailerError as error:
        return _look(request, parts, actor, slug, name, fields, str(error))
    sections = "1 section" if count == 1 else f"{count} sections"
    return parts.desk.go(f"{PATH}/{slug}", done=f"Took {sections} of the guide into the draft.")


def _arrivals(parts: Parts) -> Arrivals:
    return Arrivals(parts.settings.data_dir)


def _answers(fields: dict[str, str]) -> dict[str, str]:
    """Which step a doubtful section continues, by the section's heading."""
    return {name.removeprefix("tie:"): key for name, key in fields.items() if name.startswith("tie:")}


def _ask(request: Request, parts: Parts, actor: Write, slug: str, error: str = "") -> Response:
    with parts.session() as session:
        draft = writing.show_draft(session, actor, drafts_of(parts), slug)
    status = 422 if error else 200
    page = "courses/guide.html"
    return parts.desk.page(request, page, actor, status=status, slug=slug, draft=draft, error=error)


def _look(
    request: Request,
    parts: Parts,
    actor: Write,
    slug: str,
    name: str,
    fields: dict[str, str],
    error: str = "",
) -> Response:
    answers = _answers(fields)
    try:
        with parts.session() as session:
            found = desk.look_at_guide_again(
                session, actor, drafts_of(parts), _arrivals(parts), slug, name, answers
            )
    except NotFound:
        raise
    except MailerError as refused:
        return _ask(request, parts, actor, slug, str(refused))
    return parts.desk.page(
        request,
        "courses/guide_again.html",
        actor,
        slug=slug,
        name=name,
        found=found,
        answers=answers,
        chosen=fields if error else None,
        error=error,
    )
