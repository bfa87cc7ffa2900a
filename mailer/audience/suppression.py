"""Addresses that must not be mailed, asked again at the moment of sending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Text,
    and_,
    case,
    delete,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.addresses import address_hash, normalise
from mailer.audience.estimate import About, about
from mailer.errors import NotFound, Refused
from mailer.models import Action, Role, Subscriber, Suppression, SuppressionReason
from mailer.models.audience import SUPPRESSED_ADDRESS, SUPPRESSED_DOMAIN
from mailer.rules.facts import small
from mailer.settings import Settings

CHUNK = 1000
THEIR_WISH = (SuppressionReason.COMPLAINT, SuppressionReason.EVERYTHING)
"""Said by the reader, and not ours to take back lightly."""
LIFTED_BY_CONFIRMING = frozenset({SuppressionReason.EVERYTHING, SuppressionReason.SOFT_BOUNCE})
"""Whoever signs up again is asked again: they wanted no mail, or their mailbox took none, and now it may."""


@dataclass(frozen=True)
class Stopped:
    """What became of addresses to be stopped: `new` ones, those whose reader had stopped all mail
    themselves and that now have the graver reason, and those that keep the reason they had."""

    new: int
    graver: int
    known: int


def suppress(
    session: Session,
    email: str,
    reason: SuppressionReason,
    now: datetime,
    detail: str = "",
    *,
    until: datetime | None = None,
) -> bool:
    """Stop all mail to this address, for good or `until` a moment; False when it was stopped already.

    The first reason stays, unless the new one lasts longer. A reader's own stop gives way to a graver reason,
    then for good: they can lift theirs by confirming anew, which must not bring back an address that bounces,
    and what is graver must not end by itself where they wanted no mail at all. Raises BadAddress.
    """
    return suppress_all(session, [email], reason, now, detail, until=until).known == 0


def suppress_all(
    session: Session,
    emails: Iterable[str],
    reason: SuppressionReason,
    now: datetime,
    detail: str = "",
    *,
    until: datetime | None = None,
) -> Stopped:
    """Stop all mail to these addresses, each once, as `suppress` does; raises BadAddress."""
    addresses: dict[str, str] = {}
    for address, key in map(normalise, emails):
        addresses.setdefault(key, address)
    # In one order, so that two who stop the same addresses do not wait for each other in a ring.
    rows = sorted((address_hash(key), address) for key, address in addresses.items())
    values = {"reason": reason, "at": now, "detail": detail, "until": until}
    stop = _stop(reason, now, values)
    is_new: list[bool] = []
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK]
        written = [{"email_hash": hash_, "email": address, **values} for hash_, address in chunk]
        is_new += session.execute(stop.values(written)).scalars()
    return Stopped(sum(is_new), len(is_new) - sum(is_new), len(rows) - len(is_new))


def _stop(reason: SuppressionReason, now: datetime, values: dict[str, Any]) -> Any:
    """The statement that writes suppressions; it gives a row for each that changed, true for a new one."""
    new = insert(Suppression)
    has_ended = Suppression.until <= now
    is_their_stop = (Suppression.reason == SuppressionReason.EVERYTHING) & literal(not _is_light(reason))
    lasts_longer = Suppression.until.is_not(None) & or_(
        new.excluded.until.is_(None), new.excluded.until > Suppression.until
    )
    if reason == SuppressionReason.EVERYTHING:
        # Their wish makes a bounce last, and does not take its place: it could be lifted by confirming anew.
        is_bounce = (Suppression.reason == SuppressionReason.HARD_BOUNCE) & ~has_ended
        values = values | {
            name: case((is_bounce, getattr(Suppression, name)), else_=getattr(new.excluded, name))
            for name in ("reason", "at", "detail")
        }
    elif not _is_light(reason):
        is_theirs = Suppression.reason == SuppressionReason.EVERYTHING
        values = values | {"until": case((is_theirs, null()), else_=new.excluded.until)}
    return new.on_conflict_do_update(
        index_elements=["email_hash"], set_=values, where=or_(has_ended, is_their_stop, lasts_longer)
    ).returning(literal_column("suppressions.xmax = 0", Boolean))


def _is_light(reason: SuppressionReason) -> bool:
    """Whether it never takes the place of a reader's own stop."""
    return reason in (SuppressionReason.EVERYTHING, SuppressionReason.SOFT_BOUNCE)


