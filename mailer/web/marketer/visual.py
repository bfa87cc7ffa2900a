"""The visual editor: a campaign's MJML as a picture of it, and the mail that the server makes beside it.

Its page has a policy of its own: what draws in the browser writes styles at elements. It runs no script but
our files, as all pages do.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from mailer.desk import campaign_drafts as composer
from mailer.desk import campaign_visual as desk
from mailer.desk.campaign_visual import Canvas
from mailer.errors import MailerError, NotFound
from mailer.launch.shown import Shown
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.campaigns import PATH, again, is_sent
from mailer.web.marketer.composer import EDIT
from mailer.web.marketer.mail_frame import shown_or_why
from mailer.web.marketer.steps import MOST_TYPED
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import Write

router = APIRouter()

VISUAL = PATH + "/{slug}/visual"
VISUAL_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The desk's policy, and styles at elements. The canvas, a frame without an address, inherits it: no script
in a mail runs there, and nothing is fetched from elsewhere."""


@router.api_route(VISUAL, methods=READ)
def edit(
    request: Request, slug: str, parts: PartsDep, actor: Write, file: str = "", variant: str = ""
) -> Response:
    """The editor with what was typed and not saved; for Markdown, what turning it into MJML means."""
    with parts.session() as session:
        if is_sent(composer.find_kept(session, actor, slug)[1]):
            return parts.desk.go(f"{PATH}/{slug}/progress")
        canvas = desk.open_canvas(session, actor, slug, file, variant)
    return _page(request, parts, actor, canvas)


@router.post(VISUAL, max_body_size=MOST_TYPED)
def save(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Save it; the editor again, nothing lost, when somebody else has changed it meanwhile."""
    name = fields.get("name", "")
    with parts.session() as session:
        canvas = desk.type_canvas(session, actor, slug, name, {**fields, "as": ""})
    try:
        with parts.session() as session:
            saved = desk.save_canvas(session, actor, slug, name, fields)
    except NotFound:
        raise
    except MailerError as error:
        return _page(request, parts, actor, canvas, error=str(error))
    done = "Saved." if not saved.errors else "Saved. Before it can be sent, mend what is named below."
    done += again(saved)
    return parts.desk.go(VISUAL.format(slug=slug), done=done, file=name)


@router.post(VISUAL + "/preview", max_body_size=MOST_TYPED)
def preview(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Keep what the editor holds and show the mail that the server makes of it."""
    name, error = fields.get("name", ""), ""
    try:
        with parts.session() as session:
            canvas = desk.type_canvas(session, actor, slug, name, fields)
    except NotFound:
        raise
    except MailerError as refused:
        error = str(refused)
        with parts.session() as session:
            canvas = desk.type_canvas(session, actor, slug, name, {**fields, "as": ""})
    shown, cannot = _shown(parts, actor, canvas)
    return parts.desk.page(
        request,
        "campaigns/preview.html",
        actor,
        sheet=canvas.sheet,
        shown=shown,
        cannot=error or cannot,
        lines_at=parts.desk.url(EDIT.format(slug=slug), file=name),
    )


@router.post(VISUAL + "/turn")
def turn(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Write a text in Markdown as MJML, the Markdown kept."""
    with parts.session() as session:
        name, saved = desk.turn_into_mjml(
            session, actor, slug, fields.get("name", ""), fields.get("digest", "")
        )
    done = f"It is MJML now, in {name}. The Markdown is kept; the page of its text leads back to it."
    done += again(saved)
    return parts.desk.go(VISUAL.format(slug=slug), done=done, file=name)


@router.post(VISUAL + "/back")
def back(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Take up what a text was before it was turned; what it is now is kept."""
    was = fields.get("name", "")
    with parts.session() as session:
        name, saved = desk.turn_back(session, actor, slug, was, fields.get("digest", ""))
    done = f"It is {name} again. What was in {was} is kept."
    done += again(saved)
    return parts.desk.go(EDIT.format(slug=slug), done=done, file=name)


@router.post(VISUAL + "/pictures", max_body_size=composer.MOST_PICTURE + ROOM)
def add_picture(slug: str, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Another picture, added while the editor is open: how the text names it, or why not."""
    try:
        with parts.session() as session:
            source = composer.add_picture(session, actor, slug, upload.file, upload.content)
    except NotFound:
        raise
    except MailerError as error:
        return JSONResponse({"error": str(error)}, 422, headers=PRIVATE_HEADERS)
    return JSONResponse({"source": source}, headers=PRIVATE_HEADERS)


@router.get(PATH + "/{slug}/media/{name}")
def picture(slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """Where a picture is, by how the text names it: so the canvas shows the text's own addresses."""
    with parts.session() as session:
        published = desk.published_name(session, actor, slug, f"media/{name}")
    return RedirectResponse(parts.desk.url(f"/media/{published}"), 302, headers=PRIVATE_HEADERS)


def _shown(parts: Parts, actor: Write, canvas: Canvas) -> tuple[Shown | None, str]:
    return shown_or_why(
        parts,
        lambda session: composer.show_mail(session, actor, canvas.sheet, parts.signer, parts.base_url),
    )


def _page(request: Request, parts: Parts, actor: Write, canvas: Canvas, *, error: str = "") -> Response:
    if canvas.design is None:
        return parts.desk.page(
            request, "campaigns/turn.html", actor, slug=canvas.sheet.slug, canvas=canvas, sheet=canvas.sheet
        )
    shown, cannot = _shown(parts, actor, canvas)
    return parts.desk.page(
        request,
        "campaigns/visual.html",
        actor,
        headers={"Content-Security-Policy": VISUAL_POLICY},
        slug=canvas.sheet.slug,
        canvas=canvas,
        sheet=canvas.sheet,
        shown=shown,
        cannot=cannot,
        error=error,
        address=shown.who if shown is not None and canvas.sheet.as_subscriber is not None else "",
        lines_at=parts.desk.url(EDIT.format(slug=canvas.sheet.slug), file=canvas.sheet.file.name),
    )
