"""The queues as an operator watches them: what waits, how fast it moves, who takes from it, what stops it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Float, Row, cast, func, or_, select, text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import as_array
from mailer.delivery.holds import Holds, in_force, list_holds
from mailer.delivery.sources import read_sources
from mailer.models import (
    BreakerState,
    DeliveryState,
    Heartbeat,
    HoldCause,
    Lane,
    LimitOrigin,
    Period,
    SendLimit,
    Transport,
)

SILENT = timedelta(seconds=90)
"""A queue whose last heartbeat is older has no worker: they are sent every 10 s and kept for 60 s."""

STUCK = timedelta(minutes=5)
"""A due mail leaves within seconds; after this, and nothing sent meanwhile, somebody should look."""

LOOK_AT = 100_000
"""Deferred rows that are counted one by one; more than this are shown as this many."""

SHOWN = timedelta(hours=1)
"""A worker that was heard of before that is gone, and not shown."""


@dataclass(frozen=True)
class LaneStatus:
    """One lane. Ages and times are in seconds; `oldest` is of the mail that is first in line.

    `late` is the same of what nobody has stopped: no course, campaign, sender or domain on hold.
    `waiting` are due and not on their way; `on_their_way` are offered to a worker or with one; `deferred`
    are planned for a later moment. `per_second` is of the last minute, None when nothing was accepted in it.
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
    late: float | None = None

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
    """What is on hold; `cause` is a word of HoldCause."""

    cause: str
    scope: str
    target: str
    reason: str
    since: datetime

    @property
    def by_person(self) -> bool:
        """Whether somebody paused it."""
        return self.cause == HoldCause.PERSON

    @property
    def by_canary(self) -> bool:
        """Whether a campaign's own first mails stopped it: somebody decides at the campaign."""
        return self.cause == HoldCause.CANARY

    @property
    def by_itself(self) -> bool:
        """Whether it stopped after an outage, a restore or on a copy, and is to be released."""
        return not (self.by_person or self.by_canary)

    @property
    def name(self) -> str:
        """ "everything", "lane course"."""
        return f"{self.scope} {self.target}".strip()


@dataclass(frozen=True)
class TransportStatus:
    """A transport that does not carry what it could: paused, out, or being tried again."""

    slug: str
    state: str
    reason: str


@dataclass(frozen=True)
class AllowedStatus:
    """The most that a transport may send in a period, to one domain group or (empty) in all.

    `origin` says who says so: `set` by a person, the `warmup` of today, or `slowed` by a busy server.
    """

    transport: str
    domain_group: str
    period: str
    most: int
    origin: str

    @property
    def words(self) -> str:
        """ "relay2: 1,000 an hour to gmail", "relay2: 50 a day (warmup)"."""
        article = "an" if self.period == Period.HOUR else "a"
        to = f" to {self.domain_group}" if self.domain_group else ""
        why = "" if self.origin == LimitOrigin.SET else f" ({self.origin})"
        return f"{self.transport}: {self.most:,} {article} {self.period}{to}{why}"


@dataclass(frozen=True)
class QueueStatus:
    """All of it at the business moment `at`. `depths` are tasks in the broker, None when it is away."""

    at: datetime
    lanes: Sequence[LaneStatus]
    depths: Mapping[str, int | None]
    workers: Sequence[WorkerStatus]
    last_heartbeats: Mapping[str, float]
    holds: Sequence[HoldStatus]
    transports: Sequence[TransportStatus] = ()
    allowed: Sequence[AllowedStatus] = ()
    all_transports: Sequence[str] = ()

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
        for one in self.transports:
            why = f": {one.reason}" if one.reason else ""
            lines.append(
                f"Transport {one.slug} is {one.state}{why} (`steadypost transport show {one.slug}`)."
            )
        for hold in self.holds:
            if hold.cause == HoldCause.CANARY:
                lines.append(f"{hold.reason} (`steadypost campaign show {hold.target}`).")
        for lane in self.lanes:
            if self._is_stuck(lane):
                due = age_words(lane.oldest or 0)
                lines.append(
                    f"Nothing has left the lane {lane.lane} for a minute, and its oldest mail is due for "
                    f"{due}: look at its workers, the relay and the log."
                )
            if lane.lapsed:
                lines.append(f"{lane.lapsed:,} of the lane {lane.lane} are with workers that are overdue.")
        return lines

    def _is_stuck(self, lane: LaneStatus) -> bool:
        """Whether mail is due for longer than it ever should be, nobody has paused it, and nothing moves."""
        is_paused = any(hold.name in ("everything", f"lane {lane.lane}") for hold in self.holds)
        return (lane.oldest or 0) > STUCK.total_seconds() and not lane.per_second and not is_paused

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
            "transports": [asdict(one) for one in self.transports],
            "allowed": [asdict(one) for one in self.allowed],
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


