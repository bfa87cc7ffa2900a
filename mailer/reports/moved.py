"""Which lessons of one person a cap has moved, or is moving, and to which day: worked out anew, for `why`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.models import Course, Delivery, DeliveryKind, DeliveryState, Enrollment, Subscriber
from mailer.schedule.cap import Limited, looking_back, read_cap
from mailer.schedule.conditions import NOT_ASKED
from mailer.schedule.courses import load_plan
from mailer.schedule.decide import Wait, decide
from mailer.schedule.plan import IS_ACTIVE, place_of, select_places

BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)
"""Asked then, a decision says when the next lesson belongs, however late it is."""
LESSONS = (DeliveryKind.STEP, DeliveryKind.REPEAT)


@dataclass(frozen=True)
class Moved:
    """A lesson that was to leave at `own_at`; `to` is the first day with room, as the cap is now."""

    own_at: datetime
    step: str
    to: date
    cap: str

    def __str__(self) -> str:
        return f"moved to {self.to:%Y-%m-%d}, the first day with room: {self.cap}"


def lessons_moved(
    session: Session, who: Subscriber, mails: Sequence[tuple[Delivery, str]]
) -> Iterator[Moved]:
    """Of these mails (with their steps' keys) and of the next ones to come those that the cap moved.

    It is the cap as it is now that is asked: what it was before is not kept.
    """
    cap = read_cap(session)
    if cap is None:
        return
    limited = looking_back(session, cap, [who.id]).get(who.id)
    if limited is None:
        return
    zones = dict(session.execute(select(Course.id, Course.zone)).all())
    for mail, key in mails:
        if mail.kind not in LESSONS or mail.state == DeliveryState.SKIPPED:
            continue
        if mail.course_id is None or mail.enrollment_id is None:
            continue
        zone = who.zone or zones[mail.course_id]
        day, came = local_date(mail.due_at, zone), local_date(mail.settled_at or mail.next_attempt_at, zone)
        # What is late for another reason had room on its own day.
        if day < came and limited.is_full(zone, day, mail.due_at, mail.enrollment_id):
            yield Moved(mail.due_at, key, came, str(cap))
    yield from _to_come(session, who, limited)


def _to_come(session: Session, who: Subscriber, limited: Limited) -> Iterator[Moved]:
    places = select_places().where(IS_ACTIVE, Enrollment.subscriber_id == who.id)
    for row in session.execute(places.order_by(Enrollment.id)):
        plan = load_plan(session, row.course_id)
        place = replace(place_of(row, plan.zone, NOT_ASKED), quiet=limited.cap.quiet)
        following = decide(place, plan.steps, BEFORE_ALL, plan.ways)
        if not isinstance(following, Wait):
            continue
        own = local_date(following.until, place.zone)
        turn = limited.turn_of(place, following.step, own, row.id)
        if turn.day > own:
            yield Moved(following.until, following.step.key, turn.day, str(limited.cap))
