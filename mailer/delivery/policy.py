"""What an operator decides about sending: read from the settings once, and passed in as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from mailer.audience.soft_bounces import SoftBounces
from mailer.models import Lane
from mailer.settings import Settings


class AfterCut(StrEnum):
    """What becomes of a mail whose conversation was cut between the final dot and its reply (RFC 1047)."""

    RESEND = "resend"
    """It is sent once more, with the same Message-ID: rather twice than not at all."""
    HOLD = "hold"
    """It is left uncertain until evidence or a person decides: rather not at all than twice."""


AFTER_CUT = {Lane.TRANSACTIONAL: AfterCut.RESEND, Lane.COURSE: AfterCut.RESEND, Lane.CAMPAIGN: AfterCut.HOLD}


SOFT_BOUNCES = SoftBounces()


@dataclass(frozen=True)
class Policy:
    """`hard_bounce_ends` is after how long a bounced address may be mailed again, None for never."""

    after_cut: Mapping[Lane, AfterCut] = field(default_factory=AFTER_CUT.copy)
    soft_bounces: SoftBounces = SOFT_BOUNCES
    hard_bounce_ends: timedelta | None = None


DEFAULTS = Policy()


def policy_of(settings: Settings) -> Policy:
    """The policy that these settings ask for."""
    chosen = settings.after_cut.model_dump()
    days = settings.suppression_days
    return Policy(
        {lane: AfterCut(chosen[lane]) for lane in Lane},
        SoftBounces(
            settings.soft_bounces, timedelta(days=settings.soft_bounce_days), _after(days.soft_bounce)
        ),
        _after(days.hard_bounce),
    )


def _after(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)
