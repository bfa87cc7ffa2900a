"""What a course did: each step as a funnel, its readers by the week in which they began, their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, literal_column, select, true
from sqlalchemy.orm import Session

from mailer import tally
from mailer.models import (
    Click,
    Course,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Message,
    Step,
    Verdict,
)
from mailer.reports.answers import WeekAnswers, answers_by_week
from mailer.reports.patience import counted

_S = DeliveryState

COHORTS = 12
"""So many of the newest weeks are shown."""

MOST_COLUMNS = 6
"""Of a long course not every week has a column of its own."""


@dataclass(frozen=True)
class StepFigures:
    """One step. `due` are all first mails of it that were written, `again` those of a repeated week.

    `refused` bounced or failed; `not_sent` were suppressed, skipped or cancelled; `unknown` are uncertain, or
    went with their person; `open` have no end yet. Together they are what was due.
    `is_gone`: the course as it is published now has it no more.
    """

    key: str
    subject: str
    kind: str
    day: int
    week: int | None
    is_gone: bool
    due: int
    accepted: int
    refused: int
    not_sent: int
    unknown: int
    open: int
    again: int


@dataclass(frozen=True)
class StepReaders:
    """What readers did at one step. `people` clicked, each once; `machines` and `requests` are requests.

    `left` are those who ended their subscription when this was the last that they had been sent, `stopped`
    those who were stopped there by something else, such as an address that bounced.
    """

    people: int = 0
    machines: int = 0
    requests: int = 0
    left: int = 0
    stopped: int = 0


@dataclass(frozen=True)
class Cohort:
    """Those who began in one week (from a Monday, UTC). `reached` has how many came to each column's week."""

    week: date
    began: int
    reached: tuple[int, ...]
    active: int
    finished: int
    left: int
    waiting: int


@dataclass(frozen=True)
class Cohorts:
    """Some cohorts, the newest first, and the course weeks that `reached` is about.

    `older` is what to ask for those `before` them with; None when there are none.
    """

    weeks: tuple[int, ...]
    rows: tuple[Cohort, ...]
    older: date | None = None


@dataclass(frozen=True)
class CourseFigures:
    """A course. What was not counted, because it would take long and nobody asked for it, is None."""

    course: Course
    steps: tuple[StepFigures, ...]
    readers: Mapping[str, StepReaders] | None
    answers: Sequence[WeekAnswers] | None
    cohorts: Cohorts | None

    @property
    def is_counted(self) -> bool:
        """Whether all of it was counted."""
        return None not in (self.readers, self.answers, self.cohorts)


def course_figures(
    session: Session,
    course: Course,
    *,
    is_asked: bool = False,
    before: date | None = None,
    most: int | None = COHORTS,
) -> CourseFigures:
    """All that is known of a course; where there is much of it, all but the steps only if it `is_asked` for.

    Of its cohorts `most` at most (None: all), those before the week of a Monday where that is said. Raises
    TooLong when it was asked for and took too long.
    """
    return CourseFigures(
        course,
        tuple(step_figures(session, course)),
        counted(session, lambda session: step_readers(session, course), is_asked=is_asked),
        counted(session, lambda session: answers_by_week(session, course), is_asked=is_asked),
        counted(session, lambda session: cohorts(session, course, before, most), is_asked=is_asked),
    )


def step_figures(session: Session, course: Course) -> list[StepFigures]:
    """Each step of the course by the counts that are kept as mails move, in the order of their days."""
    first: dict[int, Counter[str]] = {}
    again: Counter[int] = Counter()
    for (place, state), mails in tally.counts(session, [f"course:{course.id}"]).items():
        if place.step_id is None:
            continue
        if place.kind == DeliveryKind.REPEAT:
            again[place.step_id] += mails
        else:
            first.setdefault(place.step_id, Counter())[state] += mails
    steps = session.execute(
        select(Step)
        .where(Step.course_id == course.id)
        .order_by(Step.day, Step.easier_than, Step.instead_of == "", Step.key)
    ).scalars()
    return [
        _figures(step, first.get(step.id, Counter()), again[step.id])
        for step in steps
        if step.retired_at is None or step.id in first
    ]


