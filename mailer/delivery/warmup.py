"""Warming up a new transport: a ceiling for each day, which grows while the receivers are content. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DEFERRED = 0.05
"""Deferred in 0..1 of a day's mails above which the ceiling does not grow."""

ALARMING_DEFERRED = 0.15
MOST_COMPLAINTS = 0.001
"""Complaints in 0..1; Google wants less than 0.1 % and never 0.3 % (https://support.google.com/mail/answer/81126)."""

ALARMING_COMPLAINTS = 0.003
USED_SHARE = 0.5
"""A day that used less than this share of its ceiling proves nothing."""


@dataclass(frozen=True)
class WarmupPlan:
    """`first` mails on the first day, `growth` percent more each day, until `target` a day is reached."""

    first: int
    target: int
    growth: int = 50

    def days(self) -> int:
        """How many days it takes when all goes well."""
        ceiling, days = self.first, 1
        while ceiling < self.target:
            ceiling, days = _grown(ceiling, self), days + 1
        return days


@dataclass(frozen=True)
class WarmupDay:
    """What came of the newest day on which mail went by the transport."""

    ceiling: int
    accepted: int
    deferred: int
    complaints: int


def ceiling_after(plan: WarmupPlan, day: WarmupDay) -> int | None:
    """The next day's ceiling; None when the warm-up is over.

    Half as much (never below `first`) after a day that alarmed somebody, the same after one with too many
    deferrals or complaints or with too few mails to tell, and otherwise `growth` percent more. It is over
    after a good day at the target.
    """
    tried = day.accepted + day.deferred
    deferred = day.deferred / tried if tried else 0.0
    complaints = day.complaints / day.accepted if day.accepted else float(day.complaints > 0)
    if deferred > ALARMING_DEFERRED or complaints > ALARMING_COMPLAINTS:
        return max(plan.first, day.ceiling // 2)
    is_content = deferred <= MOST_DEFERRED and complaints <= MOST_COMPLAINTS
    if not is_content or tried < USED_SHARE * day.ceiling:
        return day.ceiling
    return None if day.ceiling >= plan.target else _grown(day.ceiling, plan)


def _grown(ceiling: int, plan: WarmupPlan) -> int:
    return min(plan.target, max(ceiling + 1, ceiling * (100 + plan.growth) // 100))
