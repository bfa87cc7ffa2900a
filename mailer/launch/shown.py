"""A mail as one person would get it, shown to whoever writes it: steps of courses and campaigns alike."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.content.media import MediaFile
from mailer.errors import NotFound
from mailer.launch.mailing import Mailing
from mailer.links import Signer
from mailer.models import Media, Subscriber
from mailer.render.personalize import Rendered

ADA: Mapping[str, Any] = {
    "email": "ada@example.org",
    "name": "Ada",
    "language": None,
    "zone": None,
    "fields": None,
}
"""Whom a mail is shown for when nobody is named."""


@dataclass(frozen=True)
class Shown:
    """The mail as one person would get it; `aside` are words on that they would not, or get another.

    `sender` is the name it comes by, where whoever asks does not know it.
    """

    who: str
    mail: Rendered
    preheader: str
    aside: str = ""
    sender: str = ""


def reader_for(session: Session, subscriber_id: int | None) -> tuple[str, dict[str, Any]]:
    """Whom it is shown for: how they are called, and their values for a mail. Raises NotFound."""
    if subscriber_id is None:
        return "a made-up reader, Ada", dict(ADA)
    found = session.get(Subscriber, subscriber_id)
    if found is None or found.email is None:
        raise NotFound("That subscriber is gone; take another one.")
    values = {name: getattr(found, name) for name in ("email", "name", "language", "zone")}
    return found.email, {**values, "fields": dict(found.fields or {}) or None}


def with_pictures(html: str, files: Iterable[MediaFile], base_url: str) -> str:
    """The mail with its pictures inside it: they may not be published yet."""
    for file in files:
        address = f"{base_url}/media/{file.name}"
        if address in html:
            content = base64.b64encode(file.content).decode()
            html = html.replace(address, f"data:{file.content_type};base64,{content}")
    return html


def in_scheme(html: str, *, is_dark: bool) -> str:
    """The mail as a reader's program shows it in light or in dark, whatever the one who looks prefers."""
    always, never = "(min-width:0)", "(max-width:0)"
    html = re.sub(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", always if is_dark else never, html)
    return re.sub(r"\(\s*prefers-color-scheme\s*:\s*light\s*\)", never if is_dark else always, html)


def published_pictures(session: Session, html: str) -> tuple[MediaFile, ...]:
    """The published pictures that a mail shows."""
    names = set(re.findall(r"/media/([\w.-]+)", html))
    found = session.execute(select(Media).where(Media.name.in_(names))).scalars() if names else ()
    return tuple(MediaFile("", one.name, one.content_type, one.content) for one in found)


def show_published(
    session: Session, mailing: Mailing, number: int, now: datetime, signer: Signer, base_url: str
) -> Shown:
    """The mail of this number of what is published or scheduled, for nobody in particular.

    Raises NotFound without such a mail, CannotRender.
    """
    if not 0 <= number < len(mailing.drafts):
        raise NotFound("There is no such mail any more.")
    who, person = reader_for(session, None)
    mail = mailing.composer(signer, base_url).render(mailing.row(number, now, **person))
    html = with_pictures(mail.html, published_pictures(session, mail.html), base_url)
    return Shown(who, replace(mail, html=html), "", sender=mailing.sender.name)
