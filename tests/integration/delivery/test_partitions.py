"""Months of mails: made ahead, found by every look-up, dropped whole when nobody needs them any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from mailer import outbox, tally
from mailer.db import session_scope
from mailer.delivery.partitions import Month, drop_old, make_ahead
from mailer.models import Delivery, DeliveryKind, Enrollment, Subscriber
from mailer.outbox import NewDelivery, dedup_key, first_id, period_of
from mailer.reports.statement import course_statement
from mailer.schedule.courses import get_course
from tests.support.cast import ADA, BEN
from tests.support.house import House


@pytest.mark.parametrize(
    ("moment", "period", "suffix"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), 1, "2026_01"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 12, "2026_12"),
        (datetime(2027, 1, 1, tzinfo=UTC), 13, "2027_01"),
    ],
)
def test_a_month_has_one_number_and_one_name(moment: datetime, period: int, suffix: str) -> None:
    assert period_of(moment) == period
    assert Month(period).suffix == suffix
    assert Month(period).begins <= moment < Month(period).ends


def test_what_began_before_steadypost_is_in_no_month() -> None:
    assert period_of(datetime(2019, 5, 5, tzinfo=UTC)) == 0


def make(house: House, moment: datetime) -> list[str]:
    with session_scope(house.sessions) as session:
        return [month.suffix for month in make_ahead(session, moment)]


def test_this_month_and_the_next_are_made_once(house: House) -> None:
    assert make(house, datetime(2026, 3, 2, tzinfo=UTC)) == ["2026_03", "2026_04"]
    assert make(house, datetime(2026, 3, 31, tzinfo=UTC)) == []
    assert make(house, datetime(2026, 4, 1, tzinfo=UTC)) == ["2026_05"]


def test_a_month_that_has_mails_already_is_left_with_the_rest(house: House, now: datetime) -> None:
    house.enroll(ADA)
    assert make(house, now) == ["2026_04"]
    assert house.send() == {"accepted": 1}


def test_a_course_that_goes_on_into_another_month_stays_where_it_began(house: House, now: datetime) -> None:
    make(house, now)
    house.enroll(ADA)
    house.go_to(now + timedelta(days=40))
    house.send()
    house.go_to(now + timedelta(days=41))
    house.send()
    with session_scope(house.sessions) as session:
        tables = session.execute(text("SELECT DISTINCT tableoid::regclass::text FROM deliveries")).scalars()
        assert list(tables) == ["deliveries_2026_03"]


def test_one_key_is_planned_once_whenever_that_is_tried(house: House, now: datetime) -> None:
    """MA#2215 and its kin: the key is unique in its month, and one key has one month for ever."""
    make(house, now)
    ada = house.enroll(ADA)
    with session_scope(house.sessions) as session:
        enrollment = session.execute(select(Enrollment)).scalar_one()
        mail = NewDelivery(
            dedup_key=dedup_key(DeliveryKind.STEP, 1, "hello", ada),
            kind=DeliveryKind.STEP,
            subscriber_id=ada,
            message_id=1,
            list_id=1,
            due_at=now,
            began_at=enrollment.created_at,
            course_id=1,
        )
        assert len(outbox.write(session, [mail], now)) == 1
        assert outbox.write(session, [mail], now + timedelta(days=400)) == {}


def live_through_the_course(house: House, now: datetime) -> None:
    for day in (0, 1, 2, 4, 5):
        house.go_to(now.replace(hour=8) + timedelta(days=day))
        house.send()


def test_an_old_month_is_dropped_whole_and_its_sums_stay(house: House, now: datetime) -> None:
    make(house, now)
    house.enroll(ADA)
    live_through_the_course(house, now)
    with session_scope(house.sessions) as session:
        assert drop_old(session, now + timedelta(days=61), months=2) == []
    with session_scope(house.sessions) as session:
        (dropped,) = drop_old(session, now + timedelta(days=92), months=2)
        assert dropped.suffix == "2026_03"
    assert house.states() == {}
    with session_scope(house.sessions) as session:
        counts = {state: mails for (_, state), mails in tally.counts(session).items()}
        assert set(counts) == {tally.FORGOTTEN}
        statement = course_statement(session, get_course(session, "calm"), house.at)
        assert statement.missing == 0
        assert first_id(period_of(now)) > 0
    assert house.miscounts() == []


def test_a_month_is_kept_while_somebody_who_began_in_it_is_still_in_their_course(
    house: House, now: datetime
) -> None:
    make(house, now)
    house.enroll(ADA)
    house.send()
    with session_scope(house.sessions) as session:
        dropped = drop_old(session, now + timedelta(days=400), months=2)
        assert "2026_03" not in [month.suffix for month in dropped]


def test_a_persons_mails_go_with_the_person_and_are_counted_as_forgotten(house: House, now: datetime) -> None:
    house.enroll(ADA)
    ben = house.enroll(BEN)
    house.send()
    with session_scope(house.sessions) as session:
        session.delete(session.get_one(Subscriber, ben))
    with session_scope(house.sessions) as session:
        assert session.execute(select(Delivery.subscriber_id)).scalars().all() != [ben]
        counts = {state: mails for (_, state), mails in tally.counts(session).items()}
        assert counts == {"accepted": 1, tally.FORGOTTEN: 1}
