"""Rounds: who goes back or starts over gets what follows anew, under a number that their mails carry."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Integer, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from mailer.db import among
from mailer.models import CourseVersion, Delivery, Enrollment, PaceChange, Step
from mailer.schedule.pace_case import What

_BEGAN = func.coalesce(PaceChange.after["undone"], PaceChange.after)
_TO_ROUND, _BEHIND = cast(_BEGAN["round"], Integer), cast(_BEGAN["last_day"], Integer)
_FROM_ROUND = cast(PaceChange.before["round"], Integer)
_WENT_BACK: ColumnElement[bool] = or_(
    and_(PaceChange.what == What.REPEAT, PaceChange.undone_at.is_(None)),
    PaceChange.after.has_key("undone"),
)


def round_of(delivery: type[Delivery]) -> ColumnElement[int]:
    """The round that a delivery belongs to: the dedup key's last word."""
    return cast(func.split_part(delivery.dedup_key, ":", 5), Integer)


def is_this_round(delivery: type[Delivery]) -> ColumnElement[bool]:
    """Whether a delivery belongs to the round that its enrollment is in."""
    return round_of(delivery) == Enrollment.round


def is_since_it_began(enrollment: Enrollment) -> ColumnElement[bool]:
    """Whether a delivery is of this enrollment, and was due since its course began, or began anew."""
    is_its = and_(Delivery.subscriber_id == enrollment.subscriber_id, Delivery.enrollment_id == enrollment.id)
    return is_its if enrollment.begun_at is None else and_(is_its, Delivery.due_at >= enrollment.begun_at)


def is_still_had() -> ColumnElement[bool]:
    """Whether a mail of an earlier round still counts: none of the rounds since began before its step's day.

    A round that a reader began by going back, or by undoing that, began behind a day that is written down;
    every other one begins at the first step.
    """
    harmless = (
        select(func.coalesce(func.sum(_TO_ROUND - _FROM_ROUND), 0))
        .where(
            PaceChange.enrollment_id == Enrollment.id,
            _WENT_BACK,
            round_of(Delivery) <= _FROM_ROUND,
            Enrollment.round >= _TO_ROUND,
            Step.day <= _BEHIND,
        )
        .correlate(Enrollment, Step, Delivery)
        .scalar_subquery()
    )
    return harmless == Enrollment.round - round_of(Delivery)


@dataclass(frozen=True)
class GoneBack:
    """One time that a reader's rounds went on at `at`: all up to the day `behind` counts as had."""

    from_round: int
    to_round: int
    behind: int
    at: datetime


def read_gone_back(session: Session, enrollment_ids: Collection[int]) -> dict[int, list[GoneBack]]:
    """When and how far each of these readers went back; who started over instead is not in it."""
    rows = session.execute(
        select(
            PaceChange.enrollment_id,
            *(_FROM_ROUND.label("from_round"), _TO_ROUND.label("to_round"), _BEHIND.label("behind")),
            func.coalesce(PaceChange.undone_at, PaceChange.at).label("at"),
        ).where(among(PaceChange.enrollment_id, enrollment_ids), _WENT_BACK)
    )
    found: dict[int, list[GoneBack]] = {}
    for row in rows:
        found.setdefault(row.enrollment_id, []).append(
            GoneBack(row.from_round, row.to_round, row.behind, row.at)
        )
    return found


@dataclass(frozen=True)
class Days:
    """On which day a step was when, by the versions of its course: (published at, day), the oldest first."""

    known: Sequence[tuple[datetime, int]]

    def at(self, moment: datetime) -> int | None:
        """Its day at `moment`; None before it was there. While it was retired: the one it had last."""
        number = bisect_right(self.known, moment, key=lambda one: one[0])
        return self.known[number - 1][1] if number else None


def read_days(session: Session, course_id: int) -> dict[str, Days]:
    """The days of each step that the course ever had, by key."""
    versions = session.execute(
        select(CourseVersion.published_at, CourseVersion.manifest)
        .where(CourseVersion.course_id == course_id)
        .order_by(CourseVersion.number)
    )
    known: dict[str, list[tuple[datetime, int]]] = {}
    for published_at, manifest in versions:
        for step in manifest["steps"]:
            days = known.setdefault(step["key"], [])
            if not days or days[-1][1] != step["day"]:
                days.append((published_at, step["day"]))
    return {key: Days(days) for key, days in known.items()}


def is_behind(days: Days, of_round: int, now_round: int, gone_back: Sequence[GoneBack]) -> bool:
    """Whether a mail of an earlier round still counts as had, wherever its step was moved to since.

    It does unless the reader went back to before the day on which the step was at that moment.
    """
    harmless = 0
    for one in gone_back:
        day = days.at(one.at)
        if of_round <= one.from_round and one.to_round <= now_round and day is not None and day <= one.behind:
            harmless += one.to_round - one.from_round
    return harmless == now_round - of_round
