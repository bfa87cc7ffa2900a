"""How long a simulation takes, and what conditions and a cap cost the tick."""

from __future__ import annotations

import time
from datetime import date
from datetime import time as clock

from sqlalchemy import text

from benchmarks.sending import planned
from benchmarks.stage import House
from mailer.clock import zone_names
from mailer.db import session_scope
from mailer.launch.invented import Invented
from mailer.launch.simulate import simulate
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import CoursePlan
from mailer.schedule.place import StepPlan

DAYS = 30
CONDITION = 'tag "vip" or not field city is "Bristol"'


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


def make_due(house: House, people: int) -> None:
    """Have the next mail of the first so many of everybody be due now."""
    with session_scope(house.sessions) as session:
        due = "UPDATE enrollments SET next_due_at = now() - interval '1 hour' WHERE subscriber_id <= :people"
        session.execute(text(due), {"people": people})


def restricted(house: House) -> float:
    """Planned rows per second where each step has a condition and everybody a cap."""
    with session_scope(house.sessions) as session:
        session.execute(text("UPDATE steps SET condition = :rule"), {"rule": CONDITION})
        set_cap(session, Cap(per_day=1, per_week=5))
    rate = planned(house)
    with session_scope(house.sessions) as session:
        set_cap(session, None)
        session.execute(text("UPDATE steps SET condition = ''"))
    return rate
