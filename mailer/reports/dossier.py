"""One person as those who work here see them: lists with evidence, courses, and their story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import subscriber_of
from mailer.audience.suppression import find_suppression
from mailer.errors import NotFound
from mailer.models import (
    Consent,
    Course,
    Enrollment,
    EnrollmentState,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
)
from mailer.reports.pace import PacePage, pace_of
from mailer.reports.progress import Journey, journey
from mailer.reports.why import Decision, why


@dataclass(frozen=True)
class OnList:
    """How somebody is on a list since when, with every consent to it, the oldest first.

    `is_deleted`: the list is no more, and has no page.
    """

    subscription_id: int
    slug: str
    title: str
    state: str
    since: datetime
    is_deleted: bool
    consents: tuple[Consent, ...]

    @property
    def is_on(self) -> bool:
        """Whether they are on it, or were asked."""
        return self.state != SubscriptionState.ENDED


@dataclass(frozen=True)
class InCourse:
    """How somebody stands in a course of `days` days; `is_over` says that nothing of it comes any more."""

    enrollment_id: int
    slug: str
    title: str
    state: str
    last_day: int
    days: int
    next_at: datetime | None
    paused_until: str
    reason: str
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether they could begin again."""
        return self.state in (EnrollmentState.FINISHED, EnrollmentState.STOPPED)


@dataclass(frozen=True)
class Dossier:
    """All of somebody's page. `story` has the newest first; `untold` is how much of it was left out.

    `joinable` are lists and `enrollable` courses that they are not on or in, each as (slug, title).
    """

    person: Subscriber
    stopped: Suppression | None
    lists: tuple[OnList, ...]
    courses: tuple[InCourse, ...]
    story: tuple[Decision, ...]
    untold: int
    joinable: tuple[tuple[str, str], ...]
    enrollable: tuple[tuple[str, str], ...]


def dossier(session: Session, subscriber_id: int, now: datetime, most: int | None) -> Dossier:
    """The page of the subscriber of this id, with `most` moments of their story; raises UnknownPerson."""
    person = subscriber_of(session, subscriber_id)
    lists = _lists(session, person.id)
    courses = _courses(session, person.id)
    story = why(session, person.email).decisions[::-1]
    told = story if most is None else story[:most]
    return Dossier(
        person=person,
        stopped=find_suppression(session, person.email, now),
        lists=lists,
        courses=courses,
        story=told,
        untold=len(story) - len(told),
        joinable=_joinable(session, lists),
        enrollable=_enrollable(session, lists, courses),
    )


@dataclass(frozen=True)
class Reading:
    """One person's way through one course: its pace and how far they are."""

    person: Subscriber
    pace: PacePage
    journey: Journey


def reading(session: Session, subscriber_id: int, enrollment_id: int, now: datetime) -> Reading:
    """How somebody goes through a course; raises UnknownPerson or NotFound."""
    person = subscriber_of(session, subscriber_id)
    enrollment = session.get(Enrollment, enrollment_id)
    if enrollment is None or enrollment.subscriber_id != subscriber_id:
        raise NotFound("This person is in no such course.")
    return Reading(person, pace_of(session, enrollment_id, now), journey(session, enrollment_id, now))


def _lists(session: Session, subscriber_id: int) -> tuple[OnList, ...]:
    evidence: dict[int, list[Consent]] = {}
    for consent in session.scalars(
        select(Consent)
        .join(Subscription, Subscription.id == Consent.subscription_id)
        .where(Subscription.subscriber_id == subscriber_id)
        .order_by(Consent.at, Consent.id)
    ):
        evidence.setdefault(consent.subscription_id, []).append(consent)
    rows = session.execute(
        select(
            *(Subscription.id, MailingList.slug, MailingList.title),
            *(Subscription.state, Subscription.changed_at, MailingList.removed_at.is_not(None)),
        )
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == subscriber_id)
        .order_by(MailingList.title)
    )
    return tuple(OnList(*row, tuple(evidence.get(row[0], ()))) for row in rows)


def _courses(session: Session, subscriber_id: int) -> tuple[InCourse, ...]:
    rows = session.execute(
        select(Enrollment, Course.slug, Course.title, Course.days)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == subscriber_id)
        .order_by(Course.title)
    )
    return tuple(
        InCourse(
            enrollment_id=one.id,
            slug=slug,
            title=title,
            state=one.state,
            last_day=one.last_day,
            days=days,
            next_at=one.next_due_at,
            paused_until=f"{one.paused_until:%d %b %Y}" if one.paused_until else "",
            reason=one.reason,
            ended_at=one.ended_at,
        )
        for one, slug, title, days in rows
    )


def _joinable(session: Session, lists: tuple[OnList, ...]) -> tuple[tuple[str, str], ...]:
    mine = [one.slug for one in lists if one.is_on]
    rows = session.execute(
        select(MailingList.slug, MailingList.title)
        .where(MailingList.slug.not_in(mine), MailingList.removed_at.is_(None))
        .order_by(MailingList.title)
    )
    return tuple((slug, title) for slug, title in rows)


def _enrollable(
    session: Session, lists: tuple[OnList, ...], courses: tuple[InCourse, ...]
) -> tuple[tuple[str, str], ...]:
    """The courses of the lists that they are on, but those they go through now."""
    mine = [one.slug for one in lists if one.is_on]
    running = [one.slug for one in courses if not one.is_over]
    rows = session.execute(
        select(Course.slug, Course.title)
        .join(MailingList, MailingList.id == Course.list_id)
        .where(MailingList.slug.in_(mine), Course.slug.not_in(running))
        .order_by(Course.title)
    )
    return tuple((slug, title) for slug, title in rows)
