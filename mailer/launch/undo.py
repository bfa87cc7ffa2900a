"""Taking back a publication: the version before it is put in place again, for all that has not been sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from mailer import rules
from mailer.errors import Refused
from mailer.launch.gone_back import had_in_earlier_rounds, pass_over_what_they_had
from mailer.launch.messages import lock_publishing
from mailer.launch.publish import go_on, lock_readers
from mailer.launch.reach import read_readers
from mailer.launch.references import wrong_follow_ups
from mailer.models import Course, CourseVersion, Enrollment, EnrollmentState, Sender, Step
from mailer.schedule.courses import get_course
from mailer.schedule.flow import read_flow
from mailer.schedule.follow import begin_triggers
from mailer.schedule.place import StepPlan
from mailer.schedule.timing import read_timing

FLOW = ("stop_when", "then", "triggers", "catch_up", "ask_whom")


@dataclass(frozen=True)
class Undone:
    """`taken_back` is the version that was in place, `like` the one that is again; `version` its number."""

    taken_back: int
    like: int
    version: int
    readers: int


def count_readers(session: Session, course_id: int) -> int:
    """How many are in a course now, also those who have not confirmed yet, as an `Undone` counts them."""
    in_it = Enrollment.state.in_((EnrollmentState.WAITING, EnrollmentState.ACTIVE))
    asked = select(func.count()).where(Enrollment.course_id == course_id, in_it)
    return session.execute(asked).scalar_one()


def undo_publication(session: Session, slug: str, now: datetime) -> Undone:
    """Put in place what was published before the last time, as a version of its own.

    What was sent stays sent. A step that comes back on a day that is past for somebody is passed over for
    them, as one that is added is. Doing it twice brings back what was taken back. Raises NotFound or Refused.
    """
    lock_publishing(session)
    lock_readers(session, slug)
    course = get_course(session, slug)
    versions = session.execute(
        select(CourseVersion)
        .where(CourseVersion.course_id == course.id)
        .order_by(CourseVersion.number.desc())
        .limit(2)
    ).scalars()
    last, *before = versions.all()
    if not before:
        raise Refused(f"{slug} was published once, so there is nothing to go back to.")
    wanted = before[0].manifest
    _refuse_what_is_broken(session, slug, before[0].number, wanted)
    known_triggers = read_flow(course.flow).triggers
    passed, readers = _passed(session, course, wanted["steps"], now)
    had = had_in_earlier_rounds(session, course)
    _put_header(session, course, wanted["header"])
    _put_steps(session, course, wanted["steps"], now)
    course.version += 1
    version = CourseVersion(course_id=course.id, number=course.version, published_at=now, manifest=wanted)
    version.files_digest = before[0].files_digest
    session.add(version)
    go_on(session, course.id, passed, now)
    session.flush()
    pass_over_what_they_had(session, course, had, now)
    begin_triggers(session, course, known_triggers, now)
    return Undone(last.number, before[0].number, course.version, readers)


def _refuse_what_is_broken(session: Session, slug: str, number: int, manifest: Mapping[str, Any]) -> None:
    """Raises Refused when a rule of that version names what is gone since (its readers would wait for it), or
    what follows it is gone, or has come to be followed by it."""
    flow = read_flow(manifest["header"])
    for _, what, _ in wrong_follow_ups(session, slug, [one.course for one in flow.then]):
        raise Refused(f"Version {number} of {slug} cannot come back. {what}")
    texts = {step.get("condition", "") for step in manifest["steps"]} | {*flow.stop_when}
    texts |= {one.when for one in flow.then} | {one.when for one in flow.triggers}
    for text in sorted(texts - {""}):
        found = rules.problems(session, rules.parse(text, slug), coming=(slug, manifest["header"]["list"]))
        if found:
            raise Refused(f"Version {number} of {slug} has the rule {text!r}. {' '.join(found)}")


def _passed(
    session: Session, course: Course, steps: Sequence[Mapping[str, Any]], now: datetime
) -> tuple[dict[int, int], int]:
    """The new course day of each enrollment for which a step comes back too late, and how many are in it."""
    in_use = set(
        session.execute(
            select(Step.key).where(Step.course_id == course.id, Step.retired_at.is_(None))
        ).scalars()
    )
    plans = tuple(
        StepPlan(
            0,
            step["key"],
            step["day"],
            time.fromisoformat(step["send_time"]),
            0,
            timing=read_timing(step.get("timing", {})),
        )
        for step in steps
        if not (step.get("instead_of") or step.get("easier_than"))
    )
    added = {plan.key for plan in plans} - in_use
    found = read_readers(session, course, plans, added, {}, now)
    return found.moved, found.everybody


def _put_header(session: Session, course: Course, header: Mapping[str, Any]) -> None:
    for name in ("title", "subtitle", "language", "zone", "days", "consent"):
        setattr(course, name, header[name])
    course.flow = {name: header[name] for name in FLOW if name in header}
    sender = session.get_one(Sender, course.sender_id)
    sender.name, sender.email, sender.reply_to, sender.postal_address = header["sender"]


def _put_steps(session: Session, course: Course, steps: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """The steps of a version as they were in it; the others are retired."""
    of_course = Step.course_id == course.id
    for step in steps:
        values = {
            "kind": step["kind"],
            "day": step["day"],
            "send_time": time.fromisoformat(step["send_time"]),
            "week": step["week"],
            "subject": step["subject"],
            "message_id": step["message_id"],
            "timing": step.get("timing", {}),
            "languages": step.get("languages", {}),
            "retired_at": None,
        }
        for name in ("condition", "instead_of", "easier_than", "source_digest"):
            values[name] = step.get(name, "")
        session.execute(update(Step).where(of_course, Step.key == step["key"]).values(values))
    keys = [step["key"] for step in steps]
    gone = update(Step).where(of_course, Step.key.not_in(keys), Step.retired_at.is_(None))
    session.execute(gone.values(retired_at=now))
