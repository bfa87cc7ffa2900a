"""At most so many mails a day and a week for one person, over all courses and campaigns; lessons win.

A lesson makes room for other lessons only. A campaign's mail makes room for lessons, also for those that
are known to come later on the same day or in the six days after it, and for other campaigns. Welcomes and
confirmations are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer.clock import local_date, zone
from mailer.content.course_words import parse_send_time
from mailer.db import as_array
from mailer.errors import Refused
from mailer.models import Campaign, FrequencyCap, Losing
from mailer.schedule.place import Place, StepPlan
from mailer.schedule.reasons import UNDECIDED
from mailer.schedule.stopped import stopped_courses
from mailer.schedule.timing import Window, first_from, leaves_at, quiet_until

WEEK = timedelta(days=7)
NOWHERE = "Etc/UTC"
"""By whose clock a campaign's mail leaves to people of whom no zone is known."""
FOR_ROOM = "waits for room: "
"""How the reason of a mail begins that its reader has no room for yet."""
FOR_QUIET = "waits for the end of the quiet hours"
FOR_ANOTHER = "waits until it is known whether another mail leaves"
A_MOMENT = timedelta(minutes=1)
"""After how long it is known what became of a mail that another worker has."""
NOT_LOOKED_AT = timedelta(hours=1)
"""For how long an enrollment that is due may have no lesson after all; then it counts as one that has."""
PATIENCE = timedelta(days=7)
"""How long a campaign's mail looks for room before it is dropped."""
INTERRUPTED = timedelta(days=1)
"""What looks again so much later than it wanted to was paused, or an outage lay between: it begins anew."""


@dataclass(frozen=True)
class Cap:
    """The limits; None: no such limit. Quiet hours may go over midnight."""

    per_day: int | None = None
    per_week: int | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    losing: Losing = Losing.MOVE

    def __str__(self) -> str:
        words = [f"{self.per_day} a day"] if self.per_day else []
        words += [f"{self.per_week} a week"] if self.per_week else []
        return f"at most {' and '.join(words)}"

    @property
    def quiet(self) -> tuple[time, time] | None:
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return self.quiet_from, self.quiet_until


@dataclass
class Before:
    """What a campaign's mail makes room for. `mails` are those that its reader got in the last week and the
    lessons that are due within the next; `in_hand` are other campaigns' that a worker has: they are leaving,
    or not."""

    mails: list[datetime] = field(default_factory=list)
    in_hand: list[datetime] = field(default_factory=list)


NOTHING_BEFORE = Before()


@dataclass(frozen=True)
class Full:
    """There is no room now. `until` is when to look again, None: there will be none in time.

    `because` is what stays known of it when the mail has left. `since` is when it began to look for room.
    """

    until: datetime | None
    reason: str
    because: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Lesson:
    """A lesson that somebody had, or will have before long: `due_at` by its own date, and when it left."""

    enrollment_id: int
    due_at: datetime
    left_at: datetime


@dataclass(frozen=True)
class Limited:
    """What all the lessons of one person came to under a cap, for looking back."""

    cap: Cap
    lessons: tuple[Lesson, ...] = ()

    def turn_of(self, place: Place, step: StepPlan, day: date, enrollment_id: int) -> Window:
        """When `step`, which by its own date belongs on `day`, had or has its turn.

        Each day is asked at its own hour, as the tick does: what was due later on that day did not stand in
        the way.
        """
        place = replace(place, quiet=self.cap.quiet)
        window = place.window_of(step, day)
        while self.is_full(place.zone, window.day, window.opens_at, enrollment_id):
            after = window.day + timedelta(days=1)
            window = first_from(lambda on: place.window_of(step, on), day, after)
        return window

    def is_full(self, zone_name: str, day: date, moment: datetime, enrollment_id: int) -> bool:
        """Whether the lessons of this person's other courses left no room on `day`, asked at `moment`."""
        others = [
            local_date(one.left_at, zone_name)
            for one in self.lessons
            if one.enrollment_id != enrollment_id and one.due_at <= moment
        ]
        return _is_full(self.cap, others, day)


MOST_A_DAY, MOST_A_WEEK = 50, 200


