"""What comes after a course, and what brings people into one: follow-ups and triggers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.db import impatient
from mailer.models import (
    Course,
    Enrollment,
    EnrollmentState,
    Firing,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.rules import Rule, as_sql, expand, is_about_a_day, parse
from mailer.schedule.conditions import meets
from mailer.schedule.courses import CoursePlan
from mailer.schedule.enroll import NotOnTheList, enroll
from mailer.schedule.flow import Trigger, read_flow

ENROLLED = "enrolled"
IN_IT = "was in it already"
NOT_ON_LIST = "not on its list"
AFTER = "after "
"""How a firing's trigger begins when it is that a course was finished."""
BEFORE = "met it before the trigger was published"
FAILED = "could not be enrolled; the log says why"
FAILED_AGAIN = timedelta(hours=1)
MISSED_DAYS = 31
"""How many days on which no trigger could be asked are asked for afterwards."""
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
        _bring_in(session, course, f"{AFTER}{plan.slug}", subscriber_id, now)


def pull_triggers(session: Session, now: datetime, limit: int = AT_ONCE) -> int:
    """Enroll the next people who meet a course's trigger; returns how many were looked at, 0 at the end.

    Each person once for each trigger: what fired stays written down. Who could not be enrolled is tried
    again, and who was not on the course's list once they are. A rule that cannot be asked keeps only its own
    course waiting, and a person who cannot be enrolled nobody.
    """
    courses = session.execute(
        select(Course).where(Course.flow["triggers"].astext.is_not(None)).order_by(Course.id)
    ).scalars()
    for course in courses.all():
        were_asked = True
        for trigger in read_flow(course.flow).triggers:
            try:
                with session.begin_nested():
                    people = _new_ones(session, course, trigger, now, limit)
            except Exception:
                fields = {"event": "trigger.failed", "course_id": course.id}
                log.exception("A trigger of %s cannot be asked", course.slug, extra=fields)
                were_asked = False
                continue
            for subscriber_id in people:
                _try_to_bring_in(session, course, trigger.when, subscriber_id, now)
            if people:
                return len(people)
        if were_asked and course.triggers_asked_on != _day(now):
            course.triggers_asked_on = _day(now)
    return 0


def begin_triggers(session: Session, course: Course, known: Collection[Trigger], now: datetime) -> None:
    """Have the triggers that a publication brought, beside those `known` before, begin: one that is for those
    to come notes everybody who meets it now as having met it before."""
    for trigger in set(read_flow(course.flow).triggers) - set(known):
        if trigger.is_from_now:
            _pass_by(session, course, trigger, now)
    course.triggers_asked_on = course.triggers_asked_on or _day(now)


def _pass_by(session: Session, course: Course, trigger: Trigger, now: datetime) -> None:
    rule = expand(session, parse(trigger.when, course.slug))
    columns: Any = (literal(course.id), literal(trigger.when), Subscriber.id, literal(now), literal(BEFORE))
    met = select(*columns).where(as_sql(rule, now))
    names = ["course_id", "trigger", "subscriber_id", "at", "result"]
    session.execute(insert(Firing).from_select(names, met).on_conflict_do_nothing())


def _new_ones(session: Session, course: Course, trigger: Trigger, now: datetime, limit: int) -> list[int]:
    rule = expand(session, parse(trigger.when, course.slug))
    is_on_list = exists().where(
        Subscription.list_id == course.list_id,
        Subscription.subscriber_id == Subscriber.id,
        Subscription.state != SubscriptionState.ENDED,
    )
    fired = exists().where(
        Firing.course_id == course.id,
        Firing.trigger == trigger.when,
        Firing.subscriber_id == Subscriber.id,
        or_(Firing.result != NOT_ON_LIST, ~is_on_list),
        or_(Firing.result != FAILED, Firing.at > now - FAILED_AGAIN),
    )
    met = or_(*(as_sql(rule, moment) for moment in _moments(course, rule, now)))
    chosen = select(Subscriber.id).where(met, ~fired).order_by(Subscriber.id).limit(limit)
    return list(session.execute(chosen).scalars())


def _moments(course: Course, rule: Rule, now: datetime) -> list[datetime]:
    """When a rule is to be asked: now, and for one on a date that comes also as of the days since it was
    asked last. Of one with a `not` nobody can tell which days it is about."""
    last = course.triggers_asked_on
    if last is None or last >= _day(now) or not is_about_a_day(rule):
        return [now]
    missed = min((_day(now) - last).days, MISSED_DAYS)
    return [now - timedelta(days=days) for days in range(missed + 1)]


def _day(now: datetime) -> date:
    return now.astimezone(UTC).date()


def trigger_words(trigger: str) -> str:
    """A firing's trigger, as `why` says it."""
    return trigger if trigger.startswith(AFTER) else f"trigger {trigger}"


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
        _fire(session, values, FAILED)


def _bring_in(session: Session, course: Course, trigger: str, subscriber_id: int, now: datetime) -> None:
    values = {"course_id": course.id, "trigger": trigger, "subscriber_id": subscriber_id, "at": now}
    if not _fire(session, values, ENROLLED):
        return
    result = _enroll(session, course, subscriber_id, now)
    if result != ENROLLED:
        fired = session.get_one(Firing, (course.id, trigger, subscriber_id), populate_existing=True)
        fired.result = result


def _fire(session: Session, values: Mapping[str, Any], result: str) -> bool:
    """Write down that a trigger met somebody, unless it did before and came to an end."""
    again = {"at": values["at"], "result": result}
    return bool(
        session.execute(
            insert(Firing)
            .values(**values, result=result)
            .on_conflict_do_update(
                index_elements=["course_id", "trigger", "subscriber_id"],
                set_=again,
                where=Firing.result.in_([NOT_ON_LIST, FAILED]),
            )
            .returning(Firing.subscriber_id)
            .execution_options(populate_existing=True)
        ).one_or_none()
    )


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
