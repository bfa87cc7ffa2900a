"""The queues as an operator watches them: what waits, how fast it moves, who takes from it, what stops it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Float, Row, cast, func, select, text
from sqlalchemy.orm import Session

from mailer.delivery.holds import list_holds
from mailer.models import Heartbeat, Lane

SILENT = timedelta(seconds=90)
"""A queue whose last heartbeat is older has no worker: they are sent every 10 s and kept for 60 s."""

SHOWN = timedelta(hours=1)
"""A worker that was heard of before that is gone, and not shown."""


@dataclass(frozen=True)
class LaneStatus:
    """One lane. Ages and times are in seconds; `oldest` is of the mail that is first in line.

    `waiting` are due and not on their way; `on_their_way` are offered to a worker or with one; `deferred`
    are planned for a later moment. `per_second` is None when nothing was accepted in the last minute.
    """

    lane: str
    waiting: int
    oldest: float | None
    on_their_way: int
    deferred: int
    per_second: float | None
    held: int
    quarantined: int
    lapsed: int

    @property
    def sent_last_minute(self) -> int:
        """Accepted in the last minute; at a high rate reckoned from the newest of them."""
        return round(60 * (self.per_second or 0))

    @property
    def drain_seconds(self) -> float | None:
        """When all that is due will have left at this rate; 0 when nothing is, None when nothing moves."""
        due = self.waiting + self.on_their_way
        if due == 0:
            return 0.0
        return due / self.per_second if self.per_second else None


@dataclass(frozen=True)
class WorkerStatus:
    """A worker's last heartbeat in one queue: how long ago, and how long it was under way, in seconds."""

    queue: str
    worker: str
    age: float
    round_trip: float


@dataclass(frozen=True)
class HoldStatus:
    scope: str
    target: str
    reason: str
    since: datetime

    @property
    def name(self) -> str:
        """ "everything", "lane course"."""
        return f"{self.scope} {self.target}".strip()


@dataclass(frozen=True)
class QueueStatus:
    """All of it at the business moment `at`. `depths` are tasks in the broker, None when it is away."""

    at: datetime
    lanes: Sequence[LaneStatus]
    depths: Mapping[str, int | None]
    workers: Sequence[WorkerStatus]
    last_heartbeats: Mapping[str, float]
    holds: Sequence[HoldStatus]

    @property
    def is_empty(self) -> bool:
        """Nothing waits, moves or is set aside."""
        return not any(
            lane.waiting or lane.on_their_way or lane.deferred or lane.held or lane.quarantined
            for lane in self.lanes
        )

    def warnings(self) -> list[str]:
        """What somebody should look at, a line each."""
        lines = ["Redis does not answer."] if None in self.depths.values() else []
        for queue in self.depths:
            age = self.last_heartbeats.get(queue)
            if age is None or age > SILENT.total_seconds():
                last = "never" if age is None else f"{age_words(age)} ago"
                lines.append(f"No worker takes from {queue_words(queue)} (last heartbeat: {last}).")
        for lane in self.lanes:
            if lane.lapsed:
                lines.append(f"{lane.lapsed:,} of the lane {lane.lane} are with workers that are overdue.")
        return lines

    def as_values(self) -> dict[str, Any]:
        """For programs; moments as ISO 8601, ages and times in seconds."""
        return {
            "at": self.at.isoformat(),
            "lanes": [
                asdict(lane)
                | {"sent_last_minute": lane.sent_last_minute, "drain_seconds": lane.drain_seconds}
                for lane in self.lanes
            ],
            "depths": dict(self.depths),
            "workers": [asdict(worker) for worker in self.workers],
            "last_heartbeats": {queue: self.last_heartbeats.get(queue) for queue in self.depths},
            "holds": [asdict(hold) | {"since": hold.since.isoformat()} for hold in self.holds],
            "warnings": self.warnings(),
        }


def queue_words(queue: str) -> str:
    """ "the lane course", or "the queue control"."""
    return f"the lane {queue}" if queue in list(Lane) else f"the queue {queue}"


def age_words(seconds: float) -> str:
    """An age as people say it: "12 ms", "0.4 s", "12 s", "3 min", "5 h", "2 days"."""
    if 0 < seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, size, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def queue_status(session: Session, now: datetime, depths: Mapping[str, int | None]) -> QueueStatus:
    """The queues at `now` (business time). `depths` names every queue, with None when the broker is away.

    Reads what is open by its partial indexes, and of what has ended only the newest attempts.
    """
    due = {row.lane: row for row in session.execute(DUE, {"now": now, "look_at": LOOK_AT})}
    with_workers = {row.lane: row for row in session.execute(WITH_WORKERS)}
    aside = {(row.lane, row.state): row.number for row in session.execute(SET_ASIDE)}
    rates = _rates(session, now)
    lanes = []
    for lane in Lane:
        row, sending = due[lane], with_workers.get(lane)
        lanes.append(
            LaneStatus(
                lane=lane,
                waiting=row.due - row.offered,
                oldest=None if row.first is None else (now - row.first).total_seconds(),
                on_their_way=row.offered + (sending.number if sending else 0),
                deferred=row.later,
                per_second=rates.get(lane),
                held=aside.get((lane, "held"), 0),
                quarantined=aside.get((lane, "quarantined"), 0),
                lapsed=sending.lapsed if sending else 0,
            )
        )
    beats = _heartbeats(session)
    last: dict[str, float] = {}
    for beat in beats:
        last[beat.queue] = min(beat.age, last.get(beat.queue, beat.age))
    shown = [
        WorkerStatus(beat.queue, beat.worker, beat.age, beat.round_trip)
        for beat in beats
        if beat.age <= SHOWN.total_seconds()
    ]
    holds = [HoldStatus(hold.scope, hold.target, hold.reason, hold.since) for hold in list_holds(session)]
    return QueueStatus(now, lanes, depths, shown, last, holds)


