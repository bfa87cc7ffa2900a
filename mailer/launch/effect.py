"""What publishing a course would change, and how many people each change reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, time
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from mailer.content.course_folder import CourseSource, StepSource
from mailer.errors import Refused
from mailer.launch.check import CompiledCourse
from mailer.launch.in_words import shown_hours, shown_whom
from mailer.launch.kept_files import are_kept
from mailer.launch.published import Known, known_steps, published_header, source_digest, text_digests
from mailer.launch.reach import NOBODY, Group, Readers, read_readers
from mailer.launch.references import refuse_broken_references
from mailer.models import (
    Course,
    Delivery,
    Enrollment,
    EnrollmentState,
    MailingList,
    Step,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.place import StepPlan
from mailer.schedule.timing import read_timing


class ChangeKind(StrEnum):
    ADD = "add"
    CHANGE = "change"
    MOVE = "move"
    RETIRE = "retire"


class Past(StrEnum):
    """What becomes of a step for readers who are past the day that it was put on.

    Skip: they do without it. Next: it comes before what is next for them, on a day of its own. End: after
    all others.
    """

    SKIP = "skip"
    NEXT = "next"
    END = "end"


@dataclass(frozen=True)
class Bring:
    """To whom steps are brought after all that come too late for them.

    `past` is for those who are past a step's day, unless `of` says otherwise of that step; `finished` are the
    steps that those get who have finished the course, of whom nobody is mailed again without it.
    """

    past: Past = Past.SKIP
    of: Mapping[str, Past] = field(default_factory=dict)
    finished: frozenset[str] = frozenset()

    def past_of(self, key: str) -> Past:
        """What becomes of this step."""
        return self.of.get(key, self.past)


NOT_BROUGHT = Bring()


def read_bring(past: Sequence[str], finished: Collection[str]) -> Bring:
    """What somebody typed: `next` for all steps, `breathing=end` for one; raises Refused."""
    every, of = Past.SKIP, dict[str, Past]()
    for one in past:
        key, _, word = one.rpartition("=")
        if word not in list(Past):
            raise Refused(f"{one!r} is not what can become of a step; write skip, next or end, or KEY=next.")
        if key:
            of[key] = Past(word)
        else:
            every = Past(word)
    return Bring(every, of, frozenset(finished))


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

    `passed` holds the new course day of each enrollment for which an added step comes too late. `past` has,
    for each step that was added or moved behind somebody's back, the enrollments that are past it and have
    not had it (see `Past`); `finished` counts for each step that is new those who have finished without it
    and can be mailed. `has_other_files`: it is not, byte for byte, the folder that the version in place
    keeps.
    """

    slug: str
    version: int
    changes: tuple[Change, ...]
    passed: Mapping[int, int]
    past: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    finished: Mapping[str, int] = field(default_factory=dict)
    has_other_files: bool = False

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "slug": self.slug,
            "version": self.version,
            "changes": [asdict(change) for change in self.changes],
            "past": {key: len(readers) for key, readers in self.past.items()},
            "finished": dict(self.finished),
        }


def plan_publication(session: Session, compiled: CompiledCourse, now: datetime) -> Plan:
    """What `publish` would do at `now`, changing nothing. Raises Refused when the list cannot be had."""
    source = compiled.source
    course = refuse_unpublishable(session, source)
    known = {} if course is None else known_steps(session, course, compiled)
    added = {step.key for step in source.steps if _is_new(known.get(step.key))}
    readers = NOBODY
    if course is not None:
        days = _days(source, known)
        steps = tuple(_step_plan(step) for step in source.steps if step.is_plain)
        readers = read_readers(session, course, steps, added, days, now)
    changes = [*_of_steps(source, known, readers), *_gone(source, known, readers)]
    everybody = readers.everybody
    changes += [*_of_pictures(compiled, known, readers), *_of_course(session, course, source, everybody)]
    if not changes and any(not found.is_same_mail for found in known.values() if not found.step.retired_at):
        changes.append(Change(ChangeKind.CHANGE, "layout", "the mails' own layout", everybody))
    version = (0 if course is None else course.version) + bool(changes)
    has_other_files = course is not None and not are_kept(session, course, compiled.files)
    past = _past(source, known, readers)
    finished = {} if course is None else _finished(session, course, source, known)
    return Plan(source.slug, version, tuple(changes), readers.moved, past, finished, has_other_files)


def refuse_unpublishable(session: Session, source: CourseSource) -> Course | None:
    """Raises Refused when its list cannot be had, or what its rules name is not there; its course, if any."""
    course = session.execute(
        # As it is now, whatever this session saw of it before it had the lock.
        select(Course).where(Course.slug == source.slug).execution_options(populate_existing=True)
    ).scalar_one_or_none()
    _refuse_other_list(session, course, source)
    refuse_broken_references(session, source)
    return course


def _past(source: CourseSource, known: Mapping[str, Known], readers: Readers) -> dict[str, tuple[int, ...]]:
    """Who is past a step that was put where it is now; a step for some only is not brought to them."""
    past = {}
    for step in source.steps:
        found = known.get(step.key)
        if not step.is_plain or step.condition:
            continue
        before = None if found is None or _is_new(found) else found.step.day
        chosen = readers.who(found.step.id if found else None, partial(_is_past, step.day, before))
        if chosen:
            past[step.key] = chosen
    return past


def _is_past(day: int, before: int | None, group: Group) -> bool:
    """Whether a group is past this day, on which a step is now; it was on day `before`, None: nowhere."""
    if before is None:
        return day <= group.day_after
    return day <= group.day < before


