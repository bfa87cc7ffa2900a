"""What becomes of a draft: its effect on readers seen first, published, compared, taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.content.course_files import course_files
from mailer.content.course_folder import Problem, read_draft
from mailer.content.draft_store import Drafts
from mailer.content.newest import Newest
from mailer.db import business_now
from mailer.desk.courses import publish_course, undo_course
from mailer.errors import Refused
from mailer.launch.asked import WARNINGS
from mailer.launch.check import CompiledCourse, check_course
from mailer.launch.checked import keep_check
from mailer.launch.draft_difference import draft_difference
from mailer.launch.effect import Bring, Plan, plan_publication, refuse_unpublishable
from mailer.launch.kept_files import files_of_version, keeps_files
from mailer.launch.link_checks import Links, unasked
from mailer.launch.mailing import of_folder
from mailer.launch.preflight import Looked, look
from mailer.launch.undo import Undone, count_readers
from mailer.links import Signer
from mailer.models import CheckedKind, Course, MailingList
from mailer.reports.course_list import courses_at_a_glance
from mailer.reports.course_versions import MOST_VERSIONS, Difference, VersionRow, difference, versions_of
from mailer.reports.overview import StepRow, course_steps
from mailer.reports.patience import counted, is_large
from mailer.schedule.courses import get_course, is_published

LOOKING = 0.7
"""Seconds of making mails before a page is answered."""


@dataclass(frozen=True)
class CourseLine:
    """One course in the list. `version` is None while it was never published; so many readers at least."""

    slug: str
    title: str
    has_draft: bool
    version: int | None = None
    steps: int = 0
    readers: int = 0
    next_at: datetime | None = None
    soon: int = 0


@dataclass(frozen=True)
class Undoing:
    """What taking back the version `last` would do: the course is as in `like` again, for so many `readers`,
    None while nobody has counted them."""

    course: Course
    last: int
    like: int
    difference: Difference
    readers: int | None


@dataclass(frozen=True)
class PublishedCourse:
    """What is in place of a course now; `has_files`: what it was published from is kept."""

    course: Course
    list_slug: str
    steps: list[StepRow]
    has_files: bool


@dataclass(frozen=True)
class Checked:
    """A draft that was compiled: ready when `compiled` is there. `digest` is of the folder it was made of."""

    compiled: CompiledCourse | None
    problems: Sequence[Problem]
    digest: str


@dataclass(frozen=True)
class Effect:
    """What publishing would do. `seal` tells whether it is still the same when somebody says yes to it.

    While `looked` is not done, not all of the mails were made for a sample of its readers yet. `to_ask` are
    the links that nobody asked lately whether they answer. Until both are through there is no `plan`, nor
    while nobody has asked for it in a house where counting whom it reaches takes long. For a first version
    the words that change are not compared.
    """

    plan: Plan | None
    problems: Sequence[Problem]
    looked: Looked
    to_ask: Links
    seal: str = ""
    difference: Difference | None = None

    @property
    def is_seen(self) -> bool:
        """Whether all was looked at."""
        return self.plan is not None

    @property
    def errors(self) -> int:
        return sum(not problem.is_warning for problem in self.problems)


@dataclass(frozen=True)
class VersionToEdit:
    """A version that would become the draft; `draft` is the digest of the one there is, empty for none."""

    course: Course
    number: int
    files: int
    draft: str
    is_same: bool = False


@needs(Right.SEE)
def list_courses(session: Session, _: Actor, drafts: Drafts) -> list[CourseLine]:
    """Every course that is published or being written, in the order of their titles."""
    slugs = set(drafts.slugs())
    lines = [
        CourseLine(
            slug=row.slug,
            title=row.title,
            has_draft=row.slug in slugs,
            version=row.version,
            steps=row.steps,
            readers=row.readers,
            next_at=row.next_at,
            soon=row.soon,
        )
        for row in courses_at_a_glance(session, business_now(session))
    ]
    for slug in slugs - {line.slug for line in lines}:
        source = read_draft(drafts.folder(slug))[0]
        lines.append(CourseLine(slug, source.title or slug, has_draft=True, steps=len(source.steps)))
    return sorted(lines, key=lambda line: (line.title.casefold(), line.slug))


@needs(Right.SEE)
def find_published(session: Session, _: Actor, slug: str) -> PublishedCourse | None:
    """What is published of a course; None when nothing is."""
    if not is_published(session, slug):
        return None
    course = get_course(session, slug)
    list_ = session.get_one(MailingList, course.list_id)
    return PublishedCourse(course, list_.slug, course_steps(session, course), keeps_files(session, course))


_CHECKED: Newest[tuple[Path, str], Checked] = Newest(8)
"""Drafts that were compiled, by their folder and its digest."""


@needs(Right.SEND)
def check_draft(session: Session, _: Actor, drafts: Drafts, slug: str) -> Checked:
    """Compile every mail of a draft, which takes a moment the first time; raises NotFound."""
    folder, digest = drafts.folder(slug), drafts.digest(slug)
    checked = _CHECKED.find((folder, digest))
    if checked is None:
        checked = Checked(*check_course(folder), digest)
        if drafts.digest(slug) != digest:
            raise Refused("Somebody is changing the course just now; try again in a moment.")
        _CHECKED.keep((folder, digest), checked)
        keep_check(session, CheckedKind.COURSE, slug, digest, checked.problems)
    if checked.compiled is not None and checked.compiled.source.slug != slug:
        raise Refused(f'Its course.toml says another slug; write slug = "{slug}", or bring it anew.')
    return checked


@needs(Right.SEND)
def effect_of(
    session: Session, _: Actor, checked: Checked, signer: Signer, base_url: str, *, is_asked: bool
) -> Effect:
    """What publishing this would do to its readers, and what a sample of them would find wrong.

    It takes LOOKING at most, so ask again until it `is_seen`; what was looked at is kept. Whom it reaches is
    counted at once where that is quick, and else when it `is_asked`. Raises Refused for what cannot be
    published at all.
    """
    if checked.compiled is None:
        raise Refused("Mend the errors first.")
    now = business_now(session)
    refuse_unpublishable(session, checked.compiled.source)
    looked = look(session, of_folder(checked.compiled), signer, base_url, now, LOOKING)
    to_ask = unasked(session, looked.links)
    problems = [*checked.problems, *looked.problems]
    if not looked.is_done or to_ask or (is_large(session) and not is_asked):
        return Effect(None, problems, looked, to_ask)
    plan, words = plan_publication(session, checked.compiled, now), None
    if plan.changes and is_published(session, plan.slug):
        words = draft_difference(session, get_course(session, plan.slug), checked.compiled)
    return Effect(plan, problems, looked, to_ask, _seal(plan, checked.digest), words)


@needs(Right.SEND)
def links_to_ask(session: Session, _: Actor, checked: Checked, signer: Signer, base_url: str) -> Links:
    """The links that nobody asked lately, once all mails were looked at; for `ask_links`."""
    if checked.compiled is None:
        return {}
    looked = look(session, of_folder(checked.compiled), signer, base_url, business_now(session), 0)
    return unasked(session, looked.links) if looked.is_done else {}


@needs(Right.SEND)
def publish_draft(
    session: Session,
    actor: Actor,
    checked: Checked,
    bring: Bring,
    seal: str,
    signer: Signer,
    base_url: str,
) -> Plan:
    """Publish what was looked at; raises Refused when it has errors, or is another by now."""
    if checked.compiled is None:
        raise Refused("Mend the errors first.")
    # Warnings are agreed to: they stand on the page that the button is on.
    plan = publish_course(
        *(session, actor, checked.compiled, checked.problems, signer, base_url),
        bring=bring,
        agreed=(WARNINGS,),
    )
    if _seal(plan, checked.digest) != seal:
        raise Refused("The course was changed since you looked, so nothing was published; look again.")
    return plan


@needs(Right.SEND)
def look_at_undo(session: Session, _: Actor, slug: str, *, is_asked: bool) -> Undoing:
    """What taking back the last publication would do, to how many; counted where that is quick, and else when
    it `is_asked`. Raises NotFound or Refused."""
    course = get_course(session, slug)
    rows = versions_of(session, course, None, 2)
    if len(rows) < 2:
        raise Refused(f"{slug} was published once, so there is nothing to go back to.")
    last, before = rows[0].number, rows[1].number
    readers = counted(
        session, lambda session: count_readers(session, course.id), is_asked=is_asked, longest=None
    )
    return Undoing(course, last, before, difference(session, course, last, before), readers)


@needs(Right.SEND)
def undo_last(session: Session, actor: Actor, slug: str, version: int) -> Undone:
    """Take back the publication of this version; raises Refused when another has come after it."""
    undone = undo_course(session, actor, slug)
    if undone.taken_back != version:
        raise Refused(f"{slug} was published again since you looked, so nothing was taken back; look again.")
    return undone


@needs(Right.SEE)
def list_versions(
    session: Session, _: Actor, slug: str, before: int | None = None
) -> tuple[Course, list[VersionRow]]:
    """The course and its published versions, newest first, or those before a number; raises NotFound.

    One more than MOST_VERSIONS where there are older ones: what the last of them differs from.
    """
    course = get_course(session, slug)
    return course, versions_of(session, course, before, MOST_VERSIONS + 1)


@needs(Right.WRITE)
def pack_version(session: Session, _: Actor, slug: str, number: int) -> bytes:
    """The zip of the course folder that a version was published from; raises NotFound or Refused."""
    return files_of_version(session, slug, number).packed()


@needs(Right.WRITE)
def look_at_version(session: Session, _: Actor, drafts: Drafts, slug: str, number: int) -> VersionToEdit:
    """What editing this version would do to the draft; raises NotFound, or Refused when none is kept."""
    kept = files_of_version(session, slug, number)
    course = get_course(session, slug)
    if not drafts.has(slug):
        return VersionToEdit(course, number, len(kept.files), "")
    is_same = course_files(drafts.folder(slug), []) == kept.files
    return VersionToEdit(course, number, len(kept.files), drafts.digest(slug), is_same)


@needs(Right.WRITE)
def edit_version(session: Session, actor: Actor, drafts: Drafts, slug: str, number: int, seen: str) -> None:
    """Make the draft what a version was published from. `seen` is the digest of the draft that it replaces.

    Raises NotFound, or Refused when nothing is kept of it, or the draft is not as it was seen.
    """
    kept = files_of_version(session, slug, number)
    if drafts.has(slug):
        drafts.replace(slug, kept.files, seen=seen)
    else:
        drafts.create(slug, kept.files)
    record(session, actor, "course draft of version", course=slug, version=number)


@needs(Right.SEE)
def compare_versions(session: Session, _: Actor, slug: str, old: int, new: int) -> Difference:
    """What differs between two of them; raises NotFound."""
    return difference(session, get_course(session, slug), old, new)


def _seal(plan: Plan, digest: str) -> str:
    """What of a plan somebody agrees to: not how many readers moved on by a day since."""
    parts = [
        digest,
        str(plan.version),
        *(f"{one.kind} {one.key}" for one in plan.changes),
        *sorted(plan.past),
        *(f"finished {key}" for key in sorted(plan.finished)),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
