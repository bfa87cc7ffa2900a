"""What is wrong with sending, in sentences: the board shows them, and those that last become alarms. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from mailer.models import Lane
from mailer.reports.queues import SILENT, HoldStatus, LaneStatus, QueueStatus, age_words, queue_words


class FindingKind(StrEnum):
    """What can be wrong; each has a section in docs/operating.md, by this word."""

    LANE_LATE = "lane-late"
    NOT_DRAINING = "not-draining"
    NO_WORKER = "no-worker"
    BROKER_AWAY = "broker-away"
    TRANSPORT_OUT = "transport-out"
    ON_HOLD = "on-hold"
    CANARY_STOPPED = "canary-stopped"
    QUARANTINED = "quarantined"
    BOUNCES_HIGH = "bounces-high"
    DEFERRALS_HIGH = "deferrals-high"
    COMPLAINTS_HIGH = "complaints-high"


LATE = {
    Lane.TRANSACTIONAL: timedelta(minutes=2),
    Lane.COURSE: timedelta(minutes=10),
    Lane.CAMPAIGN: timedelta(minutes=10),
}
"""How long a due mail may wait before it is called late. Somebody sits and waits for a confirmation."""

LANE_WORDS = {
    Lane.TRANSACTIONAL: "Transactional mail",
    Lane.COURSE: "Course mail",
    Lane.CAMPAIGN: "Campaign mail",
}

FEWEST_TRIED = 100
"""Rates of fewer mails than this say nothing."""

MOST_BOUNCED = 0.05
MOST_PUT_OFF = 0.30
MOST_COMPLAINTS = 0.001
"""Google wants less than 0.1 % (https://support.google.com/mail/answer/81126)."""

FEWEST_COMPLAINTS = 3


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `words` is a sentence. `target` tells it from others of its kind.

    `transport_id` is the transport in trouble. `path` is the page of the desk on which something can be done.
    """

    kind: FindingKind
    target: str
    words: str
    path: str
    transport_id: int | None = None


@dataclass(frozen=True)
class Way:
    """A transport as far as findings need it."""

    id: int
    slug: str
    state: str
    reason: str
    is_used: bool
    is_used_up: bool


@dataclass(frozen=True)
class LastHour:
    """What came of the mails of the last hour, and of the last day's complaints."""

    sent: int = 0
    put_off: int = 0
    refused: int = 0
    sent_in_a_day: int = 0
    complaints_in_a_day: int = 0


def findings(status: QueueStatus, ways: Sequence[Way], hour: LastHour) -> list[Finding]:
    """All that is wrong now, the most urgent first."""
    return [
        *_holds(status),
        *_broker(status),
        *_workers(status),
        *_transports(ways),
        *_lanes(status, ways),
        *_quarantined(status),
        *_rates(hour),
    ]


def _holds(status: QueueStatus) -> Iterator[Finding]:
    for hold in status.holds:
        if hold.by_itself:
            words = f"{hold.name.capitalize()} is on hold by itself: {hold.reason}."
            yield Finding(FindingKind.ON_HOLD, hold.name, words, "/desk/holds")
        elif hold.by_canary:
            words = f"{hold.name.capitalize()} was stopped by its canary: {hold.reason}."
            yield Finding(FindingKind.CANARY_STOPPED, hold.name, words, f"/desk/campaigns/{hold.target}")


def _broker(status: QueueStatus) -> Iterator[Finding]:
    if None in status.depths.values():
        words = "Redis does not answer, so nobody is told what to send; mail waits in the database."
        yield Finding(FindingKind.BROKER_AWAY, "", words, _help(FindingKind.BROKER_AWAY))


def _workers(status: QueueStatus) -> Iterator[Finding]:
    silent = silent_queues(status)
    # Heartbeats are asked for by what takes from this queue, so nothing is known of the others without it.
    for queue in ["control"] if "control" in silent else silent:
        age = status.last_heartbeats.get(queue)
        last = "none was ever heard" if age is None else f"the last was heard {age_words(age)} ago"
        words = f"No worker takes from {queue_words(queue)}: {last}."
        yield Finding(FindingKind.NO_WORKER, queue, words, _help(FindingKind.NO_WORKER))


def silent_queues(status: QueueStatus) -> list[str]:
    """The queues that no worker was heard of in; none while the broker is away, which is another matter."""
    if None in status.depths.values():
        return []
    silent = SILENT.total_seconds()
    return [queue for queue in status.depths if status.last_heartbeats.get(queue, silent + 1) > silent]


def _transports(ways: Sequence[Way]) -> Iterator[Finding]:
    for way in ways:
        if way.is_used and way.state in ("out", "being tried"):
            why = f": {way.reason}" if way.reason else ""
            words = f"Transport {way.slug} is out{why}."
            yield Finding(
                FindingKind.TRANSPORT_OUT, way.slug, words, _help(FindingKind.TRANSPORT_OUT), way.id
            )


def _lanes(status: QueueStatus, ways: Sequence[Way]) -> Iterator[Finding]:
    for lane in status.lanes:
        if not is_late(lane, status):
            continue
        cause = cause_of(lane, status, ways)
        words = f"{late_words(lane)}: {cause.words}."
        if lane.per_second:
            # A large campaign is due all at once: while it moves as it can, that is no alarm.
            if lane.lane != Lane.CAMPAIGN:
                yield Finding(FindingKind.LANE_LATE, lane.lane, words, _help(FindingKind.LANE_LATE))
        else:
            yield Finding(FindingKind.NOT_DRAINING, lane.lane, words, _help(FindingKind.NOT_DRAINING))


def _quarantined(status: QueueStatus) -> Iterator[Finding]:
    for lane in status.lanes:
        if lane.quarantined:
            few = lane.quarantined == 1
            words = (
                f"{lane.quarantined:,} {'mail' if few else 'mails'} of the lane {lane.lane} "
                f"{'is' if few else 'are'} in quarantine: {'it' if few else 'they'} could not be made."
            )
            path = f"/desk/deliveries?state=quarantined&lane={lane.lane}"
            yield Finding(FindingKind.QUARANTINED, lane.lane, words, path)


def _rates(hour: LastHour) -> Iterator[Finding]:
    tried = hour.sent + hour.put_off + hour.refused
    if tried >= FEWEST_TRIED:
        for number, most, kind, what in (
            (hour.refused, MOST_BOUNCED, FindingKind.BOUNCES_HIGH, "were refused for good"),
            (hour.put_off, MOST_PUT_OFF, FindingKind.DEFERRALS_HIGH, "were put off"),
        ):
            if number > most * tried:
                words = f"{number / tried:.0%} of the mails of the last hour {what}."
                yield Finding(kind, "", words, "/desk/reasons?within=hour")
    is_many = hour.complaints_in_a_day >= FEWEST_COMPLAINTS
    if is_many and hour.complaints_in_a_day > MOST_COMPLAINTS * hour.sent_in_a_day:
        words = f"{hour.complaints_in_a_day:,} people called our mail spam within a day."
        yield Finding(FindingKind.COMPLAINTS_HIGH, "", words, _help(FindingKind.COMPLAINTS_HIGH))


def is_late(lane: LaneStatus, status: QueueStatus) -> bool:
    """Whether mail that nobody has stopped waits for longer than it should."""
    return not hold_of(lane, status) and (lane.late or 0) > LATE[Lane(lane.lane)].total_seconds()


def hold_of(lane: LaneStatus, status: QueueStatus) -> HoldStatus | None:
    """What stops the whole lane; what stopped by itself before what somebody paused."""
    stops = [hold for hold in status.holds if hold.name in ("everything", f"lane {lane.lane}")]
    return min(stops, key=lambda hold: hold.by_person, default=None)


def late_words(lane: LaneStatus) -> str:
    """ "Course mail is 12 min late"."""
    return f"{LANE_WORDS[Lane(lane.lane)]} is {age_words(lane.late or lane.oldest or 0)} late"


@dataclass(frozen=True)
class Cause:
    """Why a lane is late, and where something can be done about it."""

    words: str
    path: str


def cause_of(lane: LaneStatus, status: QueueStatus, ways: Sequence[Way]) -> Cause:
    """The likeliest reason for which mail of a lane waits, of what is known."""
    if None in status.depths.values():
        return Cause("Redis does not answer", _help(FindingKind.BROKER_AWAY))
    silent = silent_queues(status)
    for queue in (lane.lane, "control"):
        if queue in silent:
            return Cause(f"no worker takes from {queue_words(queue)}", _help(FindingKind.NO_WORKER))
    used = [way for way in ways if way.is_used]
    for way in used:
        if way.state in ("out", "being tried", "paused"):
            why = f" ({way.reason})" if way.reason else ""
            state = "paused" if way.state == "paused" else "out"
            return Cause(f"transport {way.slug} is {state}{why}", _help(FindingKind.TRANSPORT_OUT))
    for way in used:
        if way.is_used_up:
            return Cause(
                f"what transport {way.slug} may send for now is used up", _help(FindingKind.LANE_LATE)
            )
    if lane.per_second:
        left = lane.drain_seconds
        when = f", and empty in {age_words(left)}" if left else ""
        return Cause(
            f"more is due than leaves, {lane.sent_last_minute:,} a minute{when}", "/desk/board#lanes"
        )
    return Cause("nothing leaves; look at the log of its worker", _help(FindingKind.NOT_DRAINING))


def _help(kind: FindingKind) -> str:
    return f"/desk/operating#{kind}"


@dataclass(frozen=True)
class Headline:
    """The board's one sentence; `tone` is good, wait or bad. `path` is where to go on, or empty."""

    words: str
    tone: str
    path: str = ""
    link: str = ""


def headline(status: QueueStatus, ways: Sequence[Way], found: Sequence[Finding]) -> Headline:
    """Whether mail flows, what is late and why."""
    by_itself = [hold for hold in status.holds if hold.by_itself]
    if by_itself:
        names = " and ".join(hold.name for hold in by_itself)
        words = f"Nothing leaves of {names}: on hold by itself, {by_itself[0].reason}."
        return Headline(words, "bad", "/desk/holds", "See what is overdue, and release")
    paused = next((hold for hold in status.holds if hold.scope == "everything"), None)
    if paused is not None:
        why = f" ({paused.reason})" if paused.reason else ""
        return Headline(f"Everything is paused{why}; nothing leaves.", "wait", "/desk/holds", "Resume")
    late = [lane for lane in status.lanes if is_late(lane, status)]
    if late:
        cause = cause_of(late[0], status, ways)
        also = f" So {_is_are(late[1:])} late." if late[1:] else ""
        words = f"{late_words(late[0])}: {cause.words}.{also}"
        tone = "wait" if all(lane.per_second for lane in late) else "bad"
        return Headline(words, tone, cause.path, "What to do")
    if found:
        first = found[0]
        words = f"Nothing is late, but: {first.words[0].lower()}{first.words[1:]}"
        return Headline(words, "wait", first.path, "What to do")
    waits = [hold for hold in status.holds if hold.by_person]
    if waits:
        names = ", ".join(hold.name for hold in waits[:3]) + (" …" if len(waits) > 3 else "")
        return Headline(f"Mail flows; paused: {names}.", "wait", "/desk/holds", "Look at what is paused")
    return Headline("Mail flows; nothing is late.", "good")


def _is_are(lanes: Sequence[LaneStatus]) -> str:
    names = " and ".join(LANE_WORDS[Lane(lane.lane)].lower() for lane in lanes)
    return f"{'is' if len(lanes) == 1 else 'are'} {names}"
