"""What was found wrong, remembered from look to look: told when it lasts, and over when it stays away.

Looked at by the beat, and by the web application too: whether there are workers is not for workers to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from mailer.alarms.sample import take_sample
from mailer.db import business_now, clock_now
from mailer.models import Alarm, AlarmChannel, AlarmNote, NoteKind
from mailer.reports.board import board
from mailer.reports.findings import Finding, FindingKind
from mailer.reports.history import last_hour

LASTS = timedelta(minutes=1)
"""Something that is over by the second look is nobody's trouble."""

LASTS_LONGER = {
    FindingKind.TRANSPORT_OUT: timedelta(minutes=3),
    FindingKind.BROKER_AWAY: timedelta(minutes=2),
}
"""What mends itself more often than not: a server that restarts."""

STAYS_AWAY = timedelta(minutes=5)
"""What comes and goes within this is one alarm."""

KEPT = timedelta(days=92)
LOCK = 0x5354_4541_4459
"""The advisory lock of whoever looks."""


def watch(session: Session, depths: Mapping[str, int | None]) -> int:
    """One look: the sample of the last minute, and what is wrong; how many alarms are open.

    `depths` as for the board. Two who look at once are one.
    """
    if not session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return 0
    now = business_now(session)
    found = board(session, now, depths, last_hour(session, now))
    take_sample(session, found.status)
    return note_findings(session, found.found)


def note_findings(session: Session, found: Sequence[Finding]) -> int:
    """Remember what was found, open what lasts and resolve what stays away; how many are open."""
    clock = clock_now(session)
    known = {
        (alarm.kind, alarm.target): alarm
        for alarm in session.scalars(select(Alarm).where(Alarm.resolved_at.is_(None)))
    }
    for one in found:
        alarm = known.pop((one.kind, one.target), None)
        if alarm is None:
            alarm = Alarm(kind=one.kind, target=one.target, words=one.words, seen_at=clock)
            session.add(alarm)
        alarm.words, alarm.transport_id, alarm.missing_since = one.words, one.transport_id, None
        if alarm.opened_at is None and clock - alarm.seen_at >= LASTS_LONGER.get(one.kind, LASTS):
            alarm.opened_at = clock
            session.flush()
            _tell_all(session, alarm, clock)
    for alarm in known.values():
        _miss(session, alarm, clock)
    session.execute(delete(Alarm).where(Alarm.resolved_at < clock - KEPT))
    session.flush()
    is_open = Alarm.opened_at.is_not(None), Alarm.resolved_at.is_(None)
    return session.scalar(select(func.count()).select_from(Alarm).where(*is_open)) or 0


def _miss(session: Session, alarm: Alarm, clock: datetime) -> None:
    """It was not found this time."""
    if alarm.opened_at is None:
        session.delete(alarm)
    elif alarm.missing_since is None:
        alarm.missing_since = clock
    elif clock - alarm.missing_since >= STAYS_AWAY:
        alarm.resolved_at = clock
        _tell_resolved(session, alarm, clock)


def _tell_all(session: Session, alarm: Alarm, clock: datetime) -> None:
    for channel_id in session.scalars(select(AlarmChannel.id)):
        session.add(_note(channel_id, alarm.id, NoteKind.OPENED, clock))


def _tell_resolved(session: Session, alarm: Alarm, clock: datetime) -> None:
    """Whoever was told of it, or may have been, hears that it is over; nobody else hears of it at all."""
    notes = session.scalars(
        select(AlarmNote)
        .where(AlarmNote.alarm_id == alarm.id, AlarmNote.what == NoteKind.OPENED)
        .with_for_update()
    ).all()
    for note in notes:
        if note.told_at is None:
            note.next_try_at = None
        if note.tries:
            session.add(_note(note.channel_id, alarm.id, NoteKind.RESOLVED, clock))


def _note(channel_id: int, alarm_id: int | None, what: NoteKind, clock: datetime) -> AlarmNote:
    return AlarmNote(channel_id=channel_id, alarm_id=alarm_id, what=what, made_at=clock, next_try_at=clock)
