"""A course lived through by a few readers, typical or chosen, to see how long it takes whom."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from mailer.clock import zone
from mailer.launch.invented import Invented
from mailer.launch.simulate import Line, Setting, simulate
from mailer.models import Answer
from mailer.schedule.courses import CoursePlan

SLOW = 3
"""Days between the mails of the slowest of them."""
MOST_WEEKS = 520
"""As far as anybody can look ahead."""


@dataclass(frozen=True)
class Life:
    """One of them: who they are, what they got and were passed over for, each in its order."""

    who: str
    reader: Invented
    sends: tuple[Line, ...]
    skips: tuple[Line, ...]
    by_day: tuple[int, ...]
    """How many mails they had by each day from the first on."""


def lives_of(
    plan: CoursePlan,
    subjects: Mapping[str, str],
    people: Mapping[str, Invented],
    start: date,
    setting: Setting,
) -> list[Life]:
    """What each of these people gets of a course, not of those that follow it, when they enroll on `start`;
    nothing is written.

    They are called as they are to be shown; no two have the same address.
    """
    slowest = max([SLOW, *(one.gap or 0 for one in people.values())])
    weeks = weeks_of(plan, slowest)
    found = simulate(plan, subjects, list(people.values()), start, weeks, replace(setting, following=()))
    sends, skips = _by_address(found.sends), _by_address(found.skips)
    last = max((line.due_at for line in found.sends), default=None)
    days = 0 if last is None else (last.date() - start).days + 1
    return [
        Life(
            who,
            one,
            tuple(sends[one.email]),
            tuple(skips[one.email]),
            _by_day(sends[one.email], one.zone or plan.zone, start, days),
        )
        for who, one in people.items()
    ]


def _by_address(lines: Sequence[Line]) -> Mapping[str, list[Line]]:
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        found[line.email].append(line)
    return found


def weeks_of(plan: CoursePlan, slowest: int) -> int:
    """So many weeks until whoever waits `slowest` days between mails has had all, each week of it twice."""
    days = max((step.day for step in plan.steps), default=0) + slowest * len(plan.steps)
    repeats = 7 * len({step.week for step in plan.steps if step.week})
    return min(MOST_WEEKS, (days + repeats) // 7 + 4)


def typical_people(plan: CoursePlan) -> dict[str, Invented]:
    """A few readers as courses have them, by what is special about them."""
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


def _by_day(sends: Sequence[Line], zone_name: str, start: date, days: int) -> tuple[int, ...]:
    dates = [_day(line.due_at, zone_name) for line in sends]
    return tuple(sum((one - start).days <= day for one in dates) for day in range(days))


def _day(moment: datetime, zone_name: str) -> date:
    return moment.astimezone(zone(zone_name)).date()
