"""The one decision: what happens next in somebody's course. Pure; the tick and the simulator drive it.

After an outage a course shifts: what is late goes first, and what follows keeps its distance from it,
so that a reader who missed three days does not get four mails at once. What else can be done is in
`catchup`, whose plans are carried out here too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from mailer.clock import local_date
from mailer.models import Answer
from mailer.schedule.catchup import STALE_AFTER, Policy, catch_up
from mailer.schedule.place import Place, StepPlan, date_of, moment_of, shifted
from mailer.schedule.timing import Anchor, Window, first_open

__all__ = [
    "AS_WRITTEN",
    "RECHECK",
    "Decision",
    "Finish",
    "Place",
    "Send",
    "Skip",
    "StepPlan",
    "Stop",
    "Wait",
    "Ways",
    "after",
    "decide",
    "past",
    "shifted",
]

RECHECK = timedelta(minutes=5)
"""How long to wait before asking again whether the mail before this one has left."""

RECHECK_THE_END = timedelta(minutes=20)
"""The same where no lesson waits for it: behind a slow server a whole house may be at its end."""

WEEK = 7


@dataclass(frozen=True)
class Send:
    """`step` leaves now; it was due at `due_at`. `because` tells readers of `why` what is out of the way.

    `repeats` is the week that it sends once more, `extra_of` the id of the step that stands outside the
    course's days, of which it may be a variant; 0: it does not.
    """

    step: StepPlan
    due_at: datetime
    anchor: Anchor
    repeats: int | None = None
    extra_of: int = 0
    because: str = ""

    @property
    def is_extra(self) -> bool:
        return bool(self.extra_of)


@dataclass(frozen=True)
class Wait:
    """Nothing until `until`, when this is to be asked again. `step` is what comes then."""

    until: datetime
    anchor: Anchor
    step: StepPlan


@dataclass(frozen=True)
class Skip:
    """These steps are passed over for good, for this reason; `extra_of` as for `Send`."""

    steps: tuple[StepPlan, ...]
    due_at: datetime
    anchor: Anchor
    reason: str
    extra_of: int = 0


@dataclass(frozen=True)
class Stop:
    """The course ends here for this reader: they meet `rule`."""

    rule: str


@dataclass(frozen=True)
class Finish:
    """There is no further step."""


Decision = Send | Wait | Skip | Stop | Finish


@dataclass(frozen=True)
class Ways:
    """How a course goes about things beside its steps: gentler versions, and what is done when it is late.

    One that `is_followed` ends when its last mail has left: what follows may ask about that.
    """

    easier: tuple[StepPlan, ...] = ()
    policy: Policy = Policy.SHIFT
    stale_after: timedelta = STALE_AFTER
    is_followed: bool = False


AS_WRITTEN = Ways()


def decide(place: Place, steps: Sequence[StepPlan], now: datetime, ways: Ways = AS_WRITTEN) -> Decision:
    """What happens in this course at `now` (aware UTC).

    `steps` are in the order of their days, and on one day those with `instead_of` first.
    """
    if place.stop:
        return Stop(place.stop)
    anchor = shifted(place, steps)
    if place.extras:
        return _extra(place, steps, now, ways, anchor, place.extras[0])
    position = bisect_right(steps, place.last_day, key=lambda step: step.day)
    if position == len(steps):
        if place.last_extras:
            return _extra(place, steps, now, ways, anchor, place.last_extras[0])
        if ways.is_followed and place.is_last_open and steps:
            return Wait(now + RECHECK_THE_END, anchor, steps[-1])
        return Finish()
    anchor = _behind_a_late_repeat(place, steps, position, anchor)
    again, week = _once_more(place, steps, position, ways)
    if again is not None:
        day = date_of(place, anchor, steps[position].day, steps)
        sent = _leave(place, again, day, anchor, now)
        return replace(sent, repeats=week) if isinstance(sent, Send) else sent
    step = _choice(place, steps, position)
    if ways.policy is not Policy.SHIFT:
        # The course's own dates, to which a rhythm goes back, are those before anything was late.
        late = replace(place, anchor=anchor) if ways.policy is Policy.SKIP_STALE else place
        found = catch_up(late, steps, now, ways.policy, stale_after=ways.stale_after)
        anchor = found.anchor
        if found.passed_over:
            due_at = moment_of(place, anchor, found.passed_over[0], steps)
            return Skip(found.passed_over, due_at, anchor, "too late: the course goes on with what is new")
    base = next(one for one in steps[position:] if not one.instead_of)
    day = date_of(place, anchor, base.day, steps)
    decision = _leave(place, step or base, day, anchor, now)
    if step is None and isinstance(decision, Send):
        if place.gap is not None:
            # Readers chose days from mail to mail: the next one comes on this day in its place.
            anchor = Anchor(day - timedelta(days=place.gap), base.day)
        return Skip((base,), decision.due_at, anchor, f"only for those with: {base.condition}")
    if isinstance(decision, Wait) and place.room_from is not None and ways.policy is not Policy.SHIFT:
        with_room = _leave(replace(place, room_from=None), decision.step, day, anchor, now)
        if isinstance(with_room, Send) or with_room.until < decision.until:
            return _without_room(place, decision, base)
    return decision


def _without_room(place: Place, wait: Wait, base: StepPlan) -> Wait:
    """The wait of a step that has no room on its day: it belongs on the day with room from now on, or a
    policy would take it for one that an outage made late."""
    on = local_date(wait.until, place.zone) - timedelta(days=place.nights(wait.step))
    return replace(wait, anchor=Anchor(on, base.day))


def _behind_a_late_repeat(place: Place, steps: Sequence[StepPlan], position: int, anchor: Anchor) -> Anchor:
    """The anchor, where a week's mail that came once more left later than it was planned: what follows is
    a week behind it all the same."""
    following, last = steps[position], _last_week(steps, position)
    if place.last_left_on is None or last is None or last.week is None:
        return anchor
    # Who went back to that week themselves has another one behind them, and their own date before them.
    if place.repeated_week != last.week or anchor.day != following.day:
        return anchor
    left_on = place.last_left_on - timedelta(days=place.nights(last))
    earliest = left_on + timedelta(days=_span(place, steps, position, last.week))
    return Anchor(earliest, following.day) if anchor.on < earliest else anchor


def past(place: Place, skip: Skip) -> Place:
    """The reader's place behind what is passed over."""
    if skip.extra_of:
        extras, last_extras = _extras_behind(place, skip.extra_of)
        return replace(place, extras=extras, last_extras=last_extras)
    last_day = max(place.last_day, *(step.day for step in skip.steps))
    return replace(place, anchor=skip.anchor, last_day=last_day)


