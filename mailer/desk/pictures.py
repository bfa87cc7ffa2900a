"""The pictures of a draft: where each is shown, added beside those there are, removed when none needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import PurePath

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.content.course_files import files_digest
from mailer.content.draft_store import Drafts, text_files
from mailer.content.guide.names import slug_of
from mailer.content.media import CONTENT_TYPES, MEDIA_FOLDER, MediaFile, course_media, pixel_width
from mailer.errors import NotFound, Refused

MOST_PICTURE = 2_000_000
"""Bytes of one picture; readers on a train wait for each."""


@dataclass(frozen=True)
class Picture:
    """One of them: how a text names it, and the files that do. `digest` is what removing it has to name."""

    source: str
    size: int
    width: int
    used_in: Sequence[str]
    digest: str


@needs(Right.WRITE)
def list_pictures(_: Session, __: Actor, drafts: Drafts, slug: str) -> list[Picture]:
    """All of them by their names; raises NotFound."""
    folder = drafts.folder(slug)
    texts = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in text_files(folder)}
    return [
        Picture(
            *(one.source, len(one.content), pixel_width(one.content) or 0),
            [name for name, text in texts.items() if one.source in text],
            files_digest({one.source: one.content}),
        )
        for one in course_media(folder).files
    ]


@needs(Right.WRITE)
def show_picture(_: Session, __: Actor, drafts: Drafts, slug: str, source: str) -> MediaFile:
    """One of them with its bytes; raises NotFound."""
    found = next((one for one in course_media(drafts.folder(slug)).files if one.source == source), None)
    if found is None:
        raise NotFound(f"{slug} has no picture {source!r}.")
    return found


@needs(Right.WRITE)
def look_at_picture(session: Session, actor: Actor, drafts: Drafts, slug: str, source: str) -> Picture:
    """One of them with where it is shown; raises NotFound."""
    found = next((one for one in list_pictures(session, actor, drafts, slug) if one.source == source), None)
    if found is None:
        raise NotFound(f"{slug} has no picture {source!r}.")
    return found


@needs(Right.WRITE)
def add_picture(_: Session, __: Actor, drafts: Drafts, slug: str, file: str, content: bytes) -> str:
    """Put a picture into the draft; returns how a text names it. Raises Refused.

    Another one of the same name stays as it is, and this one gets a number: mails show what they showed.
    """
    name = PurePath(file.replace("\\", "/"))
    suffix = name.suffix.lower()
    if suffix not in CONTENT_TYPES or pixel_width(content) is None:
        raise Refused("A picture is a PNG, JPEG or GIF file; mail programs show no other everywhere.")
    if len(content) > MOST_PICTURE:
        raise Refused(f"The picture is larger than {MOST_PICTURE // 1_000_000} MB; make it smaller first.")
    digest, folder = drafts.digest(slug), drafts.folder(slug)
    stem = f"{MEDIA_FOLDER}/{slug_of(name.stem) or 'picture'}"
    for tail in chain([""], (f"-{number}" for number in count(2))):
        source = f"{stem}{tail}{suffix}"
        if not (folder / source).exists():
            break
        if (folder / source).read_bytes() == content:
            return source
    drafts.change(slug, {source: content}, before=digest)
    return source


@needs(Right.WRITE)
def remove_picture(
    session: Session, actor: Actor, drafts: Drafts, slug: str, source: str, digest: str
) -> None:
    """Take one out of the draft; mails keep what they were published with. Raises NotFound, or Refused."""
    found = look_at_picture(session, actor, drafts, slug, source)
    if found.used_in:
        raise Refused(f"{', '.join(found.used_in)} shows {source}; take it out there first.")
    drafts.remove_files(slug, [source], before=digest)
