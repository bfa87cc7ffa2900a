"""Publishing a course: the new version of it is put in place, once, and kept as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.lists import add_list
from mailer.content.course_folder import CourseSource, StepSource
from mailer.db import among
from mailer.launch.check import CompiledCourse
from mailer.launch.effect import (
    NOT_BROUGHT,
    Bring,
    Change,
    ChangeKind,
    Past,
    Plan,
    finished_without,
    header_of,
    other_course_on,
    plan_publication,
)
from mailer.launch.gone_back import had_in_earlier_rounds, pass_over_what_they_had
from mailer.launch.kept_files import keep_instead, put_files
from mailer.launch.messages import lock_publishing, put_message
from mailer.launch.published import source_digest, text_digests
from mailer.models import Course, CourseVersion, Enrollment, EnrollmentState, MailingList, Media, Sender, Step
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import look_anew
from mailer.schedule.flow import Trigger, read_flow
from mailer.schedule.follow import begin_triggers

__all__ = ["Bring", "Change", "ChangeKind", "Past", "Plan", "plan_publication", "publish", "source_digest"]


def publish(session: Session, compiled: CompiledCourse, now: datetime, *, bring: Bring = NOT_BROUGHT) -> Plan:
    """Put a compiled course in place: sender, list, pictures, messages, steps, and a version of it all.

    Steps that are gone are retired, never deleted: what was sent keeps its name. Everybody in the
    course is looked at again by the next tick, so that new days and hours count at once. Publishing
    the same folder again changes nothing, also at the same time; where only comments, tests and the like
    differ, the version keeps the newer files. `bring` says what becomes of steps that readers are past.
    Raises Refused.
    """
    lock_publishing(session)
    source = compiled.source
    lock_readers(session, source.slug)
    plan = plan_publication(session, compiled, now)
    if not plan.changes:
        if plan.has_other_files:
            keep_instead(session, get_course(session, source.slug), compiled.files)
        return plan
    known_triggers = _triggers(session, source.slug)
    course = _put_course(session, source)
    had = had_in_earlier_rounds(session, course)
    for file in compiled.media:
        session.execute(
            insert(Media)
            .values(name=file.name, content_type=file.content_type, content=file.content)
            .on_conflict_do_nothing(index_elements=["name"])
        )
    languages = _put_translations(session, compiled)
    for step, message in compiled.steps:
        message_id = put_message(session, _name(source, step), message)
        translated = languages.get(step.key)
        # With its own among them: else a German's German course would come in English, the last resort.
        known = {source.language: message_id, **translated} if translated else {}
        _put_step(session, course.id, step, message_id, known)
    _retire(session, course.id, [step.key for step in source.steps], now)
    course.version = plan.version
    _put_version(session, course, compiled, now)
    go_on(session, course.id, plan.passed, now)
    pass_over_what_they_had(session, course, had, now)
    _bring(session, course, source, plan, bring, now)
    session.flush()
    begin_triggers(session, course, known_triggers, now)
    return plan


def _bring(
    session: Session, course: Course, source: CourseSource, plan: Plan, bring: Bring, now: datetime
) -> None:
    """Give the steps that come too late for readers to them after all, in the order of the course."""
    past = {key: readers for key, readers in plan.past.items() if bring.past_of(key) is not Past.SKIP}
    finished = [key for key in plan.finished if key in bring.finished]
    if not past and not finished:
        return
    ids = dict(session.execute(select(Step.key, Step.id).where(Step.course_id == course.id)).all())
    for key in (step.key for step in source.steps if step.key in past):
        column = Enrollment.extras if bring.past_of(key) is Past.NEXT else Enrollment.last_extras
        session.execute(
            update(Enrollment)
            .where(among(Enrollment.id, past[key]))
            .values({column: func.array_append(column, ids[key])})
        )
    if finished:
        last_day = max(step.day for step in source.steps)
        _bring_to_finished(session, course, [ids[key] for key in finished], last_day, now)


def _bring_to_finished(
    session: Session, course: Course, step_ids: Sequence[int], last_day: int, now: datetime
) -> None:
    """Have those who finished get these steps, one a day, and nothing else that is new."""
    is_finished = (Enrollment.course_id == course.id, Enrollment.state == EnrollmentState.FINISHED)
    session.execute(update(Enrollment).where(*is_finished).values(extras=[], last_extras=[]))
    for step_id in step_ids:
        session.execute(
            update(Enrollment)
            .where(finished_without(course, step_id))
            .values(last_extras=func.array_append(Enrollment.last_extras, step_id))
        )
    session.execute(
        update(Enrollment)
        .where(*is_finished, func.cardinality(Enrollment.last_extras) > 0)
        .values(
            state=EnrollmentState.ACTIVE,
            ended_at=None,
            asked_at=None,
            next_due_at=now,
            last_day=func.greatest(Enrollment.last_day, last_day),
        )
    )


def _triggers(session: Session, slug: str) -> set[Trigger]:
    flow = session.execute(select(Course.flow).where(Course.slug == slug)).scalar_one_or_none()
    return set(read_flow(flow or {}).triggers)


def lock_readers(session: Session, slug: str) -> None:
    """Keep everybody's place as the plan finds it: the tick steps over locked rows."""
    session.execute(
        select(Enrollment.id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Course.slug == slug, Enrollment.state == EnrollmentState.ACTIVE)
        .order_by(Enrollment.id)
        .with_for_update(of=Enrollment, key_share=True)
    ).all()


