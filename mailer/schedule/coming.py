"""What comes next in somebody's course and when, by the tick's own decision; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.models import Enrollment, EnrollmentState
from mailer.schedule.cap import lessons_beside, read_cap, with_room
from mailer.schedule.conditions import NOT_ASKED, look
from mailer.schedule.courses import load_plan
from mailer.schedule.decide import Send, Skip, Wait, decide, past
from mailer.schedule.plan import place_of, select_places


@dataclass(frozen=True)
class Coming:
    """The next mail: `step_id` leaves at `at` (aware UTC), or at the next tick when `is_now`.

    `is_last_open`: the one before it is still on its way.
    """

    step_id: int
    at: datetime
    is_now: bool
    is_last_open: bool


def find_coming(session: Session, enrollment_id: int, now: datetime) -> Coming | None:
    """What comes next in this enrollment, as it stands now; None when nothing does."""
    row = session.execute(
        select_places().where(Enrollment.id == enrollment_id, Enrollment.state == EnrollmentState.ACTIVE)
    ).one_or_none()
    if row is None:
        return None
    plan = load_plan(session, row.course_id)
    met = look(session, plan, [row.subscriber_id], now).get(row.subscriber_id, NOT_ASKED)
    place, cap = place_of(row, plan.zone, met, plan.weeks), read_cap(session)
    if cap is not None:
        beside = lessons_beside(session, [row.subscriber_id], now, row.course_id)
        lessons = beside.get(row.subscriber_id, ())
        place = with_room(place, cap, lessons, now)
    # What is asked here is when the next one comes, not when to look again whether the last one has left.
    waiting = replace(place, is_last_open=False)
    decision = decide(waiting, plan.steps, now, plan.ways)
    while isinstance(decision, Skip):
        waiting = past(waiting, decision)
        decision = decide(waiting, plan.steps, now, plan.ways)
    match decision:
        case Send(step=step):
            return Coming(step.id, now, True, place.is_last_open)
        case Wait(until=until, step=step):
            return Coming(step.id, until, False, place.is_last_open)
    return None
