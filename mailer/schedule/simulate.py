"""A course lived through ahead of time: the tick's own decisions on a clock that is only thought. Pure.

Each mail is taken to leave at the moment it is due, as it does while servers are well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heapreplace

from mailer.clock import local_date
from mailer.schedule.cap import WEEK, Cap, with_room
from mailer.schedule.conditions import NOT_ASKED, Met
from mailer.schedule.courses import CoursePlan
from mailer.schedule.decide import Finish, Send, Skip, Stop, Wait, after, decide, past
from mailer.schedule.place import Place, StepPlan
from mailer.schedule.reasons import reason_of

COUNTED = WEEK + timedelta(days=2)
"""How far back a cap looks, in any zone."""

MOST = 20_000
"""Decisions for one reader; more would mean that a course goes round in circles."""

Meets = Callable[[datetime, Mapping[int, str], frozenset[str], datetime | None], Met]
"""What a reader meets of the course's rules at a moment, by their newest answers, the steps they had, and
when the last of its mails left."""

Answers = Mapping[int, Sequence[str]]
"""What a reader says of each week: after its first mail, after its second, and so on."""


@dataclass(frozen=True)
class Mail:
    """A mail that leaves (`is_sent`), or is passed over; `reason` is in words.

    `is_repeat`: it came before as it is, and says so. `answers` are what was said of each week by then.
    """

    step: StepPlan
    due_at: datetime
    reason: str
    is_sent: bool = True
    is_repeat: bool = False
    answers: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Reading:
    """A course from `start` on for a reader who stands at `place` then.

    A mail that is on its way at `start` leaves then. `on_end` hears when the course ends for them, by which
    rule ("" for none), and their newest answers.
    """

    plan: CoursePlan
    place: Place
    start: datetime
    answers: Answers = field(default_factory=dict)
    meets: Meets | None = None
    on_end: Callable[[datetime, str, Mapping[int, str]], None] = lambda *_: None


def live(
    reading: Reading, until: datetime, *, cap: Cap | None = None, lessons: Iterable[datetime] = ()
) -> Iterator[Mail]:
    """What the reader gets of a course before `until`, in order.

    `lessons` are those that the `cap` counts besides (see `cap.lessons_of`).
    """
    return (mail for _, mail in live_together([reading], until, cap=cap, lessons=lessons))


def live_together(
    readings: Sequence[Reading], until: datetime, *, cap: Cap | None = None, lessons: Iterable[datetime] = ()
) -> Iterator[tuple[int, Mail]]:
    """What one reader gets of several courses, each mail with its course's place among the `readings`.

    Under a `cap` they make room for each other. Of two that are due at one moment the first one goes first.
    """
    counted = sorted(lessons)
    turns = [(one.start, at, _lived(one, until, cap, counted)) for at, one in enumerate(readings)]
    heapify(turns)
    while turns:
        _, at, going = turns[0]
        for found in going:
            if isinstance(found, datetime):
                heapreplace(turns, (found, at, going))
                break
            yield at, found
        else:
            heappop(turns)


def _lived(
    reading: Reading, until: datetime, cap: Cap | None, counted: list[datetime]
) -> Iterator[Mail | datetime]:
    """The mails of one course, and when it is to be asked again; `counted` are all mails of this reader."""
    plan, place, now, meets = reading.plan, reading.place, reading.start, reading.meets
    if place.is_last_open:
        place = replace(place, is_last_open=False, last_left_on=local_date(now, place.zone))
    said: dict[int, list[str]] = {week: list(words) for week, words in reading.answers.items()}
    newest: dict[int, str] = {}
    had: set[str] = set()
    last: datetime | None = None
    for _ in range(MOST):
        met = meets(now, newest, frozenset(had), last) if meets else NOT_ASKED
        # Most decisions find what the one before them found, and making a place anew costs most of one.
        if (met.holds, met.stop) != (place.holds, place.stop):
            place = replace(place, holds=met.holds, stop=met.stop)
        if cap is not None:
            counted[:] = [moment for moment in counted if moment > now - COUNTED]
            place = with_room(place, cap, counted, now)
        decision = decide(place, plan.steps, now, plan.ways)
        match decision:
            case Finish():
                return reading.on_end(now, "", newest)
            case Stop(rule):
                return reading.on_end(now, rule, newest)
            case Wait(moment, anchor):
                if moment >= until:
                    return
                place = place if anchor == place.anchor else replace(place, anchor=anchor)
                now = moment
                yield now
            case Skip() as skip:
                yield from (Mail(step, skip.due_at, skip.reason, is_sent=False) for step in skip.steps)
                place = past(place, skip)
            case Send() as send:
                is_repeat = send.repeats is not None and not send.step.easier_than
                said_by_then = tuple(newest.items()) if newest else ()
                reason = reason_of(place, send, plan.steps, now)
                yield Mail(send.step, now, reason, is_repeat=is_repeat, answers=said_by_then)
                had.add(send.step.key)
                last = now
                counted.append(now)
                then = after(place, send, plan.steps, local_date(now, place.zone))
                if then.last_day >= plan.steps[-1].day and not (then.extras or then.last_extras):
                    # With its last mail the course is over, before anybody says something about that.
                    return reading.on_end(now, "", newest)
                place = _answered(then, send, said)
                newest.update(place.answers)


def _answered(place: Place, send: Send, said: dict[int, list[str]]) -> Place:
    """The place of a reader who answers a week's mail as soon as they have it."""
    week = send.repeats or send.step.week
    words = said.get(week, []) if week is not None else []
    if week is None or not words:
        return place
    answers = {**dict(place.answers), week: words.pop(0)}
    return replace(place, answers=tuple(sorted(answers.items())))