LOOK_AT = 10_000
"""Offered rows come first in line, and no more of a lane are ever offered at once."""

SAMPLE = 20_000
"""Newest attempts from which rates are reckoned: more than this in a minute, and a part of it will do."""

# One count for each lane, each a range of ix_deliveries_open; the words stand in the statement itself, where
# the planner can see that they are those of the partial index.
DUE = text("""
    SELECT l.lane, w.due, w.first, o.offered, f.later
    FROM unnest(ARRAY['transactional', 'course', 'campaign']) AS l (lane)
    CROSS JOIN LATERAL (
        SELECT count(*) AS due, min(next_attempt_at) AS first FROM deliveries AS d
        WHERE d.state = 'planned' AND d.lane = l.lane AND d.next_attempt_at <= :now
    ) AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS later FROM deliveries AS d
        WHERE d.state = 'planned' AND d.lane = l.lane AND d.next_attempt_at > :now
    ) AS f
    CROSS JOIN LATERAL (
        SELECT count(*) AS offered
        FROM (
            SELECT offered_until FROM deliveries AS d
            WHERE d.state = 'planned' AND d.lane = l.lane AND d.next_attempt_at <= :now
            ORDER BY d.next_attempt_at, d.id LIMIT :look_at
        ) AS ahead
        WHERE offered_until > clock_timestamp()
    ) AS o
    """)
WITH_WORKERS = text("""
    SELECT lane, count(*) AS number, count(*) FILTER (WHERE lease_until < clock_timestamp()) AS lapsed
    FROM deliveries WHERE state = 'sending' GROUP BY lane
    """)
# By the index on course and state, course after course; confirmations belong to none.
SET_ASIDE = text("""
    SELECT lane, state, count(*) AS number
    FROM (
        SELECT d.lane, d.state FROM courses AS c
        CROSS JOIN LATERAL (
            SELECT lane, state FROM deliveries
            WHERE course_id = c.id AND state IN ('held', 'quarantined') OFFSET 0
        ) AS d
        UNION ALL
        SELECT lane, state FROM deliveries WHERE course_id IS NULL AND state IN ('held', 'quarantined')
    ) AS aside
    GROUP BY lane, state
    """)
# There is no index on the time of an attempt: the newest are those with the highest ids. Each looks up its
# mail by the key, where a join would sooner or later read them all.
NEWEST = text("""
    SELECT lane, count(*) FILTER (WHERE outcome = 'accepted') AS accepted,
           min(at) AS first, count(*) AS number
    FROM (
        SELECT (SELECT lane FROM deliveries AS d WHERE d.id = a.delivery_id) AS lane, a.outcome, a.at
        FROM (SELECT delivery_id, at, outcome FROM attempts ORDER BY id DESC LIMIT :sample) AS a
        WHERE a.at > :since
    ) AS newest
    GROUP BY lane
    """)


def _rates(session: Session, now: datetime) -> dict[str, float]:
    """Accepted mails per second by lane, over the last minute or as far back as the sample goes."""
    minute = timedelta(minutes=1)
    rows = session.execute(NEWEST, {"since": now - minute, "sample": SAMPLE}).all()
    span = minute
    if sum(row.number for row in rows) >= SAMPLE:
        span = min(minute, now - min(row.first for row in rows))
    seconds = max(1.0, span.total_seconds())
    return {row.lane: row.accepted / seconds for row in rows if row.accepted}


def _heartbeats(session: Session) -> Sequence[Row[Any]]:
    """Every worker in every queue, by the database's clock, which they were written by."""
    age = func.extract("epoch", func.clock_timestamp() - Heartbeat.seen_at)
    round_trip = func.extract("epoch", Heartbeat.seen_at - Heartbeat.sent_at)
    rows = select(
        Heartbeat.queue,
        Heartbeat.worker,
        cast(func.greatest(age, 0), Float).label("age"),
        cast(func.greatest(round_trip, 0), Float).label("round_trip"),
    ).order_by(Heartbeat.queue, Heartbeat.worker)
    return session.execute(rows).all()
