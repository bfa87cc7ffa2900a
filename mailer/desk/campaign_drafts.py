"""Campaigns as they are written on the desk: begun, typed, brought, carried away. Nobody is sent anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import PurePath

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.subscribers import get_subscriber
from mailer.content.campaign_text import (
    CampaignText,
    File,
    as_variant,
    checked_text,
    copied,
    starting_text,
)
from mailer.content.campaign_zip import pack_campaign, read_upload
from mailer.content.course_words import is_language
from mailer.content.file_edit import (
    Value,
    all_settings_of,
    body_of,
    changed_file,
    settings_of,
    typed_file,
)
from mailer.content.guide.names import slug_of
from mailer.content.media import MEDIA_FOLDER, MediaFile, picture_file
from mailer.db import business_now
from mailer.errors import NotFound, Refused
from mailer.launch import campaign_draft as drafts
from mailer.launch import campaign_source as source
from mailer.launch.campaign_draft import Saved
from mailer.launch.campaign_look import CampaignLook, look_at_campaign, show_campaign
from mailer.launch.messages import lock_publishing
from mailer.launch.shown import Shown
from mailer.links import Signer
from mailer.models import Campaign, CampaignDraft
from mailer.reports.campaigns import DraftRow, campaigns_overview, drafts_overview, sources_overview
from mailer.schedule.campaigns import find_campaign

MOST_PICTURE = 2_000_000
"""Bytes of one picture; readers on a train wait for each."""
MOST_PICTURES = 40
MOST_UPLOAD = 10_000_000


@dataclass(frozen=True)
class Sheet:
    """One file of a campaign as the editor shows it. `text` is what is typed.

    `base` is the digest of the file that the text began with, `digest` that of the file as it is saved, and
    `saved` that of all of the campaign's.
    """

    slug: str
    file: File
    text: str
    settings: Mapping[str, str]
    body: str
    base: str
    digest: str
    is_unsaved: bool
    has_settings: bool
    has_own_sender: bool
    whole: CampaignText
    look: CampaignLook
    saved: str
    saved_at: datetime
    saved_by: str
    as_subscriber: int | None = None
    variant: str = ""


@needs(Right.SEE)
def list_drafts(session: Session, _: Actor, limit: int, before: datetime | None = None) -> list[DraftRow]:
    """Drafts, those saved last first."""
    return drafts_overview(session, limit, before)


@needs(Right.WRITE)
def campaigns_to_copy(session: Session, _: Actor) -> list[tuple[str, str]]:
    """Campaigns whose text is kept, the newest first: slug and subject."""
    return sources_overview(session, 100)


@needs(Right.WRITE)
def campaigns_to_leave_out(session: Session, _: Actor) -> list[tuple[str, str]]:
    """Campaigns that were sent, the newest first, whose readers another may leave out: slug and subject."""
    rows = campaigns_overview(session, None, 40, drafts=False)
    return [(row.slug, row.subject) for row in rows]


@needs(Right.WRITE)
def begin_campaign(
    session: Session,
    actor: Actor,
    *,
    slug: str,
    subject: str,
    lists: list[str],
    copy_of: str = "",
    is_mjml: bool = False,
) -> str:
    """A new draft, with a text to begin with or that of an earlier campaign; its slug. Raises Refused."""
    subject = " ".join(subject.split())
    if not subject:
        raise Refused("Give the campaign a subject; it can be changed later.")
    slug = slug.strip() or slug_of(subject)
    if copy_of:
        earlier = as_variant(copied(drafts.copy_of(session, copy_of), slug), "a")
        text = earlier.with_settings({"subject": subject})
    else:
        text = starting_text(slug, subject, lists, is_mjml=is_mjml)
    drafts.create_draft(session, slug, text, business_now(session), who=actor.who)
    return slug


@needs(Right.WRITE)
def bring_campaign(
    session: Session, actor: Actor, name: str, content: bytes, *, onto: str = "", before: str = ""
) -> tuple[str, Saved]:
    """A draft of an uploaded file, or what the draft `onto` says from now on; its slug.

    Raises Refused, also when what it would replace is not as in `before`, the digest of what somebody saw.
    """
    text, pictures = read_upload(name, content)
    now = business_now(session)
    files = [_picture(place, bytes_) for place, bytes_ in pictures.items()]
    source.put_pictures(session, files)
    text = CampaignText(text.files, {one.source: one.name for one in files})
    if onto:
        return onto, drafts.save_draft(session, onto, text, now, before=before, who=actor.who)
    slug = str(text.settings.get("slug", ""))
    if not slug:
        raise Refused("The file says no slug; write `slug: …` in its front matter.")
    return slug, drafts.create_draft(session, slug, text, now, who=actor.who)


@needs(Right.WRITE)
def take_out(session: Session, _: Actor, slug: str) -> tuple[str, bytes]:
    """The campaign as one file: its name and bytes. Raises NotFound."""
    text = source.text_of(source.get_source(session, slug))
    return pack_campaign(slug, text, source.picture_contents(session, text))


@needs(Right.SEE)
def find_text(session: Session, _: Actor, slug: str) -> CampaignText | None:
    """What a campaign was written as; None when that is not kept."""
    kept = source.find_source(session, slug)
    return source.text_of(kept) if kept is not None else None


@needs(Right.WRITE)
def show_source(session: Session, _: Actor, slug: str) -> CampaignDraft:
    """For programs: a campaign's files as they were saved last, by whom, and their digest; NotFound."""
    return source.get_source(session, slug)


