"""Enrolling: who is in which course, from asking for consent to the first lesson and to the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.addresses import normalise
from mailer.audience.lists import find_subscription
from mailer.audience.recipients import is_suppressed_for_now
from mailer.audience.suppression import LIFTED_BY_CONFIRMING, find_suppression
from mailer.clock import local_date
from mailer.errors import MailerError
from mailer.i18n import fallback_chain
from mailer.models import (
    Course,
    DeliveryKind,
    Enrollment,
    EnrollmentState,
    Message,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.decide import Wait, decide
from mailer.schedule.place import Place
from mailer.schedule.timing import Anchor

ENROLLED_AT_ONCE = 1000
"""How many people are enrolled with one statement."""


ON_LIST = (SubscriptionState.ACTIVE, SubscriptionState.PENDING)


class NotOnTheList(MailerError):
    """This person has not agreed to the course's list; add them with `steadypost subscriber add --list`."""


class NoSystemMail(MailerError):
    """The system mails are not published yet; run `steadypost db upgrade`."""


def enroll(session: Session, course: Course, subscriber: Subscriber, now: datetime) -> Enrollment:
    """Put somebody into a course: at once if they are on its list, else as soon as they confirm.

    Doing it twice changes nothing. Somebody who stopped begins again once their address is mailed and
    they are on the list again; somebody who finished, by a consent that is newer than that. Until they
    have confirmed it is as it ended: whoever asked may have been somebody else. Raises NotOnTheList.
    """
    # Locked: a confirmation at this moment would not see an enrollment that begins to wait for it.
    subscription = find_subscription(session, subscriber.id, course.list_id)
    if subscription is None or subscription.state == SubscriptionState.ENDED:
        raise NotOnTheList(subscriber.email)
    enrollment = session.execute(
        select(Enrollment)
        .where(Enrollment.course_id == course.id, Enrollment.subscriber_id == subscriber.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if enrollment is None:
        enrollment = _new_enrollment(course.id, subscriber.id, now)
        session.add(enrollment)
        session.flush()
    elif _may_begin_again(session, enrollment, subscription, subscriber, now):
        enrollment.begins_again = True
        if subscription.state == SubscriptionState.ACTIVE:
            _begin_again(enrollment)
    if enrollment.state == EnrollmentState.WAITING and subscription.state == SubscriptionState.ACTIVE:
        start(session, enrollment, subscriber, load_plan(session, course.id), now)
    session.flush()
    return enrollment


def _new_enrollment(course_id: int, subscriber_id: int, now: datetime) -> Enrollment:
    return Enrollment(
        subscriber_id=subscriber_id,
        course_id=course_id,
        state=EnrollmentState.WAITING,
        created_at=now,
        round=1,
        last_day=0,
        anchor_day=0,
    )


def _may_begin_again(
    session: Session,
    enrollment: Enrollment,
    subscription: Subscription,
    subscriber: Subscriber,
    now: datetime,
) -> bool:
    """Whether somebody who was in the course before may go through it once more."""
    if enrollment.ended_at is None:
        return False
    if enrollment.state == EnrollmentState.FINISHED and subscription.changed_at <= enrollment.ended_at:
        return False
    stopped = find_suppression(session, subscriber.email, now)
    # It ends when they confirm, which is what the course then waits for.
    return stopped is None or stopped.reason in LIFTED_BY_CONFIRMING


def _begin_again(enrollment: Enrollment) -> None:
    """An enrollment that has ended waits for consent once more; its mails are a new round."""
    enrollment.state, enrollment.reason, enrollment.ended_at = EnrollmentState.WAITING, "", None
    enrollment.begins_again = False
    enrollment.round += 1
    enrollment.last_day, enrollment.last_delivery_id = 0, None
    enrollment.asked_at = enrollment.paused_until = None
    enrollment.answers, enrollment.repeats = {}, {}
    enrollment.extras, enrollment.last_extras = [], []


def start(
    session: Session, enrollment: Enrollment, subscriber: Subscriber, plan: CoursePlan, now: datetime
) -> None:
    """Day 0: the welcome leaves at once, and day 1 is the next day in the subscriber's zone."""
    _start_all(session, [(enrollment, subscriber)], plan, now)


def _start_all(
    session: Session, people: Sequence[tuple[Enrollment, Subscriber]], plan: CoursePlan, now: datetime
) -> None:
    """`start` for many people with a few statements."""

    @cache
    def message_id(language: str) -> int:
        return system_message(session, "welcome", language)

    keys = {}
    welcomes = []
    for enrollment, subscriber in people:
        zone = subscriber.zone or plan.zone
        today = local_date(now, zone)
        # Whoever comes back keeps the pace that they chose.
        place = Place(
            zone,
            Anchor(today, 0),
            0,
            gap=enrollment.gap,
            send_time=enrollment.send_time,
            weekdays=enrollment.weekdays,
        )
        first = decide(place, plan.steps, now, plan.ways)
        enrollment.state, enrollment.begun_at = EnrollmentState.ACTIVE, now
        enrollment.anchor_date, enrollment.anchor_day = today, 0
        # Without a first step the next tick finishes the course.
        enrollment.next_due_at = first.until if isinstance(first, Wait) else now
        keys[enrollment] = outbox.dedup_key(
            DeliveryKind.WELCOME, plan.id, "welcome", subscriber.id, enrollment.round
        )
        welcomes.append(
            outbox.NewDelivery(
                dedup_key=keys[enrollment],
                kind=DeliveryKind.WELCOME,
                subscriber_id=subscriber.id,
                message_id=message_id(subscriber.language or plan.language),
                list_id=plan.list_id,
                due_at=now,
                began_at=enrollment.created_at,
                course_id=plan.id,
                enrollment_id=enrollment.id,
            )
        )
    added = outbox.write(session, welcomes, now)
    for enrollment, key in keys.items():
        enrollment.last_delivery_id = added.get(key)
    session.flush()


def start_waiting(session: Session, subscriber: Subscriber, list_id: int, now: datetime) -> list[Enrollment]:
    """Start every enrollment of this person that waited for their consent to this list."""
    waiting = session.execute(
        select(Enrollment)
        .join(Course, Course.id == Enrollment.course_id)
        .where(
            Enrollment.subscriber_id == subscriber.id,
            or_(Enrollment.state == EnrollmentState.WAITING, Enrollment.begins_again),
            Course.list_id == list_id,
        )
        .order_by(Enrollment.id)
        .with_for_update(of=Enrollment, key_share=True)
        .execution_options(populate_existing=True)
    ).scalars()
    started = list(waiting)
    for enrollment in started:
        if enrollment.begins_again:
            _begin_again(enrollment)
        start(session, enrollment, subscriber, load_plan(session, enrollment.course_id), now)
    return started


def stop(session: Session, subscriber_id: int, reason: str, now: datetime, list_id: int | None = None) -> int:
    """End this person's enrollments (of one list's courses, or all); returns how many ended."""
    courses = select(Course.id)
    if list_id is not None:
        courses = courses.where(Course.list_id == list_id)
    theirs = Enrollment.subscriber_id == subscriber_id, Enrollment.course_id.in_(courses)
    session.execute(update(Enrollment).where(*theirs, Enrollment.begins_again).values(begins_again=False))
    ended = session.execute(
        update(Enrollment)
        .where(
            *theirs,
            Enrollment.state.in_([EnrollmentState.WAITING, EnrollmentState.ACTIVE]),
        )
        .values(state=EnrollmentState.STOPPED, reason=reason, ended_at=now, next_due_at=None)
        .returning(Enrollment.id)
    )
    return len(ended.all())


def wait_until(session: Session, subscriber_id: int, until: datetime) -> None:
    """Nothing more in this person's courses before `until`; then they go on where they stand."""
    session.execute(
        update(Enrollment)
        .where(
            Enrollment.subscriber_id == subscriber_id,
            Enrollment.state == EnrollmentState.ACTIVE,
            Enrollment.next_due_at < until,
        )
        .values(next_due_at=until)
    )


def look_anew(session: Session, readers: ColumnElement[bool], now: datetime) -> None:
    """Have the next tick decide anew for these active enrollments.

    Whoever waits for their mailbox (see `wait_until`) waits on: what is planned for them could not leave.
    """
    waits = exists().where(Subscriber.id == Enrollment.subscriber_id, is_suppressed_for_now(now))
    session.execute(
        update(Enrollment)
        .where(readers, Enrollment.state == EnrollmentState.ACTIVE, ~waits)
        .values(next_due_at=now)
    )


def go_on(session: Session, email: str, now: datetime) -> None:
    """Have what comes next in the courses of this address decided anew: what they waited for is over."""
    _, key = normalise(email)
    person = select(Subscriber.id).where(Subscriber.email_key == key).scalar_subquery()
    session.execute(
        update(Enrollment)
        .where(Enrollment.subscriber_id == person, Enrollment.state == EnrollmentState.ACTIVE)
        .values(next_due_at=now)
    )


def system_message(session: Session, name: str, language: str) -> int:
    """The id of the newest version of a system mail in the nearest language; raises NoSystemMail."""
    chain = fallback_chain(language)
    rows = session.execute(
        select(Message.language, Message.id)
        .where(Message.source == f"system/{name}", Message.language.in_(chain))
        .order_by(Message.id)
    )
    newest = dict(rows.all())
    for tag in chain:
        if tag in newest:
            return newest[tag]
    raise NoSystemMail(name)


def enroll_list(session: Session, course: Course, now: datetime, limit: int | None = None) -> int:
    """Enroll everybody who is on the course's list, or has been asked, and is not in it.

    Somebody who was in it before begins again as `enroll` says. Returns how many are newly in it. Who
    wants to leave meanwhile waits for the transaction: with a long list, give a `limit` and ask again in
    a new one until it gives 0.
    """
    count = after = 0
    plan = load_plan(session, course.id)
    while group := _newcomers(session, course, after, min(ENROLLED_AT_ONCE, limit or ENROLLED_AT_ONCE)):
        count += _enroll_group(session, group, plan, now)
        after = group[-1][0].id
        if limit is not None and count >= limit:
            return count
    for subscriber, before in _former(session, course):
        count += enroll(session, course, subscriber, now).round > before
    return count


@dataclass(frozen=True)
class Enrolled:
    """How many are newly in a course, and behind which subscription to go on; None: that were all."""

    people: int
    after: int | None


def enroll_newcomers(session: Session, course: Course, now: datetime, after: int, limit: int) -> Enrolled:
    """Enroll the next `limit` people of the course's list who were never in it, in the order of their
    subscriptions' ids behind `after`; who has finished or left it stays out."""
    group = _newcomers(session, course, after, limit)
    if not group:
        return Enrolled(0, None)
    people = _enroll_group(session, group, load_plan(session, course.id), now)
    return Enrolled(people, group[-1][0].id if len(group) == limit else None)


def _newcomers(
    session: Session, course: Course, after: int, limit: int
) -> list[tuple[Subscription, Subscriber]]:
    """People of the list who were never in the course, by the ids of their subscriptions, which are locked.

    `after` is the last id of the group before.
    """
    is_known = select(Enrollment.id).where(
        Enrollment.course_id == course.id, Enrollment.subscriber_id == Subscription.subscriber_id
    )
    rows = session.execute(
        select(Subscription, Subscriber)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            Subscription.list_id == course.list_id,
            Subscription.id > after,
            Subscription.state.in_(ON_LIST),
            ~is_known.exists(),
        )
        .order_by(Subscription.id)
        .limit(limit)
        .with_for_update(of=Subscription, key_share=True)
        .execution_options(populate_existing=True)
    )
    return [(subscription, subscriber) for subscription, subscriber in rows]


def _enroll_group(
    session: Session,
    group: Sequence[tuple[Subscription, Subscriber]],
    plan: CoursePlan,
    now: datetime,
) -> int:
    """Enroll newcomers, and start those who have confirmed; returns how many."""
    values = [
        {
            "subscriber_id": subscriber.id,
            "course_id": plan.id,
            "state": EnrollmentState.WAITING,
            "created_at": now,
        }
        for _, subscriber in group
    ]
    # Somebody else may have enrolled one of them while we waited for the lock.
    added = session.scalars(
        insert(Enrollment)
        .on_conflict_do_nothing(index_elements=["subscriber_id", "course_id"])
        .returning(Enrollment),
        values,
    )
    active = {
        subscriber.id: subscriber
        for subscription, subscriber in group
        if subscription.state == SubscriptionState.ACTIVE
    }
    enrollments = list(added)
    ready = [(one, active[one.subscriber_id]) for one in enrollments if one.subscriber_id in active]
    _start_all(session, ready, plan, now)
    return len(enrollments)


def _former(session: Session, course: Course) -> list[tuple[Subscriber, int]]:
    """People of the list whose enrollment has ended, with its round."""
    rows = session.execute(
        select(Subscriber, Enrollment.round)
        .join(Enrollment, Enrollment.subscriber_id == Subscriber.id)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(
            Subscription.list_id == course.list_id,
            Subscription.state.in_(ON_LIST),
            Enrollment.course_id == course.id,
            (Enrollment.state == EnrollmentState.STOPPED)
            | (
                (Enrollment.state == EnrollmentState.FINISHED)
                & (Subscription.changed_at > Enrollment.ended_at)
            ),
        )
        .order_by(Subscription.id)
    )
    return [(subscriber, before) for subscriber, before in rows]
