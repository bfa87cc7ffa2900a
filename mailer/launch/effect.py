"""What publishing a course would change, and how many people each change reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.content.course_folder import CourseSource, StepSource
from mailer.errors import Refused
from mailer.launch.check import CompiledCourse
from mailer.launch.messages import message_digest
from mailer.launch.reach import NOBODY, Readers, read_readers
from mailer.models import (
    Course,
    CourseVersion,
    Enrollment,
    MailingList,
    Message,
    Step,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.place import StepPlan


class ChangeKind(StrEnum):
    ADD = "add"
    CHANGE = "change"
    MOVE = "move"
    RETIRE = "retire"


@dataclass(frozen=True)
class Change:
    """What publishing does to one step (or to all: `key` then says course.toml, list or layout).

    `reached` counts the enrolled people for whom it makes a difference.
    """

    kind: ChangeKind
    key: str
    what: str
    reached: int


@dataclass(frozen=True)
class Plan:
    """All that a publication changes. `version` is the number it gets, or the present one.

    `passed` holds the new course day of each enrollment for which an added step comes too late.
    """

    slug: str
    version: int
    changes: tuple[Change, ...]
    passed: Mapping[int, int]

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "slug": self.slug,
            "version": self.version,
            "changes": [asdict(change) for change in self.changes],
        }


@dataclass(frozen=True)
class _Known:
    """A published step beside what its author has now; `is_same_mail` compares what readers see."""

    step: Step
    is_same_mail: bool
    html: str


def plan_publication(session: Session, compiled: CompiledCourse, now: datetime) -> Plan:
    """What `publish` would do at `now`, changing nothing. Raises Refused when the list cannot be had."""
    source = compiled.source
    course = session.execute(
        # As it is now, whatever this session saw of it before it had the lock.
        select(Course).where(Course.slug == source.slug).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    _refuse_other_list(session, course, source)
    known = {} if course is None else _known_steps(session, course, compiled)
    added = {step.key for step in source.steps if _is_new(known.get(step.key))}
    readers = NOBODY
    if course is not None:
        days = _days(source, known)
        steps = tuple(StepPlan(0, step.key, step.day, step.send_time, 0) for step in source.steps)
        readers = read_readers(session, course, steps, added, days, now)
    changes = [*_of_steps(source, known, readers), *_gone(source, known, readers)]
    everybody = readers.waiting + len(readers.active)
    changes += [*_of_pictures(compiled, known, readers), *_of_course(session, course, source, everybody)]
    if not changes and any(not found.is_same_mail for found in known.values() if not found.step.retired_at):
        changes.append(Change(ChangeKind.CHANGE, "layout", "the mails' own layout", everybody))
    passed = {
        reader.enrollment_id: reader.day_after for reader in readers.active if reader.day_after != reader.day
    }
    version = (0 if course is None else course.version) + bool(changes)
    return Plan(source.slug, version, tuple(changes), passed)


def source_digest(step: StepSource) -> str:
    """A fingerprint of what the author wrote, whenever and whoever it is sent to."""
    parts = (step.subject, step.preheader, step.kind, str(step.week), step.body)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def header_of(source: CourseSource) -> dict[str, Any]:
    """What course.toml says, as far as a published version keeps it."""
    sender = source.sender
    return {
        "title": source.title,
        "subtitle": source.subtitle,
        "language": source.language,
        "zone": source.zone,
        "days": source.days,
        "consent": source.consent,
        "list": source.list_slug,
        "list_title": source.list_title,
        "opt_in": source.opt_in,
        "disclaimer": source.disclaimer,
        "sender": [sender.name, sender.email, sender.reply_to, sender.postal_address],
    }


def other_course_on(session: Session, list_slug: str, slug: str) -> str | None:
    """Another course that belongs to this list, if there is one."""
    return session.execute(
        select(Course.slug)
        .join(MailingList, MailingList.id == Course.list_id)
        .where(MailingList.slug == list_slug, Course.slug != slug)
        .order_by(Course.slug)
        .limit(1)
    ).scalar_one_or_none()


def _refuse_other_list(session: Session, course: Course | None, source: CourseSource) -> None:
    """Consent belongs to a list: people cannot be moved to another, nor a shared one be changed unseen."""
    slug = source.slug
    if course is not None:
        now_on = session.get_one(MailingList, course.list_id).slug
        people = session.execute(select(func.count()).where(Enrollment.course_id == course.id)).scalar_one()
        if now_on != source.list_slug and people:
            raise Refused(
                f"{slug} belongs to the list {now_on}, which {people:,} of its readers agreed to; write "
                f'list = "{now_on}" in course.toml, or publish it as a new course with a slug of its own.'
            )
    other = other_course_on(session, source.list_slug, slug)
    list_ = _find_list(session, source.list_slug)
    if other and list_ and (list_.title, list_.opt_in) != (source.list_title, source.opt_in):
        raise Refused(
            f"The list {list_.slug} is also that of the course {other}: write list_title = "
            f'"{list_.title}" and opt_in = "{list_.opt_in}" as it has them, or name another list '
            f"(`steadypost list add {list_.slug}` changes the list for both)."
        )


def _find_list(session: Session, slug: str) -> MailingList | None:
    return session.execute(select(MailingList).where(MailingList.slug == slug)).scalar_one_or_none()


def _known_steps(session: Session, course: Course, compiled: CompiledCourse) -> dict[str, _Known]:
    """Every step that was ever published, by key; retired ones too, for they may come back."""
    mails = {step.key: message for step, message in compiled.steps}
    rows = session.execute(
        select(Step, Message)
        .join(Message, Message.id == Step.message_id)
        .where(Step.course_id == course.id)
        .order_by(Step.day, Step.key)
        .execution_options(populate_existing=True)
    )
    known = {}
    for step, message in rows:
        mail = mails.get(step.key)
        same = mail is not None and (message_digest(mail), mail.language) == (
            message.digest,
            message.language,
        )
        known[step.key] = _Known(step, same, message.html)
    return known


def _is_new(known: _Known | None) -> bool:
    return known is None or known.step.retired_at is not None


def _days(source: CourseSource, known: Mapping[str, _Known]) -> dict[int, int]:
    """For each published step the later of the days that it was and will be on."""
    planned = {step.key: step.day for step in source.steps}
    return {found.step.id: max(found.step.day, planned.get(key, 0)) for key, found in known.items()}


def _of_steps(source: CourseSource, known: Mapping[str, _Known], readers: Readers) -> Iterator[Change]:
    for step in source.steps:
        found = known.get(step.key)
        to_come = readers.to_come(found.step.id if found else None, step.day)
        if found is None or _is_new(found):
            yield Change(ChangeKind.ADD, step.key, _place(step), to_come)
            continue
        if (found.step.day, found.step.send_time) != (step.day, step.send_time):
            yield _moved(found.step, step, readers)
        if found.step.source_digest != source_digest(step):
            yield Change(ChangeKind.CHANGE, step.key, "new text", to_come)


def _moved(before: Step, step: StepSource, readers: Readers) -> Change:
    """A move; whoever stands between the new day and the old one never gets the mail, and that is said."""
    lost = readers.count(before.id, lambda reader: step.day <= reader.day < before.day)
    reached = readers.count(before.id, lambda reader: reader.day < max(before.day, step.day))
    what = f"day {before.day} {before.send_time:%H:%M} to {_place(step)}"
    if lost:
        what += f" ({lost:,} past that day will not get it)"
    return Change(ChangeKind.MOVE, step.key, what, readers.waiting + reached)


def _gone(source: CourseSource, known: Mapping[str, _Known], readers: Readers) -> Iterator[Change]:
    kept = {step.key for step in source.steps}
    for key, found in known.items():
        if key in kept or found.step.retired_at:
            continue
        to_come = readers.to_come(found.step.id, found.step.day)
        yield Change(ChangeKind.RETIRE, key, f"was on day {found.step.day}", to_come)


def _of_pictures(compiled: CompiledCourse, known: Mapping[str, _Known], readers: Readers) -> Iterator[Change]:
    """Steps whose text is the same, but not a picture that it shows."""
    for step, message in compiled.steps:
        found = known.get(step.key)
        if found is None or _is_new(found) or found.step.source_digest != source_digest(step):
            continue
        if any(f"/media/{name}" not in found.html for name in message.images):
            to_come = readers.to_come(found.step.id, step.day)
            yield Change(ChangeKind.CHANGE, step.key, "new picture", to_come)


def _of_course(
    session: Session, course: Course | None, source: CourseSource, everybody: int
) -> Iterator[Change]:
    """What course.toml changes: the settings that are others than in the version published last."""
    wanted = header_of(source)
    before = wanted if course is None else _published_header(session, course)
    differing = [name for name, value in wanted.items() if before.get(name) != value]
    if differing:
        yield Change(ChangeKind.CHANGE, "course.toml", ", ".join(differing), everybody)
    list_ = _find_list(session, source.list_slug)
    if list_ is None:
        return
    facts = {"list_title": (list_.title, source.list_title), "opt_in": (list_.opt_in, source.opt_in)}
    # Told above when course.toml changed it; here when the list itself was another before, or became so.
    drifted = [name for name, (has, gets) in facts.items() if has != gets and name not in differing]
    if drifted:
        yield Change(ChangeKind.CHANGE, f"list {list_.slug}", ", ".join(drifted), _people_on(session, list_))


def _people_on(session: Session, list_: MailingList) -> int:
    return session.execute(
        select(func.count()).where(
            Subscription.list_id == list_.id, Subscription.state != SubscriptionState.ENDED
        )
    ).scalar_one()


def _published_header(session: Session, course: Course) -> dict[str, Any]:
    manifest = session.execute(
        select(CourseVersion.manifest)
        .where(CourseVersion.course_id == course.id)
        .order_by(CourseVersion.number.desc())
        .limit(1)
    ).scalar_one()
    header: dict[str, Any] = manifest["header"]
    return header


def _place(step: StepSource) -> str:
    return f"day {step.day} {step.send_time:%H:%M}"