@needs(Right.SEE)
def check_draft(session: Session, _: Actor, slug: str) -> drafts.Checked:
    """Everything that is wrong with its text; raises NotFound when that is not kept."""
    return drafts.check_text(session, slug, source.text_of(source.get_source(session, slug)))


@needs(Right.WRITE)
def open_file(session: Session, actor: Actor, slug: str, name: str = "", variant: str = "") -> Sheet:
    """A file (the first, if none is named) with what this actor has typed into it. Raises NotFound."""
    kept = source.get_source(session, slug)
    saved = source.text_of(kept)
    file = saved.get(name) if name else saved.first
    typed = drafts.typed_by(session, kept, _who(actor), file.name)
    if typed is None:
        return _sheet(session, kept, file, file.text, file.digest, None, variant)
    return _sheet(session, kept, file, typed.text, typed.base, typed.as_subscriber_id, variant)


@needs(Right.WRITE)
def type_file(session: Session, actor: Actor, slug: str, name: str, fields: Mapping[str, str]) -> Sheet:
    """Keep what was typed without saving it, and look at it. Raises NotFound, UnknownPerson, BadAddress."""
    kept = source.get_source(session, slug)
    file = source.text_of(kept).get(name)
    text = _typed(file, fields)
    address = fields.get("as", "").strip()
    who = get_subscriber(session, address).id if address else None
    base = fields.get("digest", "")
    now = business_now(session)
    drafts.keep_typing(session, kept, _who(actor), name, text, now, base=base, as_subscriber_id=who)
    return _sheet(session, kept, file, text, base, who, fields.get("variant", ""))


@needs(Right.WRITE)
def show_mail(session: Session, _: Actor, sheet: Sheet, signer: Signer, base_url: str) -> Shown:
    """The mail that a file becomes, for whom it is shown; raises NotFound, CannotRender."""
    now = business_now(session)
    who = sheet.as_subscriber
    return show_campaign(session, sheet.look, now, as_subscriber=who, signer=signer, base_url=base_url)


@needs(Right.WRITE)
def save_file(session: Session, actor: Actor, slug: str, name: str, fields: Mapping[str, str]) -> Saved:
    """Save what was typed, errors and all; raises Refused when somebody else saved the file meanwhile."""
    lock_publishing(session)
    kept = source.get_source(session, slug)
    text = source.text_of(kept)
    file = text.get(name)
    typed = _typed(file, fields)
    if fields.get("digest", "") != file.digest:
        raise Refused(drafts.MINE.format(slug=name))
    now = business_now(session)
    new = text.with_file(name, typed)
    saved = drafts.save_draft(session, slug, new, now, before=kept.digest, who=actor.who)
    drafts.forget_typing(session, kept, _who(actor), name)
    return saved


@needs(Right.WRITE)
def save_settings(
    session: Session, actor: Actor, slug: str, settings: Mapping[str, Value], digest: str
) -> Saved:
    """Write settings of the first file anew; what this actor has typed into that keeps pace with it.

    Raises Refused when somebody else saved the file meanwhile.
    """
    lock_publishing(session)
    kept = source.get_source(session, slug)
    text = source.text_of(kept)
    if digest != text.first.digest:
        raise Refused(drafts.MINE.format(slug=text.first.name))
    now = business_now(session)
    new = text.with_settings(settings)
    typed = drafts.typed_by(session, kept, _who(actor), text.first.name)
    if typed is not None and typed.base == digest:
        typed.text, typed.base = changed_file(typed.text, settings), new.first.digest
    return drafts.save_draft(session, slug, new, now, before=kept.digest, who=actor.who)


@needs(Right.WRITE)
def forget_typing(session: Session, actor: Actor, slug: str, name: str) -> None:
    """Back to what is saved."""
    drafts.forget_typing(session, source.get_source(session, slug), _who(actor), name)


@needs(Right.WRITE)
def add_translation(session: Session, actor: Actor, slug: str, language: str) -> str:
    """Another language, begun with the text of the first; its file's name. Raises Refused."""
    if not is_language(language):
        raise Refused(f"{language!r} is not a language; write a tag such as de or pt-BR.")
    kept = source.get_source(session, slug)
    new = drafts.with_translation(source.text_of(kept), slug, language)
    drafts.save_draft(session, slug, new, business_now(session), before=kept.digest, who=actor.who)
    return new.mails[-1].name


@needs(Right.WRITE)
def remove_file(session: Session, actor: Actor, slug: str, name: str, before: str) -> None:
    """Take a translation or a variant's text out of what is as in `before`; Refused for the first file."""
    kept = source.get_source(session, slug)
    new = source.text_of(kept).without_file(name)
    drafts.save_draft(session, slug, new, business_now(session), before=before, who=actor.who)
    drafts.forget_typing(session, kept, _who(actor), name)


