"""Suppression: addresses that must not be mailed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import suppression
from mailer.audience.suppression import Lifting, Stopped
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Role, Suppression, SuppressionReason
from mailer.schedule.enroll import go_on

BY_HAND = (SuppressionReason.MANUAL, SuppressionReason.COMPLAINT)
"""What somebody may give as the reason; bounces and readers' own stops are recorded as they happen."""


@needs(Right.SEE)
def list_suppressions(
    session: Session, _: Actor, reason: SuppressionReason | None, before: int | None, limit: int
) -> Sequence[Suppression]:
    """The addresses that are not mailed now, those recorded last first, before the id `before`."""
    return suppression.list_by_id(session, business_now(session), before, limit, reason)


@needs(Right.AUDIENCE)
def suppress(
    session: Session, actor: Actor, emails: Sequence[str], reason: SuppressionReason, detail: str
) -> Stopped:
    """Stop all mail to these addresses; what is stopped stays as it is. Raises BadAddress or Refused."""
    if reason not in BY_HAND:
        raise Refused(f"By hand an address is stopped as {' or '.join(BY_HAND)}.")
    done = suppression.suppress_all(session, emails, reason, business_now(session), detail)
    if done.new + done.graver:
        record(session, actor, "suppression add", done.new + done.graver, reason=str(reason), new=done.new)
    return done


@needs(Right.AUDIENCE)
def lift(
    session: Session,
    actor: Actor,
    email: str,
    allowed: Mapping[SuppressionReason, Role | None],
    *,
    despite_their_wish: bool,
    because: str,
) -> None:
    """Mail an address again; `allowed` says who may (`who_may_lift`). Raises what `may_be_lifted` does."""
    now = business_now(session)
    lifting = Lifting(actor.who, actor.role, allowed, despite_their_wish, because)
    found = suppression.may_be_lifted(session, email, now, lifting)
    until = found.until
    suppression.lift(session, email, now, lifting)
    if until is not None:
        go_on(session, email, now)