def in_force(now: datetime) -> ColumnElement[bool]:
    """Whether a suppression stops mail at `now`."""
    return or_(Suppression.until.is_(None), Suppression.until > now)


def find_suppression(session: Session, email: str, now: datetime) -> Suppression | None:
    """Why this address is not mailed at `now`, or None."""
    _, key = normalise(email)
    return session.execute(
        select(Suppression).where(Suppression.email_hash == address_hash(key), in_force(now))
    ).scalar_one_or_none()


def last_suppression(session: Session, email: str) -> Suppression | None:
    """Why this address is not mailed, or was not until its suppression ended; None when it always was."""
    _, key = normalise(email)
    return session.execute(
        select(Suppression).where(Suppression.email_hash == address_hash(key))
    ).scalar_one_or_none()


def get_suppression(session: Session, suppression_id: int) -> Suppression:
    """The suppression of this id, also one whose end has come; raises NotFound."""
    found = session.get(Suppression, suppression_id)
    if found is None:
        raise NotFound("This suppression was lifted, or there never was one.")
    return found


def subscriber_id_of(session: Session, row: Suppression) -> int | None:
    """Whose address it is, if somebody known has it."""
    if row.email is None:
        return None
    _, key = normalise(row.email)
    return session.scalar(select(Subscriber.id).where(Subscriber.email_key == key))


def count(session: Session) -> About:
    """How many suppressions there are, near enough."""
    return about(session, select(Suppression.id))


def lift_own_stop(session: Session, email: str) -> SuppressionReason | None:
    """Mail this address again after its owner has confirmed anew, which also shows that mail arrives.

    Returns the reason for which it was not mailed, if it was one of LIFTED_BY_CONFIRMING.
    """
    _, key = normalise(email)
    lifted = session.execute(
        delete(Suppression)
        .where(Suppression.email_hash == address_hash(key), Suppression.reason.in_(LIFTED_BY_CONFIRMING))
        .returning(Suppression.reason)
    ).scalar_one_or_none()
    return None if lifted is None else SuppressionReason(lifted)


def list_suppressions(
    session: Session, now: datetime, reason: SuppressionReason | None = None, limit: int | None = None
) -> Sequence[Suppression]:
    """The addresses that are not mailed at `now`, newest first; the address of somebody erased is None."""
    newest_first = (Suppression.at.desc(), Suppression.id.desc())
    chosen = select(Suppression).where(in_force(now)).order_by(*newest_first).limit(limit)
    if reason is not None:
        chosen = chosen.where(Suppression.reason == reason)
    return session.execute(chosen).scalars().all()


def list_by_id(
    session: Session,
    now: datetime,
    before: int | None,
    limit: int,
    reason: SuppressionReason | None = None,
) -> Sequence[Suppression]:
    """The same in the order of their ids, the highest first, those below the id `before`, `limit` at most."""
    chosen = select(Suppression).where(in_force(now)).order_by(Suppression.id.desc()).limit(limit)
    if before is not None:
        chosen = chosen.where(Suppression.id < before)
    if reason is not None:
        chosen = chosen.where(Suppression.reason == reason)
    return session.execute(chosen).scalars().all()