def after(place: Place, send: Send, steps: Sequence[StepPlan], today: date) -> Place:
    """The reader's place once `send` has left on `today`, which is a day in their zone."""
    anchor, last_day = send.anchor, send.step.day
    answers, repeats, extras, last_extras = place.answers, place.repeats, place.extras, place.last_extras
    if send.is_extra:
        last_day = place.last_day
        extras, last_extras = _extras_behind(place, send.extra_of)
    elif send.repeats is not None:
        last_day = place.last_day
        position = bisect_right(steps, last_day, key=lambda step: step.day)
        span = timedelta(days=_span(place, steps, position, send.repeats))
        on = today - timedelta(days=place.nights(send.step))
        anchor = Anchor(on + span, steps[position].day)
        times = dict(place.repeats)
        times[send.repeats] = times.get(send.repeats, 0) + 1
        repeats = tuple(sorted(times.items()))
        answers = tuple((week, answer) for week, answer in answers if week != send.repeats)
    elif place.is_asked:
        anchor = Anchor(today, last_day)
    return replace(
        place,
        anchor=anchor,
        last_day=last_day,
        is_last_open=False,
        last_left_on=today,
        repeated_week=send.repeats,
        is_asked=False,
        answers=answers,
        repeats=repeats,
        extras=extras,
        last_extras=last_extras,
    )


def _leave(place: Place, step: StepPlan, day: date, anchor: Anchor, now: datetime) -> Send | Wait:
    """`step`, which belongs on `day`: now, or when it may."""
    if place.is_asked:
        if place.is_last_open:
            return Wait(now + RECHECK, anchor, step)
        return Send(step, now, anchor, because="the reader asked for it")
    own = place.window_of(step, day)
    window = _open_window(place, step, day, now)
    if window.opens_at > now:
        return Wait(window.opens_at, anchor, step)
    if place.is_last_open:
        return Wait(now + RECHECK, anchor, step)
    return Send(step, own.opens_at, anchor)


