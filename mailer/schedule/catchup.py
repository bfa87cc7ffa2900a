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
passed over is recorded as skipped, with the reason; see `launch/release.py`. While a reader pauses nothing
of theirs is late, and what waited for them meanwhile is so from the pause's end on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from mailer.clock import local_date
from mailer.schedule.place import Place, StepPlan, date_of, shifted
from mailer.schedule.timing import Anchor, Window, first_from


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
    paused_until: date | None = None,
) -> CatchUp:
    """What `policy` does about this reader's overdue lessons at `now` (aware UTC).

    `waiting` is the step of `place.last_day` when its mail was planned and has not left; it belongs to
    the backlog too. `paused_until` is the day on which the reader went on, or will.
    """
    # One for each day: which of a day's steps somebody gets is another question.
    steps = [step for step in steps if not step.instead_of]
    anchor = shifted(place, steps)
    to_come = [step for step in steps if step.day > place.last_day]
    line = [waiting, *to_come] if waiting else to_come
    whole = _Backlog(place, anchor, steps, line, (), waiting, paused_until)
    overdue = tuple(takewhile(lambda step: whole.window_of(step).opens_at <= now, line))
    match policy:
        case Policy.SHIFT:
            kept = overdue
        case Policy.SKIP_STALE:
            # Behind one that is not stale none is: what its weekdays put off moves on with it.
            stale = takewhile(lambda step: now - whole.window_of(step).opens_at > stale_after, overdue)
            kept = overdue[len(tuple(stale)) :]
        case Policy.RHYTHM:
            return _back_to_dates(replace(whole, late=overdue), now)
    backlog = replace(whole, late=kept)
    return CatchUp(
        passed_over=overdue[: len(overdue) - len(kept)],
        late=kept,
        anchor=anchor,
        delay=_delay(backlog, now),
        is_over=bool(line) and not kept and len(overdue) == len(line),
    )


@dataclass(frozen=True)
class _Backlog:
    """One reader's: `line` is all that is to come, `late` what of it is overdue and will be sent."""

    place: Place
    anchor: Anchor
    steps: Sequence[StepPlan]
    line: Sequence[StepPlan]
    late: tuple[StepPlan, ...]
    waiting: StepPlan | None
    paused_until: date | None

    def window_of(self, step: StepPlan) -> Window:
        """When this step may leave by its own date, or once its reader goes on."""
        day = date_of(self.place, self.anchor, step.day, self.steps)
        return first_from(lambda on: self.place.window_of(step, on), day, self.paused_until or day)

    def date_of(self, step: StepPlan) -> date:
        """The day on which this step may leave by its own date."""
        return self.window_of(step).day

    def first_free(self, today: date) -> date:
        """The first day for the backlog: not one on which the reader gets another mail of the course."""
        is_open_before = self.place.is_last_open and self.waiting is None
        is_taken = self.place.last_left_on == today or is_open_before
        return today + timedelta(days=1) if is_taken else today


def _back_to_dates(backlog: _Backlog, now: datetime) -> CatchUp:
    today = local_date(now, backlog.place.zone)
    line, overdue = backlog.line, backlog.late
    come = list(takewhile(lambda step: backlog.date_of(step) <= today, line))
    # One that weekdays or quiet dates put on a later day is not late before that.
    is_late = bool(overdue) and backlog.date_of(overdue[0]) < today
    if not is_late or len(come) == len(line):
        return CatchUp((), overdue, backlog.anchor, _delay(backlog, now))
    following = line[len(come)]
    # Counted by the course's own date, which its weekdays may then move on.
    own = date_of(backlog.place, backlog.anchor, following.day, backlog.steps)
    room = max(0, (backlog.date_of(following) - backlog.first_free(today)).days)
    passed_over = tuple(come[: max(0, len(come) - room)])
    late = tuple(step for step in overdue if step not in passed_over)
    return CatchUp(passed_over, late, Anchor(own, following.day))


def _delay(backlog: _Backlog, now: datetime) -> int:
    if not backlog.late:
        return 0
    first_on = backlog.first_free(local_date(now, backlog.place.zone))
    return max(0, (first_on - backlog.date_of(backlog.late[0])).days)
