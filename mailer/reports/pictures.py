"""Published pictures, as mails and pages show them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.models import Media


@dataclass(frozen=True)
class Picture:
    """The bytes of a picture and what kind of picture it is ("image/png")."""

    content_type: str
    content: bytes


def find_picture(session: Session, name: str) -> Picture | None:
    """The picture published under this name, or None."""
    found = session.get(Media, name)
    return Picture(found.content_type, found.content) if found else None