def wished_cap(
    per_day: int | None, per_week: int | None, quiet_from: str, quiet_until: str, losing: str
) -> Cap | None:
    """The cap that somebody wishes, hours as 22:00; None when nothing is to be limited. Raises Refused."""
    for number, most, words in ((per_day, MOST_A_DAY, "a day"), (per_week, MOST_A_WEEK, "a week")):
        if number is not None and not 1 <= number <= most:
            raise Refused(f"Between 1 and {most} mails {words}, or leave it empty.")
    if losing not in list(Losing):
        raise Refused(f"A campaign's mail without room is either {' or '.join(Losing)}.")
    hours = quiet_hours(quiet_from, quiet_until)
    wished = Cap(per_day, per_week, *hours, Losing(losing))
    return wished if per_day or per_week or wished.quiet else None


def quiet_hours(begins: str, ends: str) -> tuple[time | None, time | None]:
    """The hours without mail, both None when neither is said; raises Refused when they are no hours."""
    if not begins and not ends:
        return None, None
    hours = parse_send_time(begins), parse_send_time(ends)
    if None in hours or hours[0] == hours[1]:
        raise Refused(f"{begins!r} to {ends!r} are no hours; write them as 22:00 and 07:00.")
    return hours


def read_cap(session: Session) -> Cap | None:
    """The cap that is set, or None."""
    row = session.get(FrequencyCap, 1, populate_existing=True)
    if row is None:
        return None
    return Cap(row.per_day, row.per_week, row.quiet_from, row.quiet_until, Losing(row.losing))


def cap_for(session: Session, source: str) -> tuple[Cap | None, str]:
    """The cap as it is for the mails of one source (`Delivery.source`), and the zone of people without one.

    A campaign may have a way of its own with those that there is no room for, and leave by local times.
    """
    cap = read_cap(session)
    kind, _, number = source.partition(":")
    if cap is None or kind != "campaign":
        return cap, NOWHERE
    own = session.execute(select(Campaign.no_room, Campaign.local).where(Campaign.id == int(number))).one()
    return replace(cap, losing=Losing(own.no_room or cap.losing)), own.local.get("zone", NOWHERE)


def set_cap(session: Session, cap: Cap | None) -> None:
    """Set the cap, or (None) lift it."""
    row = session.get(FrequencyCap, 1)
    if cap is None:
        if row is not None:
            session.delete(row)
        return
    row = row or FrequencyCap(id=1)
    row.per_day, row.per_week = cap.per_day, cap.per_week
    row.quiet_from, row.quiet_until, row.losing = cap.quiet_from, cap.quiet_until, cap.losing
    session.add(row)
    session.flush()


def free_from(
    cap: Cap, zone_name: str, mails: Iterable[datetime], now: datetime, *, days_ahead: int = 0
) -> date:
    """The first day on which somebody who got `mails` has room for one more; today if there is some.

    With `days_ahead` the weeks that end on one of so many days after it must have room as well.
    """
    days = sorted(local_date(moment, zone_name) for moment in mails)
    day = local_date(now, zone_name)
    while _is_full(cap, days, day) or any(
        _is_week_full(cap, days, day + timedelta(days=ahead)) for ahead in range(1, days_ahead + 1)
    ):
        day += timedelta(days=1)
    return day


def _is_full(cap: Cap, days: Sequence[date], day: date) -> bool:
    """Whether the mails of these days leave no room on `day`."""
    return bool(cap.per_day and days.count(day) >= cap.per_day) or _is_week_full(cap, days, day)


def _is_week_full(cap: Cap, days: Sequence[date], last: date) -> bool:
    """Whether the mails of these days leave no room in the week of `last` and the six days before it."""
    return bool(cap.per_week and sum(last - WEEK < day <= last for day in days) >= cap.per_week)


def with_room(place: Place, cap: Cap, lessons: Iterable[datetime], now: datetime) -> Place:
    """The place with the room that a person's courses leave, this one too; `lessons` as in `lessons_of`."""
    day = free_from(cap, place.zone, lessons, now)
    room_from = day if day > local_date(now, place.zone) else None
    if (room_from, cap.quiet) == (place.room_from, place.quiet):
        return place
    return replace(place, room_from=room_from, quiet=cap.quiet)