def _finished(
    session: Session, course: Course, source: CourseSource, known: Mapping[str, Known]
) -> dict[str, int]:
    """How many have finished without each step that is new, and could get it."""
    counts = {}
    for step in source.steps:
        found = known.get(step.key)
        if step.is_plain and not step.condition and _is_new(found):
            chosen = select(func.count()).where(finished_without(course, found.step.id if found else None))
            counts[step.key] = session.execute(chosen).scalar_one()
    return {key: people for key, people in counts.items() if people}


def finished_without(course: Course, step_id: int | None) -> ColumnElement[bool]:
    """The enrollments of those who finished, have not had this step (None: it is new) and are on the list."""
    is_on_list = exists().where(
        Subscription.subscriber_id == Enrollment.subscriber_id,
        Subscription.list_id == course.list_id,
        Subscription.state == SubscriptionState.ACTIVE,
    )
    chosen = and_(Enrollment.course_id == course.id, Enrollment.state == EnrollmentState.FINISHED, is_on_list)
    if step_id is None:
        return chosen
    had = exists().where(
        Delivery.subscriber_id == Enrollment.subscriber_id,
        Delivery.enrollment_id == Enrollment.id,
        Delivery.step_id == step_id,
    )
    return and_(chosen, ~had)


def _step_plan(step: StepSource) -> StepPlan:
    timing = read_timing(step.timing.as_values())
    return StepPlan(0, step.key, step.day, step.send_time, 0, timing=timing)


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
        **source.flow.as_values(),
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


def _is_new(known: Known | None) -> bool:
    return known is None or known.step.retired_at is not None


def _days(source: CourseSource, known: Mapping[str, Known]) -> dict[int, int]:
    """For each published step the later of the days that it was and will be on."""
    planned = {step.key: step.day for step in source.steps}
    return {found.step.id: max(found.step.day, planned.get(key, 0)) for key, found in known.items()}


def _of_steps(source: CourseSource, known: Mapping[str, Known], readers: Readers) -> Iterator[Change]:
    for step in source.steps:
        found = known.get(step.key)
        to_come = readers.to_come(found.step.id if found else None, step.day)
        if found is None or _is_new(found):
            what = f"{_place(step)}, for {shown_whom(*_whom(step))}" if any(_whom(step)) else _place(step)
            yield Change(ChangeKind.ADD, step.key, what, to_come)
            continue
        if _hours_of(found.step) != (step.day, step.send_time, step.timing.as_values()):
            yield _moved(found.step, step, readers)
        for what in _what_changed(found, step):
            yield Change(ChangeKind.CHANGE, step.key, what, to_come)


def _hours_of(step: Step) -> tuple[int, time, dict[str, Any]]:
    return step.day, step.send_time, step.timing


def _what_changed(found: Known, step: StepSource) -> Iterator[str]:
    """What is another than it was in a step, apart from its day and hours."""
    before = found.step
    if before.source_digest != source_digest(step):
        yield "new text"
    texts = text_digests(step)
    for tag in sorted(texts.keys() | found.texts.keys()):
        if found.texts.get(tag) != texts.get(tag):
            verb = "new text in" if tag in found.texts else "now also in"
            yield f"{verb if tag in texts else 'no longer in'} {tag}"
    if (before.condition, before.instead_of, before.easier_than) != _whom(step):
        yield f"now for {shown_whom(*_whom(step))}"


def _whom(step: StepSource) -> tuple[str, str, str]:
    return step.condition, step.instead_of, step.easier_than


def _moved(before: Step, step: StepSource, readers: Readers) -> Change:
    """A move; whoever stands between the new day and the old one never gets the mail, and that is said."""
    lost = readers.count(before.id, lambda group: step.day <= group.day < before.day)
    reached = readers.count(before.id, lambda group: group.day < max(before.day, step.day))
    what = f"{shown_hours(*_hours_of(before))} to {_place(step)}"
    if lost:
        what += f" ({lost:,} past that day will not get it)"
    return Change(ChangeKind.MOVE, step.key, what, readers.waiting + reached)


def _gone(source: CourseSource, known: Mapping[str, Known], readers: Readers) -> Iterator[Change]:
    kept = {step.key for step in source.steps}
    for key, found in known.items():
        if key in kept or found.step.retired_at:
            continue
        to_come = readers.to_come(found.step.id, found.step.day)
        yield Change(ChangeKind.RETIRE, key, f"was on day {found.step.day}", to_come)


def _of_pictures(compiled: CompiledCourse, known: Mapping[str, Known], readers: Readers) -> Iterator[Change]:
    """Steps whose text is the same, but not a picture that it shows."""
    mails = [("", *one) for one in compiled.steps]
    mails += [(message.language, step, message) for step, message in compiled.translations]
    told = set()
    for tag, step, message in mails:
        found = known.get(step.key)
        if found is None or _is_new(found) or step.key in told or any(_what_changed(found, step)):
            continue
        if any(f"/media/{name}" not in found.pages[tag] for name in message.images):
            told.add(step.key)
            to_come = readers.to_come(found.step.id, step.day)
            yield Change(ChangeKind.CHANGE, step.key, "new picture", to_come)


def _of_course(
    session: Session, course: Course | None, source: CourseSource, everybody: int
) -> Iterator[Change]:
    """What course.toml changes: the settings that are others than in the version published last."""
    wanted = header_of(source)
    before = wanted if course is None else published_header(session, course)
    names = [*wanted, *sorted(before.keys() - wanted.keys())]
    differing = [name for name in names if before.get(name) != wanted.get(name)]
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


def _place(step: StepSource) -> str:
    return shown_hours(step.day, step.send_time, step.timing.as_values())
