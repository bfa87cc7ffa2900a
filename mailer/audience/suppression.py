"""Addresses that must not be mailed, asked again at the moment of sending."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.addresses import address_hash, normalise
from mailer.models import Suppression, SuppressionReason


def suppress(
    session: Session, email: str, reason: SuppressionReason, now: datetime, detail: str = ""
) -> bool:
    """Stop all mail to this address; False when it was stopped already (the first reason stays).

    Only a reader's own stop gives way to a graver reason: they can lift theirs by confirming anew, and
    that must not bring back an address which bounces.
    """
    address, key = normalise(email)
    values = {"reason": reason, "at": now, "detail": detail}
    changed = session.execute(
        insert(Suppression)
        .values(email_hash=address_hash(key), email=address, **values)
        .on_conflict_do_update(
            index_elements=["email_hash"],
            set_=values,
            where=(Suppression.reason == SuppressionReason.EVERYTHING)
            & literal(reason != SuppressionReason.EVERYTHING),
        )
        .returning(Suppression.id)
    ).scalar_one_or_none()
    return changed is not None


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
