"""What a server's answer, or its silence, makes of a claimed row. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from mailer.delivery.claim import Claimed, Waiting
from mailer.delivery.policy import AfterCut
from mailer.delivery.retry import UNREACHABLE_WAIT, Bounce, GiveUp, RetryAt, SmtpReply, after_refusal
from mailer.models import DeliveryState, Lane

MOST_CUTS = 1
MOST_CRASHES = 3
NO_WAIT = timedelta(0)
THROTTLED_WAIT = timedelta(minutes=1)


class Outcome(NamedTuple):
    """The state a claimed row goes into. The rest is for one that is planned again.

    `is_deferral`, `is_cut`, `is_crash` and `is_soft_bounce` say what to count; `was_tried` is False when no
    server was spoken to about it. `until` is when it may leave, where that is a moment and not a wait.
    `because` and `no_room_since` are for a campaign's mail that was put off (see `Delivery`).
    """

    row: Claimed
    state: DeliveryState
    reason: str = ""
    reply: SmtpReply | None = None
    wait: timedelta = NO_WAIT
    is_deferral: bool = False
    is_cut: bool = False
    is_crash: bool = False
    is_soft_bounce: bool = False
    was_tried: bool = True
    until: datetime | None = None
    because: str = ""
    no_room_since: datetime | None = None


def after_reply(row: Claimed, reply: SmtpReply, now: datetime) -> Outcome:
    """The server answered."""
    if reply.is_taken:
        return Outcome(row, DeliveryState.ACCEPTED, reply=reply)
    verdict = after_refusal(reply, deferrals=row.deferrals, age=now - row.due_at, lane=Lane(row.lane))
    match verdict:
        case RetryAt(wait):
            return Outcome(row, DeliveryState.PLANNED, "deferred", reply, wait, is_deferral=True)
        case Bounce(reason):
            return Outcome(row, DeliveryState.BOUNCED, reason, reply)
        case GiveUp(reason, is_soft_bounce):
            return Outcome(row, DeliveryState.FAILED, reason, reply, is_soft_bounce=is_soft_bounce)


def after_cut(row: Claimed, reason: str, after: AfterCut) -> Outcome:
    """The server may have the mail (RFC 1047), and `after` is what the mail's lane then does.

    RESEND: once more, with the same Message-ID, and uncertain when that is cut too.
    """
    if after is AfterCut.HOLD or row.cuts >= MOST_CUTS:
        return Outcome(row, DeliveryState.UNCERTAIN, reason)
    return Outcome(row, DeliveryState.PLANNED, reason, wait=UNREACHABLE_WAIT, is_cut=True)


def after_break(row: Claimed, reason: str, now: datetime) -> Outcome:
    """The conversation broke over this mail before its final dot: a deferral, since it may be to blame.

    It counts as a 4yz would, and is written down as what it was: no server has answered anything.
    """
    return after_reply(row, SmtpReply(451, reason), now)._replace(reason=reason, reply=None)


def after_crash(row: Claimed) -> Outcome:
    """A worker was lost while it made or sent this mail."""
    if row.crashes + 1 >= MOST_CRASHES:
        return Outcome(row, DeliveryState.QUARANTINED, f"took a worker down {MOST_CRASHES} times")
    return Outcome(row, DeliveryState.PLANNED, "worker lost", is_crash=True, wait=UNREACHABLE_WAIT)


def unreachable(row: Claimed, reason: str) -> Outcome:
    """The server could not be asked: the row waits a little, and nothing is counted against it."""
    return Outcome(row, DeliveryState.PLANNED, reason, wait=UNREACHABLE_WAIT, was_tried=False)


def throttled(row: Claimed, reply: SmtpReply) -> Outcome:
    """The server wants fewer mails just now: the row waits, and neither a try nor a deferral is counted."""
    return Outcome(row, DeliveryState.PLANNED, "the server is busy", reply, THROTTLED_WAIT, was_tried=False)


def put_back(row: Claimed, reason: str) -> Outcome:
    """It must not leave now, or not by this worker: planned as before."""
    return Outcome(row, DeliveryState.PLANNED, reason, was_tried=False)


def waits(one: Waiting) -> Outcome:
    """Planned for a later moment, and nothing counted."""
    return Outcome(
        *(one.row, DeliveryState.PLANNED, one.reason),
        was_tried=False,
        until=one.until,
        because=one.because,
        no_room_since=one.no_room_since,
    )
