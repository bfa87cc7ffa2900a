"""How long a simulation takes, and what conditions, a cap and triggers cost where nothing is due."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from datetime import time as clock

from sqlalchemy import select, text

from benchmarks.sending import planned
from benchmarks.stage import House
from mailer.clock import zone_names
from mailer.db import business_now, session_scope
from mailer.launch.invented import Invented
from mailer.launch.simulate import Setting, simulate
from mailer.models import Course, FieldType
from mailer.rules import parse
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import CoursePlan
from mailer.schedule.follow import begin_triggers, pull_triggers
from mailer.schedule.place import StepPlan

DAYS = 30
CONDITION = 'tag "vip" or not field city is "Bristol"'
TRIGGER = 'tag "vip" and on list "bench" and not tag "gone"'


def simulating(people: int) -> float:
    """Seconds to live ahead through thirty daily steps for so many people in every zone there is."""
    steps = tuple(StepPlan(day, f"step-{day}", day, clock(8), day) for day in range(1, DAYS + 1))
    plan = CoursePlan(1, "bench", 1, "Etc/UTC", "en", steps)
    zones = sorted(zone_names())
    readers = [Invented(f"reader{at}@reader.example", zone=zones[at % len(zones)]) for at in range(people)]
    began = time.perf_counter()
    found = simulate(plan, {}, readers, date(2027, 3, 1), 5)
    seconds = time.perf_counter() - began
    if len(found.sends) != DAYS * people:
        raise AssertionError(f"{len(found.sends)} mails foreseen for {people} people")
    return seconds


def simulating_rules(people: int) -> float:
    """The same for a course of rules, check-ins and a cap, for people of whom no two are alike."""
    steps = tuple(
        StepPlan(
            *(day, f"step-{day}", day, clock(8), day),
            condition=CONDITION if day % 3 == 0 else "",
            week=1 + day // 7 if day % 7 == 1 else None,
        )
        for day in range(1, DAYS + 1)
    )
    plan = CoursePlan(1, "bench", 1, "Etc/UTC", "en", steps)
    fields = {"city": FieldType.TEXT, "number": FieldType.NUMBER}
    setting = Setting({CONDITION: parse(CONDITION)}, "bench", fields, Cap(per_day=1, per_week=5))
    zones = sorted(zone_names())
    readers = [
        Invented(
            f"reader{at}@reader.example",
            zone=zones[at % len(zones)],
            tags=("vip",) if at % 5 == 0 else (),
            fields={"city": ("Bristol", "Lisbon", "Ghent")[at % 3], "number": str(at)},
            answers={1: ("not-yet", "done")} if at % 4 == 0 else {},
        )
        for at in range(people)
    ]
    began = time.perf_counter()
    found = simulate(plan, {}, readers, date(2027, 3, 1), 8, setting)
    seconds = time.perf_counter() - began
    if len(found.ends) != people:
        raise AssertionError(f"the course ended for {len(found.ends)} of {people} people")
    return seconds


def idle_triggers(house: House) -> float:
    """Milliseconds to ask a trigger that everybody who meets it has met before: the median of some."""
    with session_scope(house.sessions) as session:
        course = session.execute(select(Course)).scalar_one()
        course.flow = {**course.flow, "triggers": [{"when": TRIGGER, "from": "now"}]}
        session.flush()
        begin_triggers(session, course, (), business_now(session))
    with session_scope(house.sessions) as session:
        session.execute(text("ANALYZE firings"))
    times = []
    for _ in range(7):
        began = time.perf_counter()
        with session_scope(house.sessions) as session:
            found = pull_triggers(session, business_now(session))
        times.append((time.perf_counter() - began) * 1000)
        if found:
            raise AssertionError(f"a trigger met {found} people anew")
    with session_scope(house.sessions) as session:
        session.execute(text("UPDATE courses SET flow = flow - 'triggers'"))
    return statistics.median(times)


def make_due(house: House, people: int) -> None:
    """Have the next mail of the first so many of everybody be due now."""
    with session_scope(house.sessions) as session:
        due = "UPDATE enrollments SET next_due_at = now() - interval '1 hour' WHERE subscriber_id <= :people"
        session.execute(text(due), {"people": people})


@contextmanager
def restrictions(house: House) -> Iterator[None]:
    """A condition on each step, and a cap on everybody's mails."""
    with session_scope(house.sessions) as session:
        session.execute(text("UPDATE steps SET condition = :rule"), {"rule": CONDITION})
        set_cap(session, Cap(per_day=1, per_week=5))
    yield
    with session_scope(house.sessions) as session:
        set_cap(session, None)
        session.execute(text("UPDATE steps SET condition = ''"))


def restricted(house: House) -> float:
    """Planned rows per second where each step has a condition and everybody a cap."""
    with restrictions(house):
        return planned(house)
