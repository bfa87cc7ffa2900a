"""What a course does beside its steps: when it stops, what follows, what enrolls, how it catches up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mailer.schedule.catchup import STALE_AFTER, Policy


@dataclass(frozen=True)
class FollowUp:
    """Who finishes is enrolled in this course, if they meet `when` (empty: everybody)."""

    course: str
    when: str


@dataclass(frozen=True)
class Trigger:
    """Who meets `when` is enrolled, once. `is_from_now`: not those who met it before it was published."""

    when: str
    is_from_now: bool


@dataclass(frozen=True)
class Flow:
    """`courses.flow` as values; rules are texts."""

    stop_when: tuple[str, ...] = ()
    then: tuple[FollowUp, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    policy: Policy = Policy.SHIFT
    stale_after: timedelta = STALE_AFTER
    ask_whom: str = ""


NO_FLOW = Flow()


def read_flow(values: Mapping[str, Any]) -> Flow:
    """The flow from how it is stored."""
    if not values:
        return NO_FLOW
    late = values.get("catch_up", {})
    hours = late.get("stale_after_hours")
    return Flow(
        stop_when=tuple(values.get("stop_when", ())),
        then=tuple(FollowUp(one["course"], one.get("when", "")) for one in values.get("then", ())),
        triggers=tuple(
            Trigger(one["when"], one.get("from", "now") == "now") for one in values.get("triggers", ())
        ),
        policy=Policy(late.get("policy", Policy.SHIFT)),
        stale_after=STALE_AFTER if hours is None else timedelta(hours=hours),
        ask_whom=values.get("ask_whom", ""),
    )