def find_by_part(
    session: Session,
    written: str,
    now: datetime,
    after: str,
    limit: int,
    reason: SuppressionReason | None = None,
) -> Sequence[Suppression]:
    """Those in force at `now` whose address begins as it is `written`, or whose domain does behind an @.

    In the order of their addresses, those behind `after` (empty: from the first), `limit` at most. Somebody
    who was erased is found by their whole address only, since nothing else is known of it.
    """
    address, domain = literal_column(SUPPRESSED_ADDRESS, Text), literal_column(SUPPRESSED_DOMAIN, Text)
    beginning = small(written.strip().replace("\0", ""))
    places: tuple[ColumnElement[str], ...]
    start: tuple[str, ...]
    if beginning.startswith("@"):
        begins, places = _begins(domain, beginning[1:]), (domain, address)
        start = (after.rpartition("@")[2], after)
    else:
        begins, places, start = _begins(address, beginning), (address,), (after,)
    chosen = select(Suppression).where(begins, in_force(now)).order_by(*places).limit(limit)
    if after:
        chosen = chosen.where(tuple_(*places) > tuple_(*map(literal, start)))
    if reason is not None:
        chosen = chosen.where(Suppression.reason == reason)
    return session.execute(chosen).scalars().all()


def place_of(row: Suppression) -> str:
    """Where `find_by_part` goes on behind this row."""
    return small(row.email or "")


def _begins(text: ColumnElement[str], beginning: str) -> ColumnElement[bool]:
    # As a range: a pattern that is a parameter is not looked up in an index.
    return and_(text >= beginning, text < beginning + "\U0010ffff")


@dataclass(frozen=True)
class Lifting:
    """Who lifts suppressions, with what leave, and why.

    `allowed` says by reason from which role on it may be lifted; None: by nobody. What the reader themselves
    wanted (`despite_their_wish`) is lifted only by saying so and `because` of what.
    """

    who: str
    role: Role
    allowed: Mapping[SuppressionReason, Role | None]
    despite_their_wish: bool = False
    because: str = ""


def who_may_lift(settings: Settings) -> dict[SuppressionReason, Role | None]:
    """By reason, the least role that may lift a suppression."""
    words = {name.replace("_", "-"): word for name, word in settings.lifted_by.model_dump().items()}
    return {
        reason: None if words[reason] == "nobody" else Role(words[reason]) for reason in SuppressionReason
    }


def may_be_lifted(session: Session, email: str, now: datetime, lifting: Lifting) -> Suppression:
    """The suppression of this address, if it may be lifted so.

    Raises BadAddress, NotFound, or Refused when it is not theirs to lift, or the reader's own wish.
    """
    found = find_suppression(session, email, now)
    if found is None:
        raise NotFound("This address is not suppressed; `steadypost suppression list` shows those that are.")
    least = lifting.allowed[SuppressionReason(found.reason)]
    roles = list(Role)
    if least is None or roles.index(lifting.role) < roles.index(least):
        who = "nobody" if least is None else f"only {_a(least)}"
        raise Refused(f"What is stopped for {found.reason} is lifted by {who}: STEADYPOST_LIFTED_BY says so.")
    if found.reason in THEIR_WISH and not (lifting.despite_their_wish and lifting.because.strip()):
        raise Refused(
            f"This is the reader's own wish ({found.reason} on {found.at:%Y-%m-%d}): let them sign up again, "
            "or say --despite-their-wish and --because of what."
        )
    return found


def _a(role: Role) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


def lift(session: Session, email: str, now: datetime, lifting: Lifting) -> None:
    """Mail this address again, and say in the action log who decided it, with the address as a hash.

    Raises what `may_be_lifted` does.
    """
    found = may_be_lifted(session, email, now, lifting)
    detail = {"address": short_hash(email), "reason": found.reason, "since": found.at.isoformat()}
    if found.reason in THEIR_WISH:
        detail["despite"] = "their wish"
    if lifting.because.strip():
        detail["because"] = lifting.because.strip()
    session.delete(found)
    session.add(Action(at=now, who=lifting.who, what="suppression lift", detail=detail, rows=1))


def short_hash(email: str) -> str:
    """An address for the action log: enough to find it when one has it, and no address. Raises BadAddress."""
    _, key = normalise(email)
    return address_hash(key).hex()[:12]