@dataclass(frozen=True)
class Look:
    """A campaign's mail that asks for room at `now`; `since` is when it began to, if it did before."""

    due_at: datetime
    now: datetime
    since: datetime | None = None


def look_at(row: Any, due_at: datetime, now: datetime) -> Look:
    """A mail that is looked at now; `row` has its `next_attempt_at` and `no_room_since`.

    What was paused or held meanwhile, or had room and did not leave for another reason, begins to look anew.
    """
    goes_on = row.no_room_since is not None and now - row.next_attempt_at < INTERRUPTED
    return Look(due_at, now, row.no_room_since if goes_on else None)


def room_for(cap: Cap, zone_name: str, mails: Sequence[datetime], look: Look) -> Full | None:
    """Whether a campaign's mail may leave now; None: it may.

    `mails` are those that the reader got in the last week and the lessons that are due within the next. One
    that has to wait leaves at its own hour.
    """
    now = look.now
    if cap.quiet is not None and (ends_at := quiet_until(cap.quiet, zone_name, now)) is not None:
        return Full(ends_at, FOR_QUIET, "put off by quiet hours", look.since)
    day = free_from(cap, zone_name, mails, now, days_ahead=6)
    if day == local_date(now, zone_name):
        return None
    if cap.losing is Losing.DROP:
        return Full(None, f"no room for it: {cap}")
    since = look.since or now
    last = local_date(since, zone_name) + PATIENCE
    if local_date(now, zone_name) >= last:
        return Full(None, f"no room for it within a week: {cap}")
    # Not dropped before, however full the week is: lessons that are to come may not come after all.
    until = leaves_at(min(day, last), look.due_at.astimezone(zone(zone_name)).time(), zone_name)
    return Full(until, f"{FOR_ROOM}{cap}", f"put off to a day with room, {cap}", since)


def room_after(cap: Cap, zone_name: str, before: Before, look: Look) -> Full | None:
    """`room_for` a campaign's mail, which waits a moment where a mail that another worker has may take it."""
    full = room_for(cap, zone_name, before.mails, look)
    if full is not None or not before.in_hand:
        return full
    if room_for(cap, zone_name, [*before.mails, *before.in_hand], look) is None:
        return None
    return Full(look.now + A_MOMENT, FOR_ANOTHER, since=look.since)


# Lessons that are open count as if they left when they are tried next, which may be after their reader's
# pause. One that is set aside, or whose course is stopped, leaves when somebody says so; other courses do not
# wait for that. One that is uncertain may well have arrived.
_LESSONS = text("""
    SELECT subscriber_id, coalesce(settled_at, greatest(next_attempt_at, :now)) AS at FROM deliveries
    WHERE subscriber_id = ANY (CAST(:people AS bigint[])) AND kind IN ('step', 'repeat')
      AND (state = 'sending' OR state IN ('accepted', 'uncertain') AND settled_at > :since
           OR state = 'planned' AND course_id <> ALL (CAST(:stopped AS bigint[])))
    """)
_HISTORY = text("""
    SELECT subscriber_id, enrollment_id, due_at, coalesce(settled_at, :now, next_attempt_at) AS at
    FROM deliveries
    WHERE subscriber_id = ANY (CAST(:people AS bigint[])) AND kind IN ('step', 'repeat')
      AND state IN ('planned', 'sending', 'held', 'accepted', 'uncertain')
    """)
