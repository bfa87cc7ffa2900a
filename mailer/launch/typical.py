"""A course lived through by a few typical readers, to see how long it takes whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import zone
from mailer.launch.invented import Invented
from mailer.launch.simulate import Line, setting_of, simulate
from mailer.models import Answer, Step
from mailer.schedule.courses import CoursePlan

SLOW = 3
"""Days between the mails of the slowest of them."""
MOST_WEEKS = 520
"""As far as anybody can look ahead."""


@dataclass(frozen=True)
class Life:
    """One of them: who they are, what they got and were passed over for, each in its order."""

    who: str
    sends: tuple[Line, ...]
    skips: tuple[Line, ...]
    by_day: tuple[int, ...]
    """How many mails they had by each day from the first on."""


def typical_readers(
    session: Session, plan: CoursePlan, subjects: Mapping[str, str], start: date, list_slug: str
) -> list[Life]:
    """What each of them gets of a course when they enroll on `start`; nothing is written."""
    people = _people(plan)
    setting = setting_of(session, plan, list_slug)
    found = simulate(plan, subjects, list(people.values()), start, weeks_of(plan), setting)
    sends = {
        who: tuple(line for line in found.sends if line.email == one.email) for who, one in people.items()
    }
    last = max((line.due_at for line in found.sends), default=None)
    days = 0 if last is None else (last.date() - start).days + 1
    return [
        Life(
            who,
            sends[who],
            tuple(line for line in found.skips if line.email == one.email),
            _by_day(sends[who], one.zone or plan.zone, start, days),
        )
        for who, one in people.items()
    ]


def weeks_of(plan: CoursePlan) -> int:
    """So many weeks until the slowest of them has had all of it, each week of the protocol twice."""
    days = max((step.day for step in plan.steps), default=0) + SLOW * len(plan.steps)
    repeats = 7 * len({step.week for step in plan.steps if step.week})
    return min(MOST_WEEKS, (days + repeats) // 7 + 4)


def published_subjects(session: Session, course_id: int) -> dict[str, str]:
    """The subject of each published step, by its key."""
    return dict(session.execute(select(Step.key, Step.subject).where(Step.course_id == course_id)).all())


def _people(plan: CoursePlan) -> dict[str, Invented]:
    weeks = sorted({step.week for step in plan.steps if step.week})
    people = {
        f"As written, in {plan.zone}": Invented("as-written@example.org"),
        "As written, in New York": Invented("new-york@example.org", zone="America/New_York"),
        "One mail every three days": Invented("slow@example.org", gap=SLOW),
    }
    if weeks:
        answers = dict.fromkeys(weeks, (Answer.NOT_YET, Answer.DONE))
        people["Needs each week twice"] = Invented("twice@example.org", answers=answers)
    return people


def _by_day(sends: tuple[Line, ...], zone_name: str, start: date, days: int) -> tuple[int, ...]:
    dates = [_day(line.due_at, zone_name) for line in sends]
    return tuple(sum((one - start).days <= day for one in dates) for day in range(days))


def _day(moment: datetime, zone_name: str) -> date:
    return moment.astimezone(zone(zone_name)).date()
