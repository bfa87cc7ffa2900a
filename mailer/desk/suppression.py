"""Suppression: addresses that must not be mailed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import suppression
from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.estimate import About
from mailer.audience.suppression import Lifting, Stopped
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import Role, Suppression, SuppressionReason
from mailer.schedule.enroll import go_on

AT_ONCE = 1000
SHOWN = 5
BY_HAND = (SuppressionReason.MANUAL, SuppressionReason.COMPLAINT)
"""What somebody may give as the reason; bounces and readers' own stops are recorded as they happen."""


@needs(Right.SEE)
def list_suppressions(
    session: Session, _: Actor, reason: SuppressionReason | None, before: int | None, limit: int
) -> Sequence[Suppression]:
    """The addresses that are not mailed now, those recorded last first, before the id `before`."""
    return suppression.list_by_id(session, business_now(session), before, limit, reason)


@needs(Right.SEE)
def count_suppressions(session: Session, _: Actor) -> About:
    """How many addresses were ever stopped and are not lifted, near enough."""
    return suppression.count(session)


@needs(Right.SEE)
def find_suppression(session: Session, _: Actor, email: str) -> Suppression | None:
    """For programs: why this address is not mailed now, if it is not. Raises BadAddress."""
    return suppression.find_suppression(session, email, business_now(session))


@needs(Right.SEE)
def find_suppressions(
    session: Session, _: Actor, written: str, reason: SuppressionReason | None, after: str, limit: int
) -> tuple[Sequence[Suppression], str]:
    """Those in force of an address, or whose addresses (with an @ before it: domains) begin as it is written.

    A whole address is also found when its person was erased. In the order of addresses; and behind which to
    go on, empty at the end.
    """
    now = business_now(session)
    if not after and (whole := _of_address(session, written)) is not None:
        return (whole,), ""
    rows = suppression.find_by_part(session, written, now, after, limit + 1, reason)
    return rows[:limit], suppression.place_of(rows[limit - 1]) if len(rows) > limit else ""


def _of_address(session: Session, written: str) -> Suppression | None:
    try:
        return suppression.find_suppression(session, written, business_now(session))
    except BadAddress:
        return None


@dataclass(frozen=True)
class View:
    """A suppression; `is_in_force` until its end has come. `subscriber_id` is whose address it is."""

    row: Suppression
    is_in_force: bool
    subscriber_id: int | None


@needs(Right.SEE)
def show_suppression(session: Session, _: Actor, suppression_id: int) -> View:
    """One of them; raises NotFound."""
    now = business_now(session)
    row = suppression.get_suppression(session, suppression_id)
    return View(row, row.until is None or row.until > now, suppression.subscriber_id_of(session, row))


@needs(Right.EXPORT)
def note_export(session: Session, actor: Actor, reason: SuppressionReason | None) -> None:
    """Note that the suppressed addresses are taken out."""
    record(session, actor, "suppression export", reason=reason and str(reason))


@needs(Right.EXPORT)
def page_suppressions(
    session: Session, actor: Actor, reason: SuppressionReason | None, before: int | None, limit: int
) -> Sequence[Suppression]:
    """For programs: the same as `list_suppressions`. All of them can be taken out so, which is noted when the
    first of them (`before` none) are."""
    if before is None:
        note_export(session, actor, reason)
    return suppression.list_by_id(session, business_now(session), before, limit, reason)


@needs(Right.AUDIENCE)
def suppress_written(
    session: Session, actor: Actor, text: str, reason: SuppressionReason, detail: str
) -> Stopped:
    """Stop all mail to the addresses of a text, one a line or with commas between; all of them or none.

    Raises Refused naming those that are no address.
    """
    written = [word for word in re.split(r"[\s,;]+", text) if word]
    if not written:
        raise Refused("Write the addresses, one a line.")
    if len(written) > AT_ONCE:
        raise Refused(
            f"{len(written):,} addresses are too many at once; {AT_ONCE:,} go. A whole file is taken by "
            "`steadypost suppression add --file`."
        )
    if bad := list(_bad(written)):
        more = f" and {len(bad) - SHOWN:,} more" if len(bad) > SHOWN else ""
        raise Refused(f"Nothing was done, for these are no addresses: {', '.join(bad[:SHOWN])}{more}.")
    return suppress(session, actor, written, reason, detail)


def _bad(written: Iterable[str]) -> Iterable[str]:
    for word in written:
        try:
            normalise(word)
        except BadAddress:
            yield repr(word[:80])


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
