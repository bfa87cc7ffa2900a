"""What comes after a course, and what brings people into one: follow-ups and triggers."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.db import impatient
from mailer.models import Course, Enrollment, EnrollmentState, Firing, Subscriber
from mailer.rules import as_sql, expand, parse
from mailer.schedule.conditions import meets
from mailer.schedule.courses import CoursePlan
from mailer.schedule.enroll import NotOnTheList, enroll
from mailer.schedule.flow import Trigger, read_flow

ENROLLED = "enrolled"
IN_IT = "was in it already"
NOT_ON_LIST = "not on its list"
BEFORE = "met it before the trigger was published"
FAILED = "could not be enrolled; the log says why"
AT_ONCE = 1000
AGAIN = timedelta(minutes=5)
PATIENCE = "100ms"
"""The tick has readers' places locked, and whoever leaves locks their subscriptions first: neither may wait
long for the other, least of all somebody who leaves."""

log = logging.getLogger(__name__)


def follow(session: Session, plan: CoursePlan, enrollment_id: int, subscriber_id: int, now: datetime) -> bool:
    """Enroll somebody who has finished `plan` in the courses that follow it, once for each.

    Who has not agreed to the other course's list is not enrolled; that is noted, and `why` tells it. Where
    it cannot be done now (False), their course finishes once more a little later, and nobody else waits.
    """
    if not plan.flow.then:
        return True
    try:
        with impatient(session, PATIENCE):
            _follow(session, plan, subscriber_id, now)
    except Exception:
        fields = {"event": "course.not_followed", "enrollment_id": enrollment_id}
        log.exception(
            "What follows %s cannot begin for enrollment %s", plan.slug, enrollment_id, extra=fields
        )
        again = {"state": EnrollmentState.ACTIVE, "ended_at": None, "next_due_at": now + AGAIN}
        session.execute(update(Enrollment).where(Enrollment.id == enrollment_id).values(again))
        return False
    return True


def _follow(session: Session, plan: CoursePlan, subscriber_id: int, now: datetime) -> None:
    for one in plan.flow.then:
        course = session.execute(select(Course).where(Course.slug == one.course)).scalar_one_or_none()
        if course is None or not meets(session, one.when, plan.slug, subscriber_id, now):
            continue
        _bring_in(session, course, f"after {plan.slug}", subscriber_id, now)


def pull_triggers(session: Session, now: datetime, limit: int = AT_ONCE) -> int:
    """Enroll the next people who meet a course's trigger; returns how many were looked at, 0 at the end.

    Each person once for each trigger, whatever became of it: what fired stays written down. A rule that
    cannot be asked keeps only its own course waiting, and a person who cannot be enrolled nobody.
    """
    courses = session.execute(
        select(Course).where(Course.flow["triggers"].astext.is_not(None)).order_by(Course.id)
    ).scalars()
    for course in courses.all():
        for trigger in read_flow(course.flow).triggers:
            try:
                with session.begin_nested():
                    people = _new_ones(session, course, trigger, now, limit)
            except Exception:
                fields = {"event": "trigger.failed", "course_id": course.id}
                log.exception("A trigger of %s cannot be asked", course.slug, extra=fields)
                continue
            for subscriber_id in people:
                _try_to_bring_in(session, course, trigger.when, subscriber_id, now)
            if people:
                return len(people)
    return 0


def begin_triggers(session: Session, course: Course, known: Collection[Trigger], now: datetime) -> None:
    """Have the triggers that a publication brought, beside those `known` before, begin: one that is for those
    to come notes everybody who meets it now as having met it before."""
    for trigger in set(read_flow(course.flow).triggers) - set(known):
        if trigger.is_from_now:
            _pass_by(session, course, trigger, now)


def _pass_by(session: Session, course: Course, trigger: Trigger, now: datetime) -> None:
    rule = expand(session, parse(trigger.when, course.slug))
    columns: Any = (literal(course.id), literal(trigger.when), Subscriber.id, literal(now), literal(BEFORE))
    met = select(*columns).where(as_sql(rule, now))
    names = ["course_id", "trigger", "subscriber_id", "at", "result"]
    session.execute(insert(Firing).from_select(names, met).on_conflict_do_nothing())


def _new_ones(session: Session, course: Course, trigger: Trigger, now: datetime, limit: int) -> list[int]:
    rule = expand(session, parse(trigger.when, course.slug))
    fired = exists().where(
        Firing.course_id == course.id,
        Firing.trigger == trigger.when,
        Firing.subscriber_id == Subscriber.id,
    )
    chosen = select(Subscriber.id).where(as_sql(rule, now), ~fired).order_by(Subscriber.id).limit(limit)
    return list(session.execute(chosen).scalars())


def _try_to_bring_in(
    session: Session, course: Course, trigger: str, subscriber_id: int, now: datetime
) -> None:
    try:
        with session.begin_nested():
            _bring_in(session, course, trigger, subscriber_id, now)
    except OperationalError:
        raise  # the database's own troubles pass
    except Exception:
        fields = {"event": "trigger.failed", "course_id": course.id, "subscriber_id": subscriber_id}
        log.exception("Somebody cannot be enrolled in %s", course.slug, extra=fields)
        # Else the same people would be the next ones for ever.
        values = {"course_id": course.id, "trigger": trigger, "subscriber_id": subscriber_id, "at": now}
        session.execute(insert(Firing).values(**values, result=FAILED).on_conflict_do_nothing())


def _bring_in(session: Session, course: Course, trigger: str, subscriber_id: int, now: datetime) -> None:
    values = {"course_id": course.id, "trigger": trigger, "subscriber_id": subscriber_id, "at": now}
    is_new = session.execute(
        insert(Firing)
        .values(**values, result=ENROLLED)
        .on_conflict_do_nothing()
        .returning(Firing.subscriber_id)
    ).one_or_none()
    if is_new is None:
        return
    result = _enroll(session, course, subscriber_id, now)
    if result != ENROLLED:
        fired = session.get_one(Firing, (course.id, trigger, subscriber_id))
        fired.result = result


def _enroll(session: Session, course: Course, subscriber_id: int, now: datetime) -> str:
    has_been = session.execute(
        select(Enrollment.state).where(
            Enrollment.course_id == course.id, Enrollment.subscriber_id == subscriber_id
        )
    ).scalar_one_or_none()
    # Who has left it, or finished it, is not brought back by a rule.
    if has_been is not None and has_been != EnrollmentState.WAITING:
        return IN_IT
    try:
        enroll(session, course, session.get_one(Subscriber, subscriber_id), now)
    except NotOnTheList:
        return NOT_ON_LIST
    return ENROLLED
