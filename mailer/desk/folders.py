"""A course folder that is brought in a zip: a new draft, or in the place of one, which can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.content.arrivals import Arrivals
from mailer.content.course_edit import slug_in
from mailer.content.course_files import files_digest
from mailer.content.course_folder import COURSE_FILE
from mailer.content.course_zip import unpack
from mailer.content.draft_store import Drafts, files_of


@dataclass(frozen=True)
class Taken:
    """A folder that was brought. `waits` is the name it is kept under while there is a draft of its slug."""

    slug: str
    left_out: tuple[str, ...]
    waits: str = ""


@dataclass(frozen=True)
class Replacing:
    """What a folder would do to the draft of its slug, file by file; `seen` is that draft's digest."""

    slug: str
    changed: Sequence[str]
    added: Sequence[str]
    gone: Sequence[str]
    left_out: tuple[str, ...]
    seen: str

    @property
    def is_same(self) -> bool:
        """Whether the draft is this very folder."""
        return not (self.changed or self.added or self.gone)


@needs(Right.WRITE)
def take_folder(session: Session, actor: Actor, drafts: Drafts, arrivals: Arrivals, content: bytes) -> Taken:
    """Make a draft of a course folder in a zip, or keep it while there is one of its slug; raises Refused."""
    unpacked = unpack(content)
    slug = slug_in(unpacked.files[COURSE_FILE])
    if drafts.has(slug):
        return Taken(slug, unpacked.left_out, arrivals.keep_zip(content))
    drafts.create(slug, unpacked.files)
    record(session, actor, "course draft", course=slug)
    return Taken(slug, unpacked.left_out)


@needs(Right.WRITE)
def look_at_folder(_: Session, __: Actor, drafts: Drafts, arrivals: Arrivals, name: str) -> Replacing:
    """What a folder that waits would replace; raises NotFound when it or the draft is gone."""
    unpacked = unpack(arrivals.zip(name))
    slug, new = slug_in(unpacked.files[COURSE_FILE]), unpacked.files
    old = files_of(drafts.folder(slug))
    return Replacing(
        slug,
        changed=sorted(file for file in old.keys() & new.keys() if old[file] != new[file]),
        added=sorted(new.keys() - old.keys()),
        gone=sorted(old.keys() - new.keys()),
        left_out=unpacked.left_out,
        seen=files_digest(old),
    )


@needs(Right.WRITE)
def replace_draft(
    session: Session, actor: Actor, drafts: Drafts, arrivals: Arrivals, name: str, seen: str
) -> str:
    """Put a folder that waits in the place of the draft that was `seen`; returns its slug.

    Raises NotFound, or Refused when somebody has changed the draft since.
    """
    files = unpack(arrivals.zip(name)).files
    slug = slug_in(files[COURSE_FILE])
    drafts.replace(slug, files, seen=seen)
    record(session, actor, "course draft replace", course=slug)
    arrivals.forget(name)
    return slug


@needs(Right.SEE)
def replaced_at(_: Session, __: Actor, drafts: Drafts, slug: str) -> datetime | None:
    """When the draft took the place of another one, which is kept; None when it did not."""
    return drafts.replaced_at(slug)


@needs(Right.WRITE)
def bring_back(session: Session, actor: Actor, drafts: Drafts, slug: str, seen: str) -> None:
    """Have the draft as it was before it was replaced; a second time undoes that. Raises Refused."""
    drafts.bring_back(slug, seen=seen)
    record(session, actor, "course draft bring back", course=slug)
