"""The composer: a campaign's settings and text, what is wrong where, and the mail beside it as it will be."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.desk import campaign_drafts as desk
from mailer.desk.campaign_visual import find_earlier
from mailer.desk.senders import senders_to_choose
from mailer.errors import MailerError, NotFound
from mailer.launch.campaign_turn import is_mjml
from mailer.launch.shown import Shown
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.campaigns import PATH, again, is_sent
from mailer.web.marketer.mail_frame import framed, shown_or_why
from mailer.web.marketer.steps import MOST_TYPED
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.signed_in import Write

router = APIRouter()

EDIT = PATH + "/{slug}/edit"


@router.api_route(EDIT, methods=READ)
def edit(
    request: Request, slug: str, parts: PartsDep, actor: Write, file: str = "", variant: str = ""
) -> Response:
    """The composer, with what was typed and not saved."""
    with parts.session() as session:
        if is_sent(desk.find_kept(session, actor, slug)[1]):
            return parts.desk.go(f"{PATH}/{slug}/progress")
        sheet = desk.open_file(session, actor, slug, file, variant)
    return _composer(request, parts, actor, sheet)


@router.post(EDIT, max_body_size=MOST_TYPED)
def save(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Save it; the composer again, nothing lost, when somebody else has changed it meanwhile."""
    name = fields.get("name", "")
    # By itself: what is typed stays, whatever comes of saving it.
    with parts.session() as session:
        sheet = desk.type_file(session, actor, slug, name, {**fields, "as": ""})
    try:
        with parts.session() as session:
            saved = desk.save_file(session, actor, slug, name, fields)
    except NotFound:
        raise
    except MailerError as error:
        return _composer(request, parts, actor, sheet, error=str(error))
    done = "Saved." if not saved.errors else "Saved. Before it can be sent, mend what is named below."
    done += again(saved)
    return parts.desk.go(EDIT.format(slug=slug), done=done, file=name)


@router.post(EDIT + "/preview", max_body_size=MOST_TYPED)
def preview(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Keep what is typed and show the mail: the part beside the text, or (no script) the whole page."""
    name, error = fields.get("name", ""), ""
    try:
        with parts.session() as session:
            sheet = desk.type_file(session, actor, slug, name, fields)
    except NotFound:
        raise
    except MailerError as refused:
        error = str(refused)
        with parts.session() as session:
            sheet = desk.type_file(session, actor, slug, name, {**fields, "as": ""})
    if not request.headers.get("hx-request"):
        return _composer(request, parts, actor, sheet, error=error, address=fields.get("as", ""))
    shown, cannot = _shown(parts, actor, sheet)
    return parts.desk.page(
        request, "campaigns/preview.html", actor, sheet=sheet, shown=shown, cannot=error or cannot
    )


@router.get(EDIT + "/mail")
def mail(
    slug: str, parts: PartsDep, actor: Write, file: str = "", variant: str = "", dark: bool = False
) -> Response:
    """The mail itself, for a frame that lets nothing out of it."""
    with parts.session() as session:
        sheet = desk.open_file(session, actor, slug, file, variant)
    shown, cannot = _shown(parts, actor, sheet)
    return framed(shown, cannot, is_dark=dark)


@router.post(EDIT + "/forget")
def forget(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Back to what is saved."""
    with parts.session() as session:
        desk.forget_typing(session, actor, slug, fields.get("name", ""))
    page = "visual" if fields.get("in") == "visual" else "edit"
    done = "This is the text as it is saved."
    return parts.desk.go(f"{PATH}/{slug}/{page}", done=done, file=fields.get("name", ""))


@router.post(EDIT + "/translation")
def translate(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Another language, opened to be written."""
    language = fields.get("language", "").strip()
    try:
        with parts.session() as session:
            name = desk.add_translation(session, actor, slug, language)
    except NotFound:
        raise
    except MailerError as error:
        with parts.session() as session:
            sheet = desk.open_file(session, actor, slug, "", "")
        return _composer(request, parts, actor, sheet, error=str(error), language=language)
    done = "It begins as the first text; write it anew in its language."
    return parts.desk.go(EDIT.format(slug=slug), done=done, file=name)


@router.post(EDIT + "/remove")
def remove(slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Take a translation or a variant's text out."""
    name = fields.get("name", "")
    with parts.session() as session:
        desk.remove_file(session, actor, slug, name, fields.get("saved", ""))
    return parts.desk.go(EDIT.format(slug=slug), done=f"Removed {name}.")


@router.post(EDIT + "/pictures", max_body_size=desk.MOST_PICTURE + ROOM)
def add_picture(slug: str, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """Another picture for its mails."""
    with parts.session() as session:
        source = desk.add_picture(session, actor, slug, upload.file, upload.content)
    done = f"Added {source}. Write ![What it shows]({source}) where it belongs."
    return parts.desk.go(EDIT.format(slug=slug), done=done, file=upload.fields.get("name", ""))


def _shown(parts: Parts, actor: Write, sheet: desk.Sheet) -> tuple[Shown | None, str]:
    return shown_or_why(
        parts, lambda session: desk.show_mail(session, actor, sheet, parts.signer, parts.base_url)
    )


def _composer(
    request: Request,
    parts: Parts,
    actor: Write,
    sheet: desk.Sheet,
    *,
    error: str = "",
    address: str = "",
    language: str = "",
) -> Response:
    with parts.session() as session:
        senders = senders_to_choose(session, actor)
        earlier = find_earlier(session, actor, sheet)
    shown, cannot = _shown(parts, actor, sheet)
    if not address and shown is not None and sheet.as_subscriber is not None:
        address = shown.who
    return parts.desk.page(
        request,
        "campaigns/edit.html",
        actor,
        slug=sheet.slug,
        sheet=sheet,
        shown=shown,
        cannot=cannot,
        senders=senders,
        is_mjml=is_mjml(sheet.file.name),
        earlier=earlier,
        as_file=not sheet.file.is_part and ("as_file" in request.query_params or not sheet.has_settings),
        address=address,
        language=language,
        error=error,
    )
