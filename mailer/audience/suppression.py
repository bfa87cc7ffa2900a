"""Addresses that must not be mailed, asked again at the moment of sending."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, delete, literal, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.addresses import address_hash, normalise
from mailer.errors import NotFound, Refused
from mailer.models import Action, Suppression, SuppressionReason

CHUNK = 1000
THEIR_WISH = (SuppressionReason.COMPLAINT, SuppressionReason.EVERYTHING)
"""Said by the reader, and not ours to take back lightly."""


@dataclass(frozen=True)
class Stopped:
    """What became of addresses to be stopped: `new` ones, those whose reader had stopped all mail
    themselves and that now have the graver reason, and those that keep the reason they had."""

    new: int
    graver: int
    known: int


def suppress(
    session: Session, email: str, reason: SuppressionReason, now: datetime, detail: str = ""
) -> bool:
    """Stop all mail to this address; False when it was stopped already (the first reason stays).

    Only a reader's own stop gives way to a graver reason: they can lift theirs by confirming anew, and
    that must not bring back an address which bounces. Raises BadAddress.
    """
    return suppress_all(session, [email], reason, now, detail).known == 0


def suppress_all(
    session: Session, emails: Iterable[str], reason: SuppressionReason, now: datetime, detail: str = ""
) -> Stopped:
    """Stop all mail to these addresses, each once, as `suppress` does; raises BadAddress."""
    addresses: dict[str, str] = {}
    for address, key in map(normalise, emails):
        addresses.setdefault(key, address)
    # In one order, so that two who stop the same addresses do not wait for each other in a ring.
    rows = sorted((address_hash(key), address) for key, address in addresses.items())
    values = {"reason": reason, "at": now, "detail": detail}
    stop = (
        insert(Suppression)
        .on_conflict_do_update(
            index_elements=["email_hash"],
            set_=values,
            where=(Suppression.reason == SuppressionReason.EVERYTHING)
            & literal(reason != SuppressionReason.EVERYTHING),
        )
        .returning(literal_column("suppressions.xmax = 0", Boolean))
    )
    is_new: list[bool] = []
    for first in range(0, len(rows), CHUNK):
        chunk = rows[first : first + CHUNK]
        written = [{"email_hash": hash_, "email": address, **values} for hash_, address in chunk]
        is_new += session.execute(stop.values(written)).scalars()
    return Stopped(sum(is_new), len(is_new) - sum(is_new), len(rows) - len(is_new))


def find_suppression(session: Session, email: str) -> Suppression | None:
    """Why this address is not mailed, or None."""
    _, key = normalise(email)
    return session.execute(
        select(Suppression).where(Suppression.email_hash == address_hash(key))
    ).scalar_one_or_none()


def lift_own_stop(session: Session, email: str) -> None:
    """Mail this address again after its owner, who had left everything, has confirmed anew."""
    _, key = normalise(email)
    session.execute(
        delete(Suppression).where(
            Suppression.email_hash == address_hash(key), Suppression.reason == SuppressionReason.EVERYTHING
        )
    )


def list_suppressions(
    session: Session, reason: SuppressionReason | None = None, limit: int | None = None
) -> Sequence[Suppression]:
    """The addresses that are not mailed, newest first; the address of somebody erased is None."""
    chosen = select(Suppression).order_by(Suppression.at.desc(), Suppression.id.desc()).limit(limit)
    if reason is not None:
        chosen = chosen.where(Suppression.reason == reason)
    return session.execute(chosen).scalars().all()


def may_be_lifted(session: Session, email: str, *, despite_their_wish: bool = False) -> Suppression:
    """The suppression of this address, if an operator may lift it.

    Raises BadAddress, NotFound, or Refused when the reader themselves wanted it.
    """
    found = find_suppression(session, email)
    if found is None:
        raise NotFound("This address is not suppressed; `steadypost suppression list` shows those that are.")
    if found.reason in THEIR_WISH and not despite_their_wish:
        raise Refused(
            f"This is the reader's own wish ({found.reason} on {found.at:%Y-%m-%d}): let them sign up again, "
            "or say --despite-their-wish."
        )
    return found


def lift(session: Session, email: str, now: datetime, *, who: str, despite_their_wish: bool = False) -> None:
    """Mail this address again, and say in the action log who decided it, with the address as a hash.

    Raises what `may_be_lifted` does.
    """
    found = may_be_lifted(session, email, despite_their_wish=despite_their_wish)
    detail = {"address": short_hash(email), "reason": found.reason, "since": found.at.isoformat()}
    if found.reason in THEIR_WISH:
        detail["despite"] = "their wish"
    session.delete(found)
    session.add(Action(at=now, who=who, what="suppression lift", detail=detail, rows=1))


def short_hash(email: str) -> str:
    """An address for the action log: enough to find it when one has it, and no address. Raises BadAddress."""
    _, key = normalise(email)
    return address_hash(key).hex()[:12]