def _figures(step: Step, states: Counter[str], again: int) -> StepFigures:
    accepted = states[_S.ACCEPTED]
    refused = states[_S.BOUNCED] + states[_S.FAILED]
    not_sent = states[_S.SUPPRESSED] + states[_S.SKIPPED] + states[_S.CANCELLED]
    unknown = states[_S.UNCERTAIN] + states[tally.FORGOTTEN]
    due = states.total()
    return StepFigures(
        *(step.key, step.subject, step.kind, step.day, step.week, step.retired_at is not None),
        *(due, accepted, refused, not_sent, unknown),
        open=due - accepted - refused - not_sent - unknown,
        again=again,
    )


def step_readers(session: Session, course: Course) -> dict[str, StepReaders]:
    """What readers did at each step, by its key; reads every click of the course and all who were stopped."""
    prefix = f"course/{course.slug}/"
    clicks = session.execute(
        select(
            func.substr(Message.source, len(prefix) + 1),
            func.count(Click.subscriber_id.distinct()).filter(Click.verdict == Verdict.PERSON),
            func.count().filter(Click.verdict == Verdict.MACHINE),
            func.count(),
        )
        .join(Message, Message.id == Click.message_id)
        .where(
            Click.source == f"course:{course.id}",
            Click.link >= 0,
            Message.source.startswith(prefix, autoescape=True),
        )
        .group_by(Message.source)
    )
    found = {key: StepReaders(people, machines, requests) for key, people, machines, requests in clicks}
    for key, (left, stopped) in _stopped(session, course).items():
        one = found.get(key, StepReaders())
        found[key] = StepReaders(one.people, one.machines, one.requests, left, stopped)
    return found


def _stopped(session: Session, course: Course) -> dict[str, tuple[int, int]]:
    """Who went, by the key of the step that was the last they had been sent; "" before the first of all."""
    unsubscribed = Enrollment.reason == "unsubscribed"
    rows = session.execute(
        select(Enrollment.last_day, func.count().filter(unsubscribed), func.count().filter(~unsubscribed))
        .where(Enrollment.course_id == course.id, Enrollment.state == EnrollmentState.STOPPED)
        .group_by(Enrollment.last_day)
    )
    days: list[tuple[int, str]] = [
        (day, key)
        for day, key in session.execute(
            select(Step.day, Step.key)
            .where(Step.course_id == course.id, Step.instead_of == "", Step.easier_than == "")
            .order_by(Step.day, Step.key)
        )
    ]
    found: dict[str, tuple[int, int]] = {}
    for last_day, left, stopped in rows:
        # A step may have moved to another day since: theirs is the last one that is not after their day.
        key = next((key for day, key in reversed(days) if day <= last_day), "") if last_day else ""
        was = found.get(key, (0, 0))
        found[key] = was[0] + left, was[1] + stopped
    return found


def cohorts(
    session: Session, course: Course, before: date | None = None, most: int | None = COHORTS
) -> Cohorts:
    """The readers of each of the newest weeks in which somebody began, and how far they came."""
    weeks = _columns((course.days + 6) // 7)
    # Mondays of UTC: a cohort is a week of ours, whatever zone each reader lives in.
    week = func.date_trunc("week", Enrollment.created_at, literal_column("'UTC'")).label("week")
    states = (
        EnrollmentState.ACTIVE,
        EnrollmentState.FINISHED,
        EnrollmentState.STOPPED,
        EnrollmentState.WAITING,
    )
    rows = session.execute(
        select(
            week,
            func.count(),
            *(func.count().filter(Enrollment.state == state) for state in states),
            *(func.count().filter(Enrollment.last_day > 7 * (one - 1)) for one in weeks),
        )
        .where(
            Enrollment.course_id == course.id,
            true() if before is None else Enrollment.created_at < _monday(before),
        )
        .group_by(week)
        .order_by(week.desc())
        .limit(None if most is None else most + 1)
    )
    found = tuple(Cohort(row[0].date(), row[1], tuple(row[6:]), *row[2:6]) for row in rows)
    shown = found[:most]
    return Cohorts(weeks, shown, shown[-1].week if len(found) > len(shown) else None)


def _monday(day: date) -> datetime:
    """When the week of this day begins: in its middle a cohort would be cut in two."""
    return datetime.combine(day - timedelta(days=day.weekday()), time(), tzinfo=UTC)


def _columns(weeks: int) -> tuple[int, ...]:
    """Every week of a short course; of a long one some, evenly apart, the first and the last among them."""
    if weeks <= MOST_COLUMNS:
        return tuple(range(1, weeks + 1))
    step = (weeks - 1) / (MOST_COLUMNS - 1)
    return tuple(round(1 + number * step) for number in range(MOST_COLUMNS))
