"""Which of two reasons stays, and until when."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.audience.suppression import (
    find_by_part,
    find_suppression,
    list_suppressions,
    suppress,
    suppress_all,
)
from mailer.models import SuppressionReason as Reason
from tests.support.cast import CLEO

MONTH, YEAR = timedelta(days=30), timedelta(days=365)


@pytest.mark.parametrize(
    ("first", "first_ends", "second", "second_ends", "stays", "ends"),
    [
        # What lasts longer takes the place of what ends sooner, and not the other way round.
        (Reason.SOFT_BOUNCE, MONTH, Reason.HARD_BOUNCE, None, Reason.HARD_BOUNCE, None),
        (Reason.SOFT_BOUNCE, MONTH, Reason.HARD_BOUNCE, YEAR, Reason.HARD_BOUNCE, YEAR),
        (Reason.HARD_BOUNCE, YEAR, Reason.SOFT_BOUNCE, MONTH, Reason.HARD_BOUNCE, YEAR),
        (Reason.HARD_BOUNCE, YEAR, Reason.COMPLAINT, None, Reason.COMPLAINT, None),
        (Reason.COMPLAINT, None, Reason.HARD_BOUNCE, YEAR, Reason.COMPLAINT, None),
        (Reason.MANUAL, None, Reason.SOFT_BOUNCE, MONTH, Reason.MANUAL, None),
        # Their own wish is never followed by mail just because a bounce has ended.
        (Reason.EVERYTHING, None, Reason.HARD_BOUNCE, YEAR, Reason.HARD_BOUNCE, None),
        (Reason.EVERYTHING, None, Reason.SOFT_BOUNCE, MONTH, Reason.EVERYTHING, None),
        (Reason.HARD_BOUNCE, YEAR, Reason.EVERYTHING, None, Reason.HARD_BOUNCE, None),
        (Reason.SOFT_BOUNCE, MONTH, Reason.EVERYTHING, None, Reason.EVERYTHING, None),
    ],
)
def test_the_reason_that_lasts_longer_stays_and_the_readers_wish_outlasts_every_bounce(
    session: Session,
    now: datetime,
    first: Reason,
    first_ends: timedelta | None,
    second: Reason,
    second_ends: timedelta | None,
    stays: Reason,
    ends: timedelta | None,
) -> None:
    for reason, after in ((first, first_ends), (second, second_ends)):
        suppress(session, CLEO, reason, now, until=None if after is None else now + after)
    found = find_suppression(session, CLEO, now)
    assert found is not None
    assert (found.reason, found.until) == (stays, None if ends is None else now + ends)


def test_what_has_ended_stops_nothing_and_gives_way_to_any_reason(session: Session, now: datetime) -> None:
    suppress(session, CLEO, Reason.HARD_BOUNCE, now, until=now + MONTH)
    later = now + MONTH
    assert find_suppression(session, CLEO, later - timedelta(seconds=1)) is not None
    assert find_suppression(session, CLEO, later) is None
    assert list_suppressions(session, later) == []
    assert suppress(session, CLEO, Reason.EVERYTHING, later)
    session.expire_all()
    found = find_suppression(session, CLEO, later)
    assert found is not None
    assert (found.reason, found.at, found.until) == (Reason.EVERYTHING, later, None)


def test_addresses_are_found_by_how_they_and_their_domains_begin_a_page_at_a_time(
    session: Session, now: datetime
) -> None:
    emails = ["Ada@b.example", "adam@a.example", "ben@b.example", "zo\u00e9@b.example"]
    suppress_all(session, emails, Reason.MANUAL, now)
    suppress(session, "adele@a.example", Reason.SOFT_BOUNCE, now, until=now)

    def found(written: str, after: str = "") -> list[str | None]:
        return [row.email for row in find_by_part(session, written, now, after, limit=2)]

    # Adele's has ended.
    assert found("ad") == ["Ada@b.example", "adam@a.example"]
    assert found("ad", "ada@b.example") == ["adam@a.example"]
    assert found("@") == ["adam@a.example", "Ada@b.example"]  # by domain first
    assert found("@", "ada@b.example") == ["ben@b.example", "zo\u00e9@b.example"]
    assert found("@B.Ex") == ["Ada@b.example", "ben@b.example"]
    assert found("%") == found("@example") == []
