"""What readers answered to a course's check-ins, week by week, for its author."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from mailer.models import Answer, CheckIn, Course, DeliveryKind, DeliveryState, Step
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
    """How many first mails of each week have left; a repeated week is no second one."""
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
    return sent


def _week(week: int, sent: int, said: dict[Answer, int]) -> WeekAnswers:
    told = said[Answer.DONE], said[Answer.NOT_YET], said[Answer.TOO_HARD]
    return WeekAnswers(week, sent, *told, max(0, sent - sum(told)))
