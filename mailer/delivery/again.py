"""Trying again what was set aside or has failed, when a person says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from mailer.db import ask_to_wake
from mailer.errors import Refused
from mailer.models import Course, Delivery, DeliveryState

CAN_BE_TRIED_AGAIN = (DeliveryState.QUARANTINED, DeliveryState.FAILED, DeliveryState.UNCERTAIN)


def count_in(session: Session, course: Course, state: DeliveryState) -> int:
    """How many of the course's mails are in this state."""
    return session.execute(
        select(func.count()).select_from(Delivery).where(*_rows(course, state))
    ).scalar_one()


def try_again(session: Session, course: Course, state: DeliveryState, now: datetime) -> int:
    """Plan all of the course's mails that are in `state` once more; returns how many.

    Consent is asked again when they are claimed, as for any mail, and they keep their Message-ID.
    Raises Refused for any other state.
    """
    if state not in CAN_BE_TRIED_AGAIN:
        raise Refused(f"What is {state} cannot be tried again; {', '.join(CAN_BE_TRIED_AGAIN)} can.")
    again = session.execute(
        update(Delivery)
        .where(*_rows(course, state))
        .values(
            state=DeliveryState.PLANNED,
            reason="tried again by hand",
            next_attempt_at=now,
            settled_at=None,
            deferrals=0,
            cuts=0,
            crashes=0,
        )
        .returning(Delivery.lane)
    ).scalars()
    lanes = list(again)
    for lane in set(lanes):
        ask_to_wake(session, lane)
    return len(lanes)


def _rows(course: Course, state: DeliveryState) -> tuple[ColumnElement[bool], ...]:
    # Confirmations belong to the course's list, and to no course.
    return (Delivery.list_id == course.list_id, Delivery.state == state)
