"""The figures of the queues, by hand, and that reading them stays cheap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from mailer.delivery.holds import pause
from mailer.models import Attempt, Delivery, Heartbeat, HoldScope, Lane
from mailer.queue import QUEUES
from mailer.reports import queues
from mailer.reports.queues import LaneStatus, QueueStatus, age_words, queue_status
from tests.support.house import House

DEPTHS: dict[str, int | None] = dict.fromkeys(QUEUES, 0)


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    """Ten people enrolled, so ten welcomes are due; the house's clock stands."""
    for number in range(10):
        house.enroll(f"reader{number}@reader.example")
    house.plan()
    with house.sessions() as session:
        session.execute(update(Delivery).values(lane=Lane.COURSE))
        yield session


def course_lane(session: Session, house: House) -> LaneStatus:
    found = queue_status(session, house.at, DEPTHS)
    return next(lane for lane in found.lanes if lane.lane == Lane.COURSE)


def change(session: Session, places: slice, **values: Any) -> None:
    """Change some of the ten."""
    ids = session.execute(select(Delivery.id).order_by(Delivery.id)).scalars().all()[places]
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(**values))


def test_every_mail_is_counted_in_one_place(session: Session, house: House) -> None:
    clock = session.execute(select(func.clock_timestamp())).scalar_one()
    minute = timedelta(minutes=1)
    change(session, slice(0, 1), next_attempt_at=house.at - 5 * minute)  # the first in line
    change(session, slice(1, 3), offered_until=clock + minute)
    change(session, slice(3, 4), offered_until=clock - minute)  # lapsed, so it waits again
    change(session, slice(4, 5), state="sending", lease_until=clock + minute)
    change(session, slice(5, 6), state="sending", lease_until=clock - minute)
    change(session, slice(6, 7), next_attempt_at=house.at + minute, deferrals=1)
    change(session, slice(7, 8), state="held", reason="by hand")
    change(session, slice(8, 9), state="quarantined", course_id=None)
    change(session, slice(9, 10), state="accepted")
    # Waiting: the first in line and the lapsed one. On their way: two offered, two with workers.
    assert course_lane(session, house) == LaneStatus(
        *("course", 2, 300.0, 4, 1), per_second=None, held=1, quarantined=1, lapsed=1
    )


def test_the_rate_and_when_the_lane_is_empty_come_from_the_last_minute(
    session: Session, house: House
) -> None:
    ids = session.execute(select(Delivery.id).order_by(Delivery.id)).scalars().all()
    for seconds, outcome in [(300, "accepted"), (50, "accepted"), (30, "planned"), (1, "accepted")]:
        at = house.at - timedelta(seconds=seconds)
        session.add(Attempt(delivery_id=ids[0], at=at, outcome=outcome))
        session.flush()
    lane = course_lane(session, house)
    assert lane.sent_last_minute == 2
    assert lane.per_second == pytest.approx(2 / 60)
    assert lane.drain_seconds == pytest.approx(300)  # ten at two a minute


def test_at_a_high_rate_only_the_newest_are_read(
    session: Session, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "SAMPLE", 20)
    ids = session.execute(select(Delivery.id).order_by(Delivery.id)).scalars().all()
    for second in range(40, 0, -1):
        session.add(
            Attempt(delivery_id=ids[0], at=house.at - timedelta(seconds=second / 2), outcome="accepted")
        )
        session.flush()
    # Twenty in the last ten seconds.
    assert course_lane(session, house).sent_last_minute == 120


def test_nothing_moves_means_that_nobody_knows_when(session: Session, house: House) -> None:
    assert course_lane(session, house).drain_seconds is None
    session.execute(update(Delivery).values(state="accepted"))
    assert course_lane(session, house).drain_seconds == 0


def test_warnings_are_plain_lines(session: Session, house: House) -> None:
    clock = session.execute(select(func.clock_timestamp())).scalar_one()
    for queue, age in [("control", 2), ("transactional", 3), ("course", 200)]:
        sent = clock - timedelta(seconds=age)
        session.add(Heartbeat(queue=queue, worker="w@one", sent_at=sent, seen_at=sent + timedelta(seconds=1)))
    session.flush()
    found = queue_status(session, house.at, dict.fromkeys(QUEUES))
    assert found.warnings() == [
        "Redis does not answer.",
        "No worker takes from the lane course (last heartbeat: 3 min ago).",
        "No worker takes from the lane campaign (last heartbeat: never).",
    ]
    assert [worker.queue for worker in found.workers] == ["control", "course", "transactional"]
    assert found.workers[0].round_trip == pytest.approx(1)


def test_a_hold_is_shown_with_its_reason(session: Session, house: House) -> None:
    pause(session, HoldScope.LANE, "campaign", house.at, who="ann", reason="the relay asked")
    (hold,) = queue_status(session, house.at, DEPTHS).holds
    assert (hold.name, hold.reason) == ("lane campaign", "the relay asked")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.012, "12 ms"),
        (0.44, "0.4 s"),
        (59, "59 s"),
        (119, "119 s"),
        (180, "3 min"),
        (7200, "2 h"),
        (200_000, "2 days"),
    ],
)
def test_ages_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert age_words(seconds) == words


def test_looking_reads_by_the_indexes_however_much_has_ended(session: Session, house: House) -> None:
    session.execute(
        text("""
        INSERT INTO deliveries (dedup_key, kind, lane, state, subscriber_id, message_id, list_id, course_id,
                                due_at, next_attempt_at)
        SELECT 'old ' || n, 'step', 'course', 'accepted', subscriber_id, message_id, list_id,
               CASE WHEN n % 10 > 0 THEN course_id END, due_at, next_attempt_at
        FROM (SELECT * FROM deliveries WHERE course_id IS NOT NULL LIMIT 1) AS d,
             generate_series(1, 20000) AS n
        """)
    )
    session.execute(text("ANALYZE deliveries"))
    for statement in (queues.DUE, queues.WITH_WORKERS, queues.SET_ASIDE, queues.NEWEST):
        values = {"now": house.at, "look_at": 1000, "since": house.at, "sample": 1000}
        used = {name: values[name] for name in statement.compile().params}
        plan = "\n".join(session.execute(text(f"EXPLAIN {statement.text}"), used).scalars())
        assert "Seq Scan on deliveries" not in plan, plan


def test_an_empty_house_is_empty(house: House) -> None:
    with house.sessions() as session:
        found: QueueStatus = queue_status(session, house.at, DEPTHS)
    assert found.is_empty
    assert found.as_values()["lanes"][0]["drain_seconds"] == 0
