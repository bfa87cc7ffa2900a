"""When the rest of somebody's course comes, by the tick's own decisions, if nothing is said or changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from mailer.clock import instant_of, local_date
from mailer.errors import MailerError
from mailer.models import Enrollment
from mailer.schedule.cap import lessons_beside, read_cap
from mailer.schedule.conditions import NOT_ASKED, look
from mailer.schedule.courses import load_plan
from mailer.schedule.plan import IS_ACTIVE, place_of, select_places
from mailer.schedule.simulate import Mail, Reading, live_together
from mailer.schedule.stopped import stopped_courses

FARTHEST = timedelta(days=4000)
"""Longer than any course takes; a page must end."""


def dates_of(session: Session, enrollment: Enrollment, now: datetime) -> Iterator[Mail]:
    """What is to come of this active enrollment. Raises BadRule where a rule of it cannot be asked.

    Under a cap their other courses are lived through beside it, for they make room for each other, unless
    these are stopped.
    """
    who, cap = enrollment.subscriber_id, read_cap(session)
    columns = (Enrollment.next_due_at, Enrollment.paused_until)
    chosen = select_places().add_columns(*columns).where(Enrollment.subscriber_id == who, IS_ACTIVE)
    if cap is None:
        chosen = chosen.where(Enrollment.id == enrollment.id)
    rows = session.execute(chosen.order_by(Enrollment.next_due_at, Enrollment.id)).all()
    stopped = stopped_courses(session) if cap is not None else frozenset()
    readings: dict[int, Reading] = {}
    for row in rows:
        if row.course_id in stopped and enrollment.course_id not in stopped:
            continue
        try:
            readings[row.id] = _reading(session, row, now)
        except MailerError:
            # The others of their courses whose rules cannot be asked wait.
            if row.id == enrollment.id:
                raise
    beside = lessons_beside(session, [who], now, enrollment.course_id) if cap is not None else {}
    until = readings[enrollment.id].start + FARTHEST
    own = list(readings).index(enrollment.id)
    together = live_together(list(readings.values()), until, cap=cap, lessons=beside.get(who, ()))
    return (mail for at, mail in together if at == own)


def _reading(session: Session, row: Any, now: datetime) -> Reading:
    plan = load_plan(session, row.course_id)
    met = look(session, plan, [row.subscriber_id], now).get(row.subscriber_id, NOT_ASKED)
    place = place_of(row, plan.zone, met, plan.weeks)
    starts_at = max(now, row.next_due_at or now)
    if row.paused_until is not None:
        starts_at = max(starts_at, instant_of(row.paused_until, time.min, place.zone))
    if place.is_last_open:
        # It is on its way: today is its day.
        place = replace(place, is_last_open=False, last_left_on=local_date(now, place.zone))
    return Reading(plan, place, starts_at, meets=lambda *_: met)
