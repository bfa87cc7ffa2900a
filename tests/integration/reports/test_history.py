"""History: a sample of each lane for each minute, folded into hours, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text

from mailer.alarms.sample import take_sample
from mailer.db import Sessions, session_scope
from mailer.models import LaneSample, Move
from mailer.queue import QUEUES
from mailer.reports.history import last_hour, last_hours, last_weeks
from mailer.reports.queues import queue_status

DEPTHS = dict.fromkeys(QUEUES, 0)


def moves(sessions: Sessions, ago: timedelta, new: str, mails: int, lane: str = "course") -> None:
    """So many mails went from planned into a state, so long ago."""
    with session_scope(sessions) as session:
        clock = session.execute(select(func.clock_timestamp())).scalar_one()
        session.add(
            Move(
                at=clock - ago,
                lane=lane,
                source="course:1",
                kind="step",
                transport_id=1,
                old_state="planned",
                new_state=new,
                mails=mails,
                is_folded=True,
            )
        )


def sample(sessions: Sessions) -> bool:
    with session_scope(sessions) as session:
        return take_sample(session, queue_status(session, datetime.now(UTC), DEPTHS))


def put_sample(sessions: Sessions, span: str, at: datetime, sent: int, waiting: int) -> None:
    with session_scope(sessions) as session:
        session.add(
            LaneSample(
                span=span,
                at=at,
                lane="course",
                sent=sent,
                put_off=1,
                refused=0,
                waiting=waiting,
                set_aside=0,
                oldest=0.0,
            )
        )


def clock_of(sessions: Sessions) -> datetime:
    with session_scope(sessions) as session:
        now: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return now.astimezone(UTC)


def test_a_minute_is_written_once_with_what_left_in_it(sessions: Sessions) -> None:
    minute = (clock_of(sessions) - timedelta(seconds=10)).replace(second=0, microsecond=0) - timedelta(
        minutes=1
    )
    ago = clock_of(sessions) - minute - timedelta(seconds=30)
    moves(sessions, ago, "accepted", 40)
    moves(sessions, ago, "planned", 7)
    moves(sessions, ago, "bounced", 2)
    moves(sessions, ago + timedelta(minutes=5), "accepted", 1000)  # another minute's
    assert sample(sessions)
    sample(sessions)
    with session_scope(sessions) as session:
        rows = session.scalars(select(LaneSample).where(LaneSample.at == minute)).all()
        assert len(rows) == 3
        course = next(row for row in rows if row.lane == "course")
        assert (course.sent, course.put_off, course.refused) == (40, 7, 2)
        hour = last_hour(session, datetime.now(UTC))
        assert (hour.sent, hour.put_off, hour.refused) == (40, 7, 2)


def test_hours_are_folded_and_what_is_old_is_forgotten(sessions: Sessions) -> None:
    hour = clock_of(sessions).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    put_sample(sessions, "minute", hour, 60, 5)
    put_sample(sessions, "minute", hour + timedelta(minutes=30), 30, 9)
    put_sample(sessions, "minute", hour - timedelta(days=3), 1, 1)
    put_sample(sessions, "hour", hour - timedelta(days=93), 1, 1)
    assert sample(sessions)
    with session_scope(sessions) as session:
        hours = session.scalars(select(LaneSample).where(LaneSample.span == "hour")).all()
        # 60 + 30 mails left in it; the most that waited were 9.
        assert [(row.at, row.sent, row.waiting, row.put_off) for row in hours] == [(hour, 90, 9, 2)]
        oldest = session.scalar(select(func.min(LaneSample.at)).where(LaneSample.span == "minute"))
        assert oldest == hour


def test_charts_tell_mails_a_minute_and_leave_out_what_nobody_looked_at(sessions: Sessions) -> None:
    now = clock_of(sessions).replace(second=0, microsecond=0)
    put_sample(sessions, "minute", now - timedelta(minutes=30), 60, 5)
    put_sample(sessions, "hour", now.replace(minute=0) - timedelta(days=2), 600, 5)
    with session_scope(sessions) as session:
        (moment,) = last_hours(session)
        assert moment.sent == {"course": 60.0}
        (day,) = last_weeks(session)
        # 600 in an hour are ten a minute.
        assert day.sent == {"course": 10.0}
        assert day.put_off == 1
