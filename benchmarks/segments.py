"""How long it takes to count who meets a segment's rule."""

from __future__ import annotations

import statistics
import time

from benchmarks.stage import House
from mailer.audience.segments import look_at
from mailer.db import business_now, session_scope
from mailer.rules import parse

RULE = """
    (tag "vip" or field city is "Bristol") and field age >= 40 and on list "bench"
    and not finished "bench" and not clicked anything within 30 days
"""


def counting(house: House) -> float:
    """Seconds to count who meets a rule on tags, fields, a list, a course and clicks: the median of five."""
    rule = parse(RULE)
    times = []
    for _ in range(5):
        with session_scope(house.sessions) as session:
            now = business_now(session)
            began = time.perf_counter()
            look_at(session, rule, now, sample=0)
            times.append(time.perf_counter() - began)
    return statistics.median(times)
