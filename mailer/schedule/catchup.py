"""What to do about lessons that are overdue after an outage: three policies for one reader's backlog. Pure.

The course's own dates are those by which the lessons would have come without the outage.

- shift: nothing is passed over. The oldest overdue lesson comes first, at its hour, and all that follows
  keeps its distance from it, so that the course ends as much later as the outage was long. This is what
  `decide` does by itself.
- rhythm: the course goes on by its own dates. The lessons whose day has come, today's included, are caught
  up one a day on the days left until the next lesson's date, today included, in their order; when there
  are more of them than days, the newest are kept and the older ones passed over. So in a course that sends
  every day one catch-up mail leaves today, and tomorrow's lesson is tomorrow's; in one with free days
  nothing, or little, is passed over. When no lesson is left to come back to, nothing is passed over
  either, and the end of the course shifts.
- skip-stale: lessons that are more than `stale_after` late are passed over. What is left shifts, by
  `stale_after` at most; when nothing is left, the next lesson comes at its own date.

None of them ever sends two mails of a course to one reader on one day, or changes the order. What is
passed over is recorded as skipped, with the reason; see `launch/release.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from mailer.clock import local_date
from mailer.schedule.decide import Place, StepPlan, shifted
from mailer.schedule.timing import Anchor, leaves_at


class Policy(StrEnum):
    SHIFT = "shift"
    RHYTHM = "rhythm"
    SKIP_STALE = "skip-stale"


STALE_AFTER = timedelta(hours=48)


@dataclass(frozen=True)
class CatchUp:
    """What a policy makes of one reader's backlog: `passed_over` and `late` together are all of it.

    `anchor` is where the reader's days are counted from afterwards, `delay` by how many days the
    course then ends later, and `is_over` says that no mail is left to come.
    """

    passed_over: tuple[StepPlan, ...]
    late: tuple[StepPlan, ...]
    anchor: Anchor
    delay: int = 0
    is_over: bool = False


def catch_up(
    place: Place,
    steps: Sequence[StepPlan],
    now: datetime,
    policy: Policy,
    *,
    stale_after: timedelta = STALE_AFTER,
    waiting: StepPlan | None = None,
) -> CatchUp:
    """What `policy` does about this reader's overdue lessons at `now` (aware UTC).

    `waiting` is the step of `place.last_day` when its mail was planned and has not left; it belongs to
    the backlog too.
    """
    anchor = shifted(place)
    to_come = [step for step in steps if step.day > place.last_day]
    line = [waiting, *to_come] if waiting else to_come
    overdue = tuple(takewhile(lambda step: _own_moment(place, anchor, step) <= now, line))
    match policy:
        case Policy.SHIFT:
            kept = overdue
        case Policy.SKIP_STALE:
            kept = tuple(s for s in overdue if now - _own_moment(place, anchor, s) <= stale_after)
        case Policy.RHYTHM:
            return _back_to_dates(place, anchor, line, overdue, now, waiting)
    return CatchUp(
        passed_over=overdue[: len(overdue) - len(kept)],
        late=kept,
        anchor=anchor,
        delay=_delay(place, anchor, kept, now, waiting),
        is_over=bool(line) and not kept and len(overdue) == len(line),
    )


def _back_to_dates(
    place: Place,
    anchor: Anchor,
    line: Sequence[StepPlan],
    overdue: tuple[StepPlan, ...],
    now: datetime,
    waiting: StepPlan | None,
) -> CatchUp:
    today = local_date(now, place.zone)
    come = list(takewhile(lambda step: anchor.date_of(step.day) <= today, line))
    if not overdue or len(come) == len(line):
        return CatchUp((), overdue, anchor, _delay(place, anchor, overdue, now, waiting))
    following = line[len(come)]
    rejoins_on = anchor.date_of(following.day)
    room = max(0, (rejoins_on - _first_free(place, today, waiting)).days)
    passed_over = tuple(come[: max(0, len(come) - room)])
    late = tuple(step for step in overdue if step not in passed_over)
    return CatchUp(passed_over, late, Anchor(rejoins_on, following.day))


def _own_moment(place: Place, anchor: Anchor, step: StepPlan) -> datetime:
    return leaves_at(anchor.date_of(step.day), step.send_time, place.zone)


def _first_free(place: Place, today: date, waiting: StepPlan | None) -> date:
    """The first day for the backlog: not one on which the reader gets another mail of the course."""
    is_taken = place.last_left_on == today or (place.is_last_open and waiting is None)
    return today + timedelta(days=1) if is_taken else today


def _delay(
    place: Place, anchor: Anchor, kept: Sequence[StepPlan], now: datetime, waiting: StepPlan | None
) -> int:
    if not kept:
        return 0
    first_on = _first_free(place, local_date(now, place.zone), waiting)
    return max(0, (first_on - anchor.date_of(kept[0].day)).days)