def queue_status(
    session: Session, now: datetime, depths: Mapping[str, int | None], *, look_at: int = LOOK_AT
) -> QueueStatus:
    """The queues at `now` (business time). `depths` names every queue, with None when the broker is away.

    Reads tallies and the few batches; of the deliveries only the first in line of each source, and `look_at`
    deferred ones of each.
    """
    lanes = _lanes(session, now, look_at)
    beats = _heartbeats(session)
    last: dict[str, float] = {}
    for beat in beats:
        last[beat.queue] = min(beat.age, last.get(beat.queue, beat.age))
    shown = [
        WorkerStatus(beat.queue, beat.worker, beat.age, beat.round_trip)
        for beat in beats
        if beat.age <= SHOWN.total_seconds()
    ]
    holds = [
        HoldStatus(hold.cause, hold.scope, hold.target, hold.reason, hold.since)
        for hold in list_holds(session)
    ]
    slugs = session.scalars(select(Transport.slug).order_by(Transport.slug)).all()
    return QueueStatus(now, lanes, depths, shown, last, holds, _transports(session), allowed(session), slugs)


def _transports(session: Session) -> list[TransportStatus]:
    """Those that somebody may want to know of."""
    rows = session.execute(
        select(Transport)
        .where(or_(Transport.paused_at.is_not(None), Transport.state != BreakerState.CLOSED))
        .order_by(Transport.slug)
    ).scalars()
    words = {BreakerState.OPEN: "out", BreakerState.PROBING: "being tried again"}
    return [
        TransportStatus(row.slug, "paused", row.paused_reason)
        if row.paused_at is not None
        else TransportStatus(row.slug, words[BreakerState(row.state)], row.reason)
        for row in rows
    ]


def allowed(session: Session) -> list[AllowedStatus]:
    rows = session.execute(
        select(Transport.slug, SendLimit.domain_group, SendLimit.period, SendLimit.most, SendLimit.origin)
        .join(Transport, Transport.id == SendLimit.transport_id)
        .order_by(Transport.slug, SendLimit.domain_group, SendLimit.period, SendLimit.origin)
    )
    return [AllowedStatus(*row) for row in rows]


# A range of ix_deliveries_open for each source; the words stand in the statement itself, where the planner
# can see that they are those of the partial index.
FIRST = """
    SELECT s.source, first, later
    FROM unnest(CAST(:sources AS text[])) AS s (source)
    CROSS JOIN LATERAL (
        SELECT min(next_attempt_at) AS first FROM deliveries AS d
        WHERE d.state = 'planned' AND d.lane = '{lane}' AND d.source = s.source AND d.next_attempt_at <= :now
    ) AS w
    CROSS JOIN LATERAL (
        SELECT count(*) AS later
        FROM (
            SELECT 1 FROM deliveries AS d
            WHERE d.state = 'planned' AND d.lane = '{lane}' AND d.source = s.source
              AND d.next_attempt_at > :now LIMIT :look_at
        ) AS few
    ) AS f
"""
# The same of people at no paused domain: those of such a domain are among the first ones that are due.
NOT_AT = """
    SELECT s.source, w.first
    FROM unnest(CAST(:sources AS text[])) AS s (source)
    CROSS JOIN LATERAL (
        SELECT d.next_attempt_at AS first
        FROM deliveries AS d
        JOIN subscribers AS p ON p.id = d.subscriber_id
        WHERE d.state = 'planned' AND d.lane = '{lane}' AND d.source = s.source AND d.next_attempt_at <= :now
          AND split_part(p.email_key, '@', 2) <> ALL (CAST(:domains AS text[]))
        ORDER BY d.next_attempt_at LIMIT 1
    ) AS w
"""
_BATCHES = text("""
    SELECT lane, coalesce(sum(cardinality(delivery_ids)), 0)::bigint AS mails,
           coalesce(sum(cardinality(delivery_ids)) FILTER (WHERE lease_until < clock_timestamp()), 0)::bigint
               AS lapsed
    FROM batches GROUP BY lane
    """)