# Of two campaigns that are with workers at this moment the older row counts for the younger one. One that was
# claimed earlier could not see the older one then, so that one finds it in hand. What is due late is still to
# come today, unless its course is stopped. While a course's last lesson is open its next one waits for it,
# however often that is asked. An enrollment that the tick has yet to look at may turn out to have a lesson
# today, or none: for so long a mail waits, and is not lost to a lesson that does not come.
# (Looked up by their keys: joined, the planner might read all open mails.)
_MAILS = text("""
    SELECT d.id, m.at, m.is_in_hand
    FROM unnest(CAST(:ids AS bigint[]), CAST(:people AS bigint[])) AS d (id, subscriber_id)
    JOIN LATERAL (
        SELECT coalesce(o.settled_at, greatest(o.next_attempt_at, :now)) AS at,
               o.state = 'sending' AND o.lane <> 'course' AND o.id > d.id AS is_in_hand
        FROM deliveries AS o
        WHERE o.subscriber_id = d.subscriber_id AND o.id <> d.id AND o.kind IN ('step', 'repeat', 'campaign')
          AND (o.state IN ('accepted', 'uncertain') AND o.settled_at > :since
               OR o.state = 'sending' AND (o.lane = 'course' OR o.id < d.id
                   OR (SELECT b.token IS NOT NULL FROM batches AS b WHERE b.id = o.batch_id))
               OR o.state = 'planned' AND o.lane = 'course'
                   AND o.course_id <> ALL (CAST(:stopped AS bigint[])))
        UNION ALL
        SELECT greatest(e.next_due_at, :now), e.next_due_at BETWEEN :lately AND :now FROM enrollments AS e
        WHERE e.subscriber_id = d.subscriber_id AND e.state = 'active' AND e.next_due_at < :soon
          AND (cardinality(e.extras) > 0 OR cardinality(e.last_extras) > 0
               OR EXISTS (SELECT 1 FROM steps AS s WHERE s.course_id = e.course_id AND s.day > e.last_day
                          AND s.retired_at IS NULL AND s.easier_than = ''))
          AND e.course_id <> ALL (CAST(:stopped AS bigint[])) AND e.reason <> :undecided
          AND coalesce((SELECT l.state FROM deliveries AS l WHERE l.id = e.last_delivery_id), '')
              NOT IN ('planned', 'sending', 'held', 'quarantined')
    ) AS m ON true
    """)


def lessons_of(
    session: Session, people: Sequence[int], now: datetime, stopped: Collection[int] = ()
) -> Mapping[int, list[datetime]]:
    """When these people's lessons of the last week left, and those on their way will; of the `stopped`
    courses none will."""
    found: dict[int, list[datetime]] = {}
    values = {
        "people": as_array(people),
        "now": now,
        "since": now - WEEK - timedelta(days=1),
        "stopped": as_array(stopped),
    }
    for row in session.execute(_LESSONS, values):
        found.setdefault(row.subscriber_id, []).append(row.at)
    return found


def lessons_beside(
    session: Session, people: Sequence[int], now: datetime, course_id: int
) -> Mapping[int, list[datetime]]:
    """`lessons_of` these people as this course counts them: of others that are stopped none will leave,
    unless it is stopped itself and goes on when they do."""
    stopped = stopped_courses(session)
    return lessons_of(session, people, now, () if course_id in stopped else stopped)


def looking_back(
    session: Session, cap: Cap, people: Sequence[int], now: datetime | None = None
) -> Mapping[int, Limited]:
    """All lessons of these people, by subscriber. One that is open leaves `now`; None: at its next try."""
    found: dict[int, list[Lesson]] = {}
    for row in session.execute(_HISTORY, {"people": as_array(people), "now": now}):
        lesson = Lesson(row.enrollment_id, row.due_at, row.at)
        found.setdefault(row.subscriber_id, []).append(lesson)
    return {person: Limited(cap, tuple(lessons)) for person, lessons in found.items()}


def mails_before(session: Session, rows: Sequence[tuple[int, int]], now: datetime) -> Mapping[int, Before]:
    """What the readers of each (delivery, subscriber) got lately, or will get soon."""
    found: dict[int, Before] = {}
    values = {
        "ids": as_array(row[0] for row in rows),
        "people": as_array(row[1] for row in rows),
        "now": now,
        "since": now - WEEK - timedelta(days=1),
        "soon": now + WEEK,
        "lately": now - NOT_LOOKED_AT,
        "undecided": UNDECIDED,
        "stopped": as_array(stopped_courses(session)),
    }
    for row in session.execute(_MAILS, values):
        before = found.setdefault(row.id, Before())
        (before.in_hand if row.is_in_hand else before.mails).append(row.at)
    return found
