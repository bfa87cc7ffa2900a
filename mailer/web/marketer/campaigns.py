"""Campaigns: the list, a new one, and one of them before it leaves."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from mailer.desk import campaign_drafts as writing
from mailer.desk import campaigns as desk
from mailer.desk.lists import lists_to_choose
from mailer.errors import MailerError, NotFound, Refused
from mailer.launch.campaign_draft import Saved
from mailer.models import Campaign, CampaignState
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import See, Send, Write

router = APIRouter()

PATH = "/desk/campaigns"
NEW = "/desk/new-campaign"
DRAFTS = 20
ROWS = 50


@router.api_route(PATH, methods=READ)
def list_(
    request: Request, parts: PartsDep, actor: See, before: str | None = None, drafts: str | None = None
) -> Response:
    """Drafts first, then what has a time, the newest first; older ones of either on pages of their own."""
    with parts.session() as session:
        written = rows = []
        if before is None:
            saved_before = _moment(drafts)
            written = writing.list_drafts(session, actor, DRAFTS + 1, saved_before)
        if drafts is None:
            rows = desk.list_campaigns(session, actor, before, ROWS + 1, drafts=False)
    return parts.desk.page(
        request,
        "campaigns/list.html",
        actor,
        drafts=written[:DRAFTS],
        older_drafts=written[DRAFTS - 1].saved_at.isoformat() if len(written) > DRAFTS else "",
        rows=rows[:ROWS],
        older=rows[ROWS - 1].slug if len(rows) > ROWS else "",
        is_first=before is None and drafts is None,
    )


@router.api_route(NEW, methods=READ)
def new(request: Request, parts: PartsDep, actor: Write, copy: str = "") -> Response:
    """From nothing, as a copy, or of a file."""
    return _new(request, parts, actor, {"copy_of": copy})


@router.post(NEW)
def begin(request: Request, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Begin it, and go on to its text; the form again, with what was wrong."""
    try:
        with parts.session() as session:
            slug = writing.begin_campaign(
                session,
                actor,
                slug=fields.get("slug", ""),
                subject=fields.get("subject", ""),
                lists=[fields["list"]] if fields.get("list") else [],
                copy_of=fields.get("copy_of", ""),
                is_mjml=fields.get("kind") == "mjml",
            )
    except MailerError as error:
        return _new(request, parts, actor, fields, str(error))
    return parts.desk.go(f"{PATH}/{slug}/edit", done=f"Began {slug}. Nothing is sent before you schedule it.")


@router.post(NEW + "/file", max_body_size=writing.MOST_UPLOAD + ROOM)
def bring(request: Request, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """A draft of a file, or of a zip of files."""
    try:
        with parts.session() as session:
            slug, saved = writing.bring_campaign(session, actor, upload.file, upload.content)
    except MailerError as error:
        return _new(request, parts, actor, {}, file_error=str(error))
    done = f"Brought {slug}." if not saved.errors else f"Brought {slug}. Mend what is named below."
    return parts.desk.go(f"{PATH}/{slug}/edit", done=done)


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """Before it leaves: what is done and what comes next. Afterwards: on to how it goes."""
    with parts.session() as session:
        kept, campaign = writing.find_kept(session, actor, slug)
        if is_sent(campaign):
            return parts.desk.go(f"{PATH}/{slug}/progress")
        report = desk.show_campaign(session, actor, slug) if campaign is not None else None
        checked = writing.check_draft(session, actor, slug) if kept is not None else None
        text = writing.find_text(session, actor, slug)
    return parts.desk.page(
        request,
        "campaigns/campaign.html",
        actor,
        slug=slug,
        report=report,
        kept=kept,
        checked=checked,
        text=text,
        needs_approval=parts.settings.needs_approval,
    )


@router.get(PATH + "/{slug}/source")
def take_out(slug: str, parts: PartsDep, actor: Write) -> Response:
    """What it is written as, as a file."""
    with parts.session() as session:
        name, content = writing.take_out(session, actor, slug)
    kind = "application/zip" if name.endswith(".zip") else "text/plain; charset=utf-8"
    headers = {**PRIVATE_HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Response(content, media_type=kind, headers=headers)


@router.post(PATH + "/{slug}/source", max_body_size=writing.MOST_UPLOAD + ROOM)
def replace(slug: str, actor: Write, upload: UploadDep, parts: PartsDep) -> Response:
    """What an uploaded file says takes the place of what is written."""
    if not upload.file:
        raise Refused("Choose a file first.")
    with parts.session() as session:
        asked = session, actor, upload.file, upload.content
        _, saved = writing.bring_campaign(*asked, onto=slug, before=upload.fields.get("saved", ""))
    done = "It is as in the file." if not saved.errors else "It is as in the file. Mend what is named below."
    return parts.desk.go(f"{PATH}/{slug}/edit", done=done + again(saved))


@router.post(PATH + "/{slug}/unschedule")
def unschedule(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Back to a draft; nothing has left."""
    with parts.session() as session:
        done = desk.unschedule_campaign(session, actor, slug, fields.get("reason", "").strip()[:500])
    words = f"{slug} is a draft again; nothing of it has left." if done else f"{slug} is a draft already."
    return parts.desk.go(f"{PATH}/{slug}", done=words)


@router.api_route(PATH + "/{slug}/remove", methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """What removing means."""
    with parts.session() as session:
        kept, campaign = writing.find_kept(session, actor, slug)
    if campaign is not None and campaign.state != CampaignState.DRAFT:
        raise Refused(f"{slug} is {campaign.state}; only a draft can be removed.")
    return parts.desk.page(request, "campaigns/remove.html", actor, slug=slug, kept=kept)


@router.post(PATH + "/{slug}/remove")
def remove(slug: str, parts: PartsDep, actor: Write) -> Response:
    """Forget the draft."""
    with parts.session() as session:
        writing.remove_draft(session, actor, slug)
    return parts.desk.go(PATH, done=f"Removed the draft {slug}.")


def again(saved: Saved) -> str:
    """What to say besides when a change has made a draft of it again."""
    return " It was scheduled, and is a draft again: schedule it anew." if saved.was_scheduled else ""


def is_sent(campaign: Campaign | None) -> bool:
    """Whether its time has come, so that there is nothing to write or to schedule any more."""
    return campaign is not None and campaign.state not in (CampaignState.DRAFT, CampaignState.SCHEDULED)


def _moment(words: str | None) -> datetime | None:
    """The moment in an address; raises NotFound."""
    if words is None:
        return None
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise NotFound("There is no such page of drafts.") from None
    if moment.tzinfo is None:
        raise NotFound("There is no such page of drafts.")
    return moment


def _new(
    request: Request,
    parts: Parts,
    actor: Write,
    typed: dict[str, str],
    error: str = "",
    file_error: str = "",
) -> Response:
    with parts.session() as session:
        lists = lists_to_choose(session, actor)
        earlier = writing.campaigns_to_copy(session, actor)
    return parts.desk.page(
        request,
        "campaigns/new.html",
        actor,
        lists=lists,
        earlier=earlier,
        typed=typed,
        error=error,
        file_error=file_error,
        status=422 if error or file_error else 200,
    )
