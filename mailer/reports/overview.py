"""Lists, courses and people at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.models import (
    Course,
    Enrollment,
    EnrollmentState,
    MailingList,
    Sender,
    Step,
    Subscription,
    SubscriptionState,
)


@dataclass(frozen=True)
class ListRow:
    slug: str
    title: str
    opt_in: str
    active: int
    pending: int
    ended: int
    sender: str


@dataclass(frozen=True)
class CourseRow:
    slug: str
    title: str
    list: str
    version: int
    steps: int
    waiting: int
    active: int
    finished: int
    stopped: int


@dataclass(frozen=True)
class StepRow:
    key: str
    kind: str
    day: int
    send_time: time
    subject: str
    timing: dict[str, Any]
    condition: str
    instead_of: str
    easier_than: str
    languages: list[str]


def lists_overview(
    session: Session, slug: str | None = None, *, after: str = "", limit: int | None = None
) -> list[ListRow]:
    """Every list, or that of this slug, how many people are in which state of it, and its sender's slug.

    With `limit` so many at most, those after the slug `after`: only their people are counted.
    """
    of_page = (
        select(MailingList.id)
        .where(MailingList.slug > after, MailingList.removed_at.is_(None))
        .order_by(MailingList.slug)
        .limit(limit)
    )
    states = [func.count().filter(Subscription.state == state) for state in SubscriptionState]
    pending, active, ended = states
    sender = func.coalesce(Sender.slug, "")
    rows = session.execute(
        select(MailingList.slug, MailingList.title, MailingList.opt_in, active, pending, ended, sender)
        .outerjoin(Subscription, Subscription.list_id == MailingList.id)
        .outerjoin(Sender, Sender.id == MailingList.sender_id)
        .where(
            MailingList.id.in_(of_page) if slug is None else MailingList.slug == slug,
            MailingList.removed_at.is_(None),
        )
        .group_by(MailingList.id, Sender.slug)
        .order_by(MailingList.slug)
    )
    return [ListRow(*row) for row in rows]


def courses_overview(session: Session, after: str = "", limit: int | None = None) -> list[CourseRow]:
    """Every published course and how many people are in which state of it.

    With `limit` so many at most, those after the slug `after`: only their people are counted.
    """
    of_page = select(Course.id).where(Course.slug > after).order_by(Course.slug).limit(limit)
    steps = (
        select(func.count())
        .where(
            Step.course_id == Course.id,
            Step.retired_at.is_(None),
            Step.instead_of == "",
            Step.easier_than == "",
        )
        .correlate(Course)
        .scalar_subquery()
    )
    waiting, active, finished, stopped = (
        func.count(Enrollment.id).filter(Enrollment.state == state) for state in EnrollmentState
    )
    rows = session.execute(
        select(
            Course.slug,
            Course.title,
            MailingList.slug,
            Course.version,
            steps,
            waiting,
            active,
            finished,
            stopped,
        )
        .join(MailingList, MailingList.id == Course.list_id)
        .outerjoin(Enrollment, Enrollment.course_id == Course.id)
        .where(Course.id.in_(of_page))
        .group_by(Course.id, MailingList.slug)
        .order_by(Course.slug)
    )
    return [CourseRow(*row) for row in rows]


def course_steps(session: Session, course: Course) -> list[StepRow]:
    """The course's steps as they are published now, in the order of their days."""
    columns: tuple[Any, ...] = (
        *(Step.key, Step.kind, Step.day, Step.send_time, Step.subject, Step.timing),
        *(Step.condition, Step.instead_of, Step.easier_than, Step.languages),
    )
    rows = session.execute(
        select(*columns)
        .where(Step.course_id == course.id, Step.retired_at.is_(None))
        .order_by(Step.day, Step.easier_than, Step.instead_of == "", Step.key)
    )
    return [StepRow(**{**row._mapping, "languages": sorted(row.languages)}) for row in rows]