def _put_course(session: Session, source: CourseSource) -> Course:
    sender = session.execute(select(Sender).where(Sender.slug == source.slug)).scalar_one_or_none()
    if sender is None:
        sender = Sender(slug=source.slug)
        session.add(sender)
    sender.name, sender.email = source.sender.name, source.sender.email
    sender.reply_to, sender.postal_address = source.sender.reply_to, source.sender.postal_address
    session.flush()
    list_ = _put_list(session, source, sender)
    course = session.execute(select(Course).where(Course.slug == source.slug)).scalar_one_or_none()
    if course is None:
        course = Course(slug=source.slug, version=0)
        session.add(course)
    for name in ("title", "subtitle", "language", "zone", "days", "consent"):
        setattr(course, name, getattr(source, name))
    course.list_id, course.sender_id = list_.id, sender.id
    course.flow = source.flow.as_values()
    session.flush()
    return course


def _put_list(session: Session, source: CourseSource, sender: Sender) -> MailingList:
    """The course's list. One that it shares keeps the sender it has: confirmations come from there."""
    list_ = add_list(session, source.list_slug, source.list_title, source.opt_in)
    if list_.sender_id is None or not other_course_on(session, source.list_slug, source.slug):
        list_.sender_id = sender.id
    return list_


def _name(source: CourseSource, step: StepSource) -> str:
    """What all versions of a step's mail are versions of, in every language."""
    return f"course/{source.slug}/{step.key}"


def _put_translations(session: Session, compiled: CompiledCourse) -> dict[str, dict[str, int]]:
    """The message of each language of each step, by key."""
    found: dict[str, dict[str, int]] = {}
    for step, message in compiled.translations:
        message_id = put_message(session, _name(compiled.source, step), message)
        found.setdefault(step.key, {})[message.language] = message_id
    return found


def _put_step(
    session: Session, course_id: int, step: StepSource, message_id: int, languages: Mapping[str, int]
) -> None:
    values = {
        "kind": step.kind,
        "day": step.day,
        "send_time": step.send_time,
        "week": step.week,
        "subject": step.subject,
        "source_digest": source_digest(step),
        "message_id": message_id,
        "timing": step.timing.as_values(),
        "condition": step.condition,
        "instead_of": step.instead_of,
        "easier_than": step.easier_than,
        "languages": dict(languages),
        "retired_at": None,
    }
    session.execute(
        insert(Step)
        .values(course_id=course_id, key=step.key, **values)
        .on_conflict_do_update(index_elements=["course_id", "key"], set_=values)
    )


def _retire(session: Session, course_id: int, keys: Sequence[str], now: datetime) -> None:
    session.execute(
        update(Step)
        .where(Step.course_id == course_id, Step.key.not_in(keys), Step.retired_at.is_(None))
        .values(retired_at=now)
    )


def _put_version(session: Session, course: Course, compiled: CompiledCourse, now: datetime) -> None:
    """Write down what is in place now; nothing of it that readers get is ever changed."""
    session.flush()
    source = compiled.source
    columns: tuple[Any, ...] = (
        *(Step.key, Step.kind, Step.day, Step.send_time, Step.week, Step.subject, Step.message_id),
        *(Step.timing, Step.condition, Step.instead_of, Step.easier_than, Step.languages),
        Step.source_digest,
    )
    steps = session.execute(
        select(*columns).where(Step.course_id == course.id, Step.retired_at.is_(None)).order_by(Step.day)
    )
    texts = {step.key: text_digests(step) for step in source.steps}
    listed = [
        {**row._mapping, "send_time": f"{row.send_time:%H:%M}", "texts": texts[row.key]} for row in steps
    ]
    manifest = {"header": header_of(source), "steps": listed}
    version = CourseVersion(course_id=course.id, number=course.version, published_at=now, manifest=manifest)
    version.files_digest = put_files(session, course.slug, compiled.files)
    session.add(version)


def go_on(session: Session, course_id: int, passed: Mapping[int, int], now: datetime) -> None:
    """Have the next tick look at everybody, past the steps that come too late for them."""
    if passed:
        table = Enrollment.__table__
        session.connection().execute(
            update(table)  # type: ignore[arg-type]
            .where(table.c.id == bindparam("enrollment"))
            .values(last_day=bindparam("day")),
            [{"enrollment": enrollment, "day": day} for enrollment, day in passed.items()],
        )
    look_anew(session, Enrollment.course_id == course_id, now)
