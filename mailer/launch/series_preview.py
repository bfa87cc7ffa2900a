"""What a series would send now, made and shown; nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.content.series_text import sample_occasion
from mailer.errors import Refused
from mailer.launch.mailing import of_files
from mailer.launch.series_look import Look
from mailer.launch.series_make import Due, next_occasion
from mailer.launch.series_template import compile_occurrence
from mailer.links import Signer
from mailer.schedule.series import get_series


@dataclass(frozen=True)
class PreviewMail:
    """The mail in one language, as a made-up reader would get it."""

    language: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Preview:
    """The next occurrence as it would be now. `items` counts what is new in its feed; None: it has none.

    Without any new item the mails show an invented one.
    """

    campaign: str
    items: int | None
    notices: tuple[str, ...]
    mails: tuple[PreviewMail, ...]


def preview(
    session: Session, due: Due, look: Look | None, now: datetime, *, signer: Signer, base_url: str
) -> Preview:
    """Make the next occurrence and show it. Raises Refused or CannotMake with what stands in the way."""
    if look is not None and look.trouble:
        raise Refused(look.trouble)
    series = get_series(session, due.slug)
    occasion = next_occasion(session, series, due, look, now)
    slug = f"{series.slug}-{occasion.day}"
    shown = occasion
    if series.feed_url and not occasion.items:
        shown = sample_occasion(occasion.day, has_feed=True, zone=occasion.zone)
    compiled = compile_occurrence(session, series.template, slug, shown)
    mailing = of_files(session, compiled)
    composer = mailing.composer(signer, base_url)
    mails = []
    for number, draft in enumerate(mailing.drafts):
        reader = {"email": "ada@example.org", "name": "Ada Lovelace", "language": draft.language}
        made = composer.render(mailing.row(number, now, **reader, zone=None, fields=None))
        mails.append(PreviewMail(draft.language, made.subject, made.text, made.html))
    notices = look.feed.notices if look is not None and look.feed is not None else ()
    return Preview(slug, len(occasion.items) if series.feed_url else None, notices, tuple(mails))