_RATES = text("""
    SELECT lane, sum(mails)::bigint AS accepted
    FROM moves
    WHERE new_state = 'accepted' AND at > clock_timestamp() - interval '1 minute'
    GROUP BY lane
    """)


def _lanes(session: Session, now: datetime, look_at: int) -> list[LaneStatus]:
    open_, aside = _counted(session)
    batches = {row.lane: row for row in session.execute(_BATCHES)}
    rates = {row.lane: row.accepted / 60 for row in session.execute(_RATES)}
    holds = in_force(session)
    stopped = _stopped(session, {source for sources in open_.values() for source in sources}, holds)
    return [
        _lane(
            session,
            lane,
            now,
            look_at,
            open_[lane],
            stopped,
            holds.domains,
            aside,
            batches.get(lane),
            rates.get(lane),
        )
        for lane in Lane
    ]


def _stopped(session: Session, names: Set[str], holds: Holds) -> frozenset[str]:
    """Those of the sources whose course, campaign or sender is on hold."""
    if not (holds.course_ids or holds.campaign_ids or holds.sender_ids):
        return frozenset()
    return frozenset(one.name for one in read_sources(session, sorted(names)) if holds.stops_source(one))


def _counted(session: Session) -> tuple[dict[str, dict[str, int]], Counter[tuple[str, str]]]:
    """What is planned by lane and source, and what is set aside by lane and state."""
    open_: dict[str, dict[str, int]] = {lane: {} for lane in Lane}
    aside: Counter[tuple[str, str]] = Counter()
    for (place, state), mails in tally.counts(session).items():
        if state == DeliveryState.PLANNED:
            sources = open_[place.lane]
            sources[place.source] = sources.get(place.source, 0) + mails
        elif state in (DeliveryState.HELD, DeliveryState.QUARANTINED):
            aside[place.lane, state] += mails
    return open_, aside


def _lane(
    session: Session,
    lane: Lane,
    now: datetime,
    look_at: int,
    open_: Mapping[str, int],
    stopped: frozenset[str],
    domains: frozenset[str],
    aside: Mapping[tuple[str, str], int],
    batches: Any,
    per_second: float | None,
) -> LaneStatus:
    values = {"sources": as_array(open_), "now": now, "look_at": look_at}
    rows = session.execute(text(FIRST.format(lane=lane)), values).all()
    first = {row.source: row.first for row in rows if row.first is not None}
    under_way = batches.mails if batches else 0
    later = sum(row.later for row in rows)
    free = first
    if domains and first:
        values |= {"sources": as_array(first), "domains": as_array(sorted(domains))}
        rows = session.execute(text(NOT_AT.format(lane=lane)), values).all()
        free = {row.source: row.first for row in rows if row.first is not None}
    return LaneStatus(
        lane=lane,
        # A batch may still name mails that have ended already.
        waiting=max(0, sum(open_.values()) - under_way - later),
        oldest=_age(first.values(), now),
        on_their_way=under_way,
        deferred=later,
        per_second=per_second,
        held=aside.get((lane, DeliveryState.HELD), 0),
        quarantined=aside.get((lane, DeliveryState.QUARANTINED), 0),
        lapsed=batches.lapsed if batches else 0,
        late=_age((moment for source, moment in free.items() if source not in stopped), now),
    )


def _age(moments: Iterable[datetime], now: datetime) -> float | None:
    oldest = min(moments, default=None)
    return None if oldest is None else (now - oldest).total_seconds()


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
