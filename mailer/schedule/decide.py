"""The one decision: what happens next in somebody's course. Pure; the tick and the simulator drive it.

After an outage a course shifts: what is late goes first, and what follows keeps its distance from it,
so that a reader who missed three days does not get four mails at once. What else can be done is in
`catchup`, whose plans are carried out here too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from mailer.clock import local_date
from mailer.schedule.timing import Anchor, leaves_at

RECHECK = timedelta(minutes=5)
"""How long to wait before asking again whether the mail before this one has left."""


@dataclass(frozen=True)
class StepPlan:
    """What a decision needs to know of a step."""

    id: int
    key: str
    day: int
    send_time: time
    message_id: int


@dataclass(frozen=True)
class Place:
    """Where somebody is in a course.

    `last_day` is the course day of the mail planned last (0: the welcome); `is_last_open` says that
    it is still on its way, `last_left_on` on which day in their zone it left.
    """

    zone: str
    anchor: Anchor
    last_day: int
    is_last_open: bool = False
    last_left_on: date | None = None


@dataclass(frozen=True)
class Send:
    """`step` leaves now; it was due at `due_at`."""

    step: StepPlan
    due_at: datetime
    anchor: Anchor


@dataclass(frozen=True)
class Wait:
    """Nothing until `until`, when this is to be asked again. `step` is what comes then."""

    until: datetime
    anchor: Anchor
    step: StepPlan


@dataclass(frozen=True)
class Finish:
    """There is no further step."""


Decision = Send | Wait | Finish


def decide(place: Place, steps: Sequence[StepPlan], now: datetime) -> Decision:
    """What happens in this course at `now` (aware UTC). `steps` are in the order of their days."""
    position = bisect_right(steps, place.last_day, key=lambda step: step.day)
    if position == len(steps):
        return Finish()
    step = steps[position]
    anchor = shifted(place)
    today = local_date(now, place.zone)
    # A step whose day has passed leaves at its hour today, not in the middle of the night.
    day = max(anchor.date_of(step.day), today, _free_from(place))
    due_at = leaves_at(day, step.send_time, place.zone)
    if due_at > now:
        return Wait(due_at, anchor, step)
    if place.is_last_open:
        return Wait(now + RECHECK, anchor, step)
    return Send(step, leaves_at(anchor.date_of(step.day), step.send_time, place.zone), anchor)


def _free_from(place: Place) -> date:
    """The first day on which the reader may have a mail: none on the day on which the last one left."""
    return place.last_left_on + timedelta(days=1) if place.last_left_on else date.min


def shifted(place: Place) -> Anchor:
    """The anchor, moved when the last mail left on a later day than planned.

    One that lies ahead is not moved: the reader comes back to its date.
    """
    if place.anchor.day > place.last_day:
        return place.anchor
    planned = place.anchor.date_of(place.last_day)
    if place.last_left_on is not None and place.last_left_on > planned:
        return Anchor(place.last_left_on, place.last_day)
    return place.anchor