def _open_window(place: Place, step: StepPlan, day: date, now: datetime) -> Window:
    """The first window that has not closed by `now`, on a day on which the reader may have a mail."""
    # A step whose day has passed leaves at its hour today, not in the middle of the night.
    earliest = max(day, local_date(now, place.zone), _free_from(place))
    return first_open(lambda on: place.window_of(step, on), day, earliest, now)


def _free_from(place: Place) -> date:
    """The first day on which the reader may have a mail: none on the day on which the last one left, nor
    while all that they get leaves no room."""
    own = place.last_left_on + timedelta(days=1) if place.last_left_on else date.min
    return max(own, place.room_from or date.min)


def _extra(
    place: Place, steps: Sequence[StepPlan], now: datetime, ways: Ways, anchor: Anchor, step_id: int
) -> Send | Wait | Skip | Finish:
    """A step outside the course's days, on the first day that is free."""
    step = next((one for one in (*steps, *ways.easier) if one.id == step_id), None)
    if step is None:  # retired since
        extras, last_extras = _extras_behind(place, step_id)
        following = decide(replace(place, extras=extras, last_extras=last_extras), steps, now, ways)
        return following if not isinstance(following, Stop) else Finish()
    # Rules and variants are asked as they would be on its day; a gentler version is somebody's answer.
    first = next((at for at, one in enumerate(steps) if one.day == step.day), 0)
    chosen = step if step.easier_than else _choice(place, steps, first)
    # It belongs on no day of the course: today's hour is the first that it can be late for, or, of an evening
    # in the quiet hours, yesterday's.
    day = local_date(now, place.zone) - timedelta(days=place.nights(chosen or step))
    sent = _leave(place, chosen or step, day, anchor, now)
    if chosen is None and isinstance(sent, Send):
        return Skip((step,), sent.due_at, anchor, f"only for those with: {step.condition}", step_id)
    return replace(sent, extra_of=step_id) if isinstance(sent, Send) else sent


def _extras_behind(place: Place, step_id: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The extras and last extras that come after this one: what stands before it was retired."""
    extras, last_extras = place.extras, place.last_extras
    if step_id in extras:
        return extras[extras.index(step_id) + 1 :], last_extras
    return (), last_extras[last_extras.index(step_id) + 1 :]


def _choice(place: Place, steps: Sequence[StepPlan], position: int) -> StepPlan | None:
    """Which of the steps of one day is this reader's; None: none of them."""
    day = steps[position].day
    for step in steps[position:]:
        if step.day != day:
            break
        if step.instead_of:
            if place.holds and step.condition in place.holds:
                return step
        elif not step.condition or place.holds is None or step.condition in place.holds:
            return step
    return None


def _once_more(
    place: Place, steps: Sequence[StepPlan], position: int, ways: Ways
) -> tuple[StepPlan | None, int | None]:
    """The week's step to be sent again before the reader goes on, if they were not ready for that; its week.

    "Not yet" repeats the week once, as the variant that is this reader's; said again, or "too hard", it asks
    for the gentler version, once.
    """
    answers = dict(place.answers)
    if not answers:
        return None, None
    last = _last_week(steps, position)
    if last is None or last.week is None or not _is_week_over(last, steps[position]):
        return None, None
    answer, times = answers.get(last.week), dict(place.repeats).get(last.week, 0)
    easier = next((one for one in ways.easier if one.easier_than == last.key), None)
    same = _choice(place, steps, next(at for at, one in enumerate(steps) if one.day == last.day)) or last
    match answer:
        case Answer.NOT_YET:
            return (same if times == 0 else easier if times == 1 else None), last.week
        case Answer.TOO_HARD:
            return ((easier or same) if times == 0 else easier if times == 1 else None), last.week
    return None, None


def _last_week(steps: Sequence[StepPlan], position: int) -> StepPlan | None:
    """The protocol step whose week the reader is in, as it stands before `position`."""
    passed = (step for step in reversed(steps[:position]) if step.week is not None and not step.instead_of)
    return next(passed, None)


def _is_week_over(week: StepPlan, following: StepPlan) -> bool:
    return following.week is not None or following.day - week.day >= WEEK


def _span(place: Place, steps: Sequence[StepPlan], position: int, week: int) -> int:
    """How many days the week takes, so that what follows comes as much later."""
    first = next(step for step in steps if step.week == week and not step.instead_of)
    gap = date_of(place, Anchor(date(2000, 1, 1), first.day), steps[position].day, steps)
    return max(1, (gap - date(2000, 1, 1)).days)
