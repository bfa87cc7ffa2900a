"""Sessions: how long they last, and how long they are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.accounts.operators import find_operator
from mailer.accounts.sessions import begin_session, drop_old_sessions, find_session, session_now
from mailer.db import Sessions
from mailer.models import OperatorSession, Role
from tests.support.staff import STAFF, hire


@pytest.fixture
def secret(sessions: Sessions, session: Session) -> str:
    """What Rea's browser has, who signed in just now."""
    hire(sessions, Role.READER)
    rea = find_operator(session, STAFF[Role.READER][0])
    assert rea is not None
    now = session_now(session)
    return begin_session(session, rea, now, needs_factor=False, browser="Firefox/140", way="password")


@pytest.mark.parametrize(
    ("days_between_visits", "visits", "still_in"),
    [
        (6.9, 1, True),
        (7.1, 1, False),  # away for more than a week
        (6, 4, True),  # 24 days, never away for a week
        (6, 6, False),  # 36 days are more than thirty, however often she came
    ],
)
def test_how_long_somebody_stays_signed_in(
    session: Session, secret: str, days_between_visits: float, visits: int, still_in: bool
) -> None:
    now = session_now(session)
    for _ in range(visits):
        now += timedelta(days=days_between_visits)
        found = find_session(session, secret, now)
        session.expire_all()
    assert (found is not None) == still_in


def test_what_nobody_used_for_a_year_is_forgotten(session: Session, secret: str) -> None:
    now = session_now(session)
    assert drop_old_sessions(session, now + timedelta(days=364)) == 0
    assert drop_old_sessions(session, now + timedelta(days=366)) == 1
    assert session.scalars(select(OperatorSession)).all() == []
