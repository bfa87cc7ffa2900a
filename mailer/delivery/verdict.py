"""Whether a mail that is due may leave, asked at the moment of sending. Pure."""

from __future__ import annotations

from datetime import datetime, time
from typing import NamedTuple

from mailer.audience.suppression import LIFTED_BY_CONFIRMING
from mailer.clock import local_date
from mailer.models import (
    DeliveryKind,
    DeliveryState,
    SubscriptionState,
)
from mailer.schedule.timing import Timing, first_open, quiet_until, window_outside

CANCELLED = "campaign cancelled"
"""Why a mail ends that a worker had when its campaign was cancelled; of others `campaign_tick` says it."""


class Facts(NamedTuple):
    """What is known about somebody's consent at the moment of sending."""

    kind: str
    subscription: str | None
    suppression: str | None
    has_left_course: bool = False
    has_sender: bool = True
    has_person: bool = True
    is_cancelled: bool = False


def refusal(facts: Facts) -> tuple[DeliveryState, str] | None:
    """Why this mail must not leave, as the state it ends in and the reason; None when it may. Pure."""
    if not facts.has_person:
        return DeliveryState.SKIPPED, "the person was erased"
    if not facts.has_sender:
        return DeliveryState.QUARANTINED, "the list has no sender"
    # A campaign's rows are cancelled some at a time; from the first moment on none of them leaves.
    if facts.is_cancelled:
        return DeliveryState.CANCELLED, CANCELLED
    is_confirmation = facts.kind == DeliveryKind.CONFIRM
    # Also who wants no mail at all may ask what is kept of them, and have it erased.
    is_asked_for = is_confirmation or facts.kind == DeliveryKind.DATA
    if facts.suppression and not (is_asked_for and facts.suppression in LIFTED_BY_CONFIRMING):
        return DeliveryState.SUPPRESSED, facts.suppression
    if facts.kind in (DeliveryKind.MAIL, DeliveryKind.DATA):
        # It answers what they did, and needs no list; who wants no mail at all gets none by programs either.
        return None
    if is_confirmation and facts.subscription == SubscriptionState.ACTIVE:
        return DeliveryState.SKIPPED, "confirmed already"
    if not is_confirmation and facts.subscription == SubscriptionState.PENDING:
        return DeliveryState.SUPPRESSED, "not confirmed"
    if facts.subscription in (None, SubscriptionState.ENDED):
        return DeliveryState.SUPPRESSED, "unsubscribed"
    # Planned under a consent that was withdrawn; the one that was given since begins a new round.
    if facts.has_left_course:
        return DeliveryState.SKIPPED, "left the course"
    return None


def its_hour(
    due_at: datetime,
    send_time: time,
    timing: Timing,
    zone: str,
    now: datetime,
    quiet: tuple[time, time] | None = None,
) -> datetime | None:
    """When a lesson that was left over may leave; None when it may now.

    After an outage one of an earlier day leaves at its own hour today, as `decide` has it for those not
    planned yet, and not in the middle of its reader's night. One of today that a server deferred into the
    `quiet` hours waits for their end, unless it was due in them: then its reader asked for it.
    """
    today = local_date(now, zone)
    if local_date(due_at, zone) >= today:
        if quiet is None or quiet_until(quiet, zone, due_at) is not None:
            return None
        return quiet_until(quiet, zone, now)
    window = first_open(
        lambda day: window_outside(quiet, day, send_time, timing, zone), local_date(due_at, zone), today, now
    )
    return window.opens_at if now < window.opens_at else None
