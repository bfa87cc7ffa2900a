"""Whether a mail that is due may leave, asked at the moment of sending. Pure."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from mailer.audience.suppression import LIFTED_BY_CONFIRMING
from mailer.clock import local_date
from mailer.clock import zone as clock_zone
from mailer.models import (
    DeliveryKind,
    DeliveryState,
    SubscriptionState,
)
from mailer.schedule.timing import (
    Timing,
    Window,
    after_quiet,
    first_open,
    leaves_at,
    quiet_ends,
    window_on,
)


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
        return DeliveryState.CANCELLED, "campaign cancelled"
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
        return _quiet_until(due_at, zone, now, quiet) if quiet else None

    def window_of(day: date) -> Window:
        if quiet is None:
            return window_on(day, send_time, timing, zone)
        return window_on(*after_quiet(quiet, day, send_time, timing), zone)

    window = first_open(window_of, today, now)
    return window.opens_at if now < window.opens_at else None


def _quiet_until(due_at: datetime, zone: str, now: datetime, quiet: tuple[time, time]) -> datetime | None:
    local = now.astimezone(clock_zone(zone))
    days = quiet_ends(quiet, local.time())
    if days is None or quiet_ends(quiet, due_at.astimezone(clock_zone(zone)).time()) is not None:
        return None
    return leaves_at(local.date() + timedelta(days=days), quiet[1], zone)
