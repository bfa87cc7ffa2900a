"""How sending went over time, from the samples that the watch leaves (alarms/sample.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.db import clock_now, written_out
from mailer.models import LaneSample, Span, Suppression, SuppressionReason
from mailer.reports.findings import LastHour

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Moment:
    """All lanes at one point of a chart; what a lane lacks was not looked at. `sent` are mails a minute."""

    at: datetime
    sent: dict[str, float]
    waiting: dict[str, int]
    oldest: dict[str, float]
    put_off: int
    refused: int


def last_hours(session: Session, hours: int = 3, points: int = 60) -> list[Moment]:
    """The last hours from the samples of minutes, in so many points."""
    step = max(1, hours * 60 // points)
    return _moments(session, Span.MINUTE, timedelta(hours=hours), step * MINUTE)


def last_weeks(session: Session, weeks: int = 4) -> list[Moment]:
    """The last weeks from the samples of hours, six hours a point."""
    return _moments(session, Span.HOUR, timedelta(weeks=weeks), 6 * HOUR)


def _moments(session: Session, span: Span, length: timedelta, step: timedelta) -> list[Moment]:
    clock = clock_now(session)
    point = func.date_bin(step, LaneSample.at, text("timestamptz 'epoch'")).label("point")
    rows = session.execute(
        select(
            *(point, LaneSample.lane),
            func.sum(LaneSample.sent).label("sent"),
            func.count().label("samples"),
            func.max(LaneSample.waiting).label("waiting"),
            func.max(LaneSample.oldest).label("oldest"),
            func.sum(LaneSample.put_off).label("put_off"),
            func.sum(LaneSample.refused).label("refused"),
        )
        .where(LaneSample.span == span, LaneSample.at >= clock - length)
        .group_by(point, LaneSample.lane)
        .order_by(point)
    ).all()
    minutes = 1 if span is Span.MINUTE else 60
    found: dict[datetime, Moment] = {}
    for row in rows:
        moment = found.setdefault(row.point, Moment(row.point, {}, {}, {}, 0, 0))
        moment.sent[row.lane] = round(float(row.sent) / (row.samples * minutes), 2)
        moment.waiting[row.lane] = int(row.waiting)
        moment.oldest[row.lane] = float(row.oldest)
        found[row.point] = Moment(
            *(moment.at, moment.sent, moment.waiting, moment.oldest),
            *(moment.put_off + int(row.put_off), moment.refused + int(row.refused)),
        )
    return list(found.values())


def last_hour(session: Session, now: datetime) -> LastHour:
    """What came of the mails of the last hour by the samples, and the complaints of a day until `now`."""
    clock = clock_now(session)
    tried = session.execute(
        select(
            func.coalesce(func.sum(LaneSample.sent), 0).label("sent"),
            func.coalesce(func.sum(LaneSample.put_off), 0).label("put_off"),
            func.coalesce(func.sum(LaneSample.refused), 0).label("refused"),
        ).where(LaneSample.span == Span.MINUTE, LaneSample.at >= clock - HOUR)
    ).one()
    in_a_day = session.scalar(
        select(func.coalesce(func.sum(LaneSample.sent), 0)).where(
            LaneSample.span == Span.MINUTE, LaneSample.at >= clock - 24 * HOUR
        )
    )
    complaints = session.scalar(
        select(func.count()).where(
            Suppression.reason == written_out(SuppressionReason.COMPLAINT), Suppression.at > now - 24 * HOUR
        )
    )
    return LastHour(
        *(int(tried.sent), int(tried.put_off), int(tried.refused)), int(in_a_day or 0), complaints or 0
    )
