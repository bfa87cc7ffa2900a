"""A campaign's text turned from Markdown into MJML of its own, and back; what it was before is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath

from sqlalchemy.orm import Session

from mailer.content.campaign_file import read_campaign
from mailer.content.campaign_text import CampaignText, File
from mailer.content.compile import campaign_in_mjml
from mailer.content.file_edit import body_of, changed_file
from mailer.content.media import course_media
from mailer.content.visual import design_of, document_of
from mailer.errors import Refused
from mailer.launch.campaign_draft import MINE, Saved, save_draft
from mailer.launch.campaign_source import get_source, laid_out, text_of
from mailer.launch.messages import lock_publishing
from mailer.models import CampaignDraft

MJML = ".mjml"
FIRST = "Mend what is wrong with the text first; then it can be turned into MJML."


@dataclass(frozen=True)
class Earlier:
    """What a file was before it was turned: its name and text, and who turned it when."""

    name: str
    text: str
    at: datetime
    by: str


def is_mjml(name: str) -> bool:
    """Whether a file of this name is MJML."""
    return PurePath(name).suffix.lower() == MJML


def earlier_of(kept: CampaignDraft, name: str) -> Earlier | None:
    """What the file was before it was turned; None when it never was."""
    said = kept.earlier.get(name)
    if said is None:
        return None
    return Earlier(said["name"], said["text"], datetime.fromisoformat(said["at"]), said["by"])


def turn_into_mjml(
    session: Session, slug: str, name: str, now: datetime, *, before: str, who: str
) -> tuple[str, Saved]:
    """Write a Markdown file as the MJML that our layout makes of it; the new file's name.

    Raises NotFound, or Refused when its text has errors or is not the one of the digest `before` any more.
    """
    lock_publishing(session)
    kept = get_source(session, slug)
    text = text_of(kept)
    file = text.get(name)
    if file.is_part or is_mjml(name):
        raise Refused("Only a text in Markdown can be turned, and not that of a variant alone.")
    new = File(f"{name.rpartition('.')[0]}{MJML}", changed_file(file.text, {}, _in_mjml(session, text, file)))
    return new.name, _put(session, kept, text, file, new, now, before=before, who=who)


def turn_back(
    session: Session, slug: str, name: str, now: datetime, *, before: str, who: str
) -> tuple[str, Saved]:
    """Take up what the file was before it was turned; the name that it has again.

    What it is now is kept in turn, so that this can be undone too. Raises as `turn_into_mjml` does.
    """
    lock_publishing(session)
    kept = get_source(session, slug)
    text = text_of(kept)
    file, earlier = text.get(name), earlier_of(kept, name)
    if earlier is None:
        raise Refused(f"{name} was never turned, so there is nothing to go back to.")
    # Its settings are as they are said by now: whom it is for may have been changed since.
    said = changed_file(file.text, {}, body_of(earlier.text))
    return earlier.name, _put(
        session, kept, text, file, File(earlier.name, said), now, before=before, who=who
    )


def _put(
    session: Session,
    kept: CampaignDraft,
    text: CampaignText,
    file: File,
    new: File,
    now: datetime,
    *,
    before: str,
    who: str,
) -> Saved:
    """Save `new` in place of `file`, and keep that beside it."""
    if file.digest != before:
        raise Refused(MINE.format(slug=file.name))
    if any(one.name == new.name for one in text.files):
        raise Refused(f"There is a file {new.name} already; remove it first.")
    files = tuple(new if one is file else one for one in text.files)
    saved = save_draft(session, kept.slug, replace(text, files=files), now, before=kept.digest, who=who)
    others = {name: said for name, said in kept.earlier.items() if name not in (file.name, new.name)}
    was = {"name": file.name, "text": file.text, "at": now.isoformat(), "by": who}
    kept.earlier = {**others, new.name: was}
    session.flush()
    return saved


def _in_mjml(session: Session, text: CampaignText, file: File) -> str:
    with laid_out(session, text) as paths:
        path = paths[0].parent / file.name
        source = read_campaign(path, [], is_translation=path != paths[0])
        media = course_media(path.parent).names
        document, _ = campaign_in_mjml(source, media) if source is not None else (None, [])
    tree = design_of(document).tree if document is not None else None
    if tree is None:
        raise Refused(FIRST)
    return document_of(tree)
