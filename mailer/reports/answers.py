"""What readers answered to a course's check-ins, week by week, for its author."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from mailer.models import Answer, CheckIn, Course, Delivery, DeliveryKind, DeliveryState, Enrollment, Step
from mailer.tally import counts

LEFT = (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)


@dataclass(frozen=True)
class WeekAnswers:
    """One week: to how many readers it was sent, and what they said of it last."""

    week: int
    sent: int
    done: int
    not_yet: int
    too_hard: int
    silent: int


def answers_by_week(session: Session, course: Course) -> list[WeekAnswers]:
    """Each week of the course, in its order; each reader counts once a week."""
    newest = (
        select(CheckIn.week, CheckIn.subscriber_id, CheckIn.answer)
        .where(CheckIn.course_id == course.id)
        .ext(distinct_on(CheckIn.week, CheckIn.subscriber_id))
        .order_by(CheckIn.week, CheckIn.subscriber_id, CheckIn.id.desc())
        .subquery()
    )
    rows = session.execute(
        select(newest.c.week, newest.c.answer, func.count()).group_by(newest.c.week, newest.c.answer)
    )
    said = {(week, answer): people for week, answer, people in rows}
    sent = _sent(session, course)
    return [
        _week(week, sent.get(week, 0), {answer: said.get((week, answer), 0) for answer in Answer})
        for week in sorted({*sent, *(week for week, _ in said)})
    ]


def _sent(session: Session, course: Course) -> dict[int, int]:
    """To how many readers a first mail of each week has left; a repeated week is no second one."""
    steps = session.execute(
        select(Step.id, Step.week).where(
            Step.course_id == course.id, Step.week.is_not(None), Step.easier_than == ""
        )
    )
    week_of = {step_id: week for step_id, week in steps if week is not None}
    sent = dict.fromkeys(sorted(set(week_of.values())), 0)
    for (place, state), mails in counts(session, [f"course:{course.id}"]).items():
        if place.step_id in week_of and place.kind == DeliveryKind.STEP and state in LEFT:
            sent[week_of[place.step_id]] += mails
    for week, mails in _once_more(session, course):
        sent[week] -= mails
    return sent


def _once_more(session: Session, course: Course) -> list[tuple[int, int]]:
    """How many of those mails went to somebody who had the week already, having started over since.

    Only mails of those who are not in their first round are read: of the others the tallies tell all.
    """
    more = (
        select(Step.week, (func.count() - 1).label("mails"))
        .select_from(Enrollment)
        .join(Delivery, Delivery.subscriber_id == Enrollment.subscriber_id)
        .join(Step, Step.id == Delivery.step_id)
        .where(
            Enrollment.course_id == course.id,
            Enrollment.round > 1,
            Step.course_id == course.id,
            Step.week.is_not(None),
            Step.easier_than == "",
            Delivery.kind == DeliveryKind.STEP,
            Delivery.state.in_(LEFT),
        )
        .group_by(Step.week, Delivery.subscriber_id)
        .subquery()
    )
    rows = session.execute(select(more.c.week, func.sum(more.c.mails)).group_by(more.c.week))
    return [(week, int(mails)) for week, mails in rows]


def _week(week: int, sent: int, said: dict[Answer, int]) -> WeekAnswers:
    told = said[Answer.DONE], said[Answer.NOT_YET], said[Answer.TOO_HARD]
    return WeekAnswers(week, sent, *told, max(0, sent - sum(told)))