@needs(Right.WRITE)
def add_picture(session: Session, actor: Actor, slug: str, name: str, content: bytes) -> str:
    """Another picture for its mails; how a text names it. Raises Refused.

    Another one of the same name stays as it is, and this one gets a number: texts show what they showed.
    """
    kept = source.get_source(session, slug)
    text = source.text_of(kept)
    place = PurePath(name.replace("\\", "/"))
    stem, suffix = f"{MEDIA_FOLDER}/{slug_of(place.stem) or 'picture'}", place.suffix.lower()
    file = _picture(f"{stem}{suffix}", content)
    for number in count(2):
        # It is kept by what it shows, so the same name is the same picture.
        if text.pictures.get(file.source, file.name) == file.name:
            break
        file = replace(file, source=f"{stem}-{number}{suffix}")
    if file.source in text.pictures:
        return file.source
    if len(text.pictures) >= MOST_PICTURES:
        raise Refused(f"A campaign has at most {MOST_PICTURES} pictures.")
    source.put_pictures(session, [file])
    new = CampaignText(text.files, {**text.pictures, file.source: file.name})
    drafts.save_draft(session, slug, new, business_now(session), before=kept.digest, who=actor.who)
    return file.source


@needs(Right.WRITE)
def remove_draft(session: Session, actor: Actor, slug: str) -> None:
    """Forget a campaign of which nothing was sent; raises NotFound or Refused."""
    drafts.remove_draft(session, slug, business_now(session), who=actor.who)


@needs(Right.WRITE)
def put_variants(
    session: Session,
    actor: Actor,
    slug: str,
    variants: Mapping[str, Mapping[str, str]],
    test: Mapping[str, Value] | None,
    digest: str,
) -> Saved:
    """What is tested: what differs in each variant, and how it is decided; none at all ends the test.

    A variant with a `file` gets one that begins with the text of the first, if there is none of that name.
    """
    kept = source.get_source(session, slug)
    text = source.text_of(kept)
    for said in variants.values():
        if said.get("file") and said["file"] not in {one.name for one in text.files}:
            text = text.with_file(said["file"], body_of(text.first.text).lstrip("\n"), is_part=True)
    if text.digest != kept.digest:
        drafts.save_draft(session, slug, text, business_now(session), before=kept.digest, who=actor.who)
    settings: dict[str, Value] = {
        "variants": {name: dict(said) for name, said in variants.items()} or None,
        "test": dict(test) if test and variants else None,
    }
    return save_settings(session, actor, slug, settings, digest)


@needs(Right.SEE)
def find_kept(session: Session, _: Actor, slug: str) -> tuple[CampaignDraft | None, Campaign | None]:
    """What is written of a campaign, and what it is to the workers; raises NotFound when it is neither."""
    kept, campaign = source.find_source(session, slug), find_campaign(session, slug)
    if kept is None and campaign is None:
        raise NotFound(f"There is no campaign {slug!r}; look in the list of them.")
    return kept, campaign


def _picture(place: str, content: bytes) -> MediaFile:
    file = picture_file(place, content)
    if file is None:
        raise Refused(f"{place} is no PNG, JPEG or GIF file; mail programs show no other everywhere.")
    if len(content) > MOST_PICTURE:
        raise Refused(f"{place} is larger than {MOST_PICTURE // 1_000_000} MB; make it smaller first.")
    return file


def _typed(file: File, fields: Mapping[str, str]) -> str:
    """The file's text as the form says it; a variant's text is nothing but a body."""
    if file.is_part:
        return checked_text(file.name, fields.get("body", "").rstrip() + "\n")
    fields = {name: value for name, value in fields.items() if (name, value) != ("set_sender", "=own")}
    return checked_text(file.name, typed_file(file.text, fields))


def _sheet(
    session: Session,
    kept: CampaignDraft,
    file: File,
    text: str,
    base: str,
    as_subscriber: int | None,
    variant: str,
) -> Sheet:
    settings = {} if file.is_part else settings_of(text)
    whole = source.text_of(kept).with_file(file.name, text)
    everything = {} if file.is_part else all_settings_of(text) or {}
    return Sheet(
        slug=kept.slug,
        file=file,
        text=text,
        settings=settings or {},
        body=text if file.is_part else body_of(text),
        base=base,
        digest=file.digest,
        is_unsaved=text != file.text,
        has_settings=settings is not None,
        has_own_sender=isinstance(everything.get("sender"), dict),
        whole=whole,
        look=look_at_campaign(session, whole, file.name, variant),
        saved=kept.digest,
        saved_at=kept.saved_at,
        saved_by=kept.saved_by,
        as_subscriber=as_subscriber,
        variant=variant,
    )


def _who(actor: Actor) -> int:
    if actor.operator_id is None:
        raise Refused("What is typed and not saved is kept for people with a login only.")
    return actor.operator_id
