"""The figures of the queues, by hand, and that reading them stays cheap."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from mailer import tally
from mailer.delivery.holds import pause
from mailer.models import Batch, Delivery, Heartbeat, HoldScope, Lane, Move, Subscriber
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
        yield session


def course_lane(session: Session, house: House) -> LaneStatus:
    found = queue_status(session, house.at, DEPTHS)
    return next(lane for lane in found.lanes if lane.lane == Lane.COURSE)


def some(session: Session, places: slice) -> list[int]:
    """The ids of some of the ten."""
    return list(session.execute(select(Delivery.id).order_by(Delivery.id)).scalars())[places]


def change(session: Session, places: slice, **values: Any) -> None:
    """Change some of the ten, and count those that go into another state."""
    ids = some(session, places)
    session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(**values))
    if "state" in values:
        row = session.execute(select(Delivery).where(Delivery.id == ids[0])).scalar_one()
        place = tally.Place(row.lane, row.source, row.kind, row.step_id)
        tally.note(session, {tally.Change(place, "planned", values["state"]): len(ids)})


def put_into_a_batch(session: Session, places: slice, lease: timedelta | None) -> None:
    clock = session.execute(select(func.clock_timestamp())).scalar_one()
    ids = some(session, places)
    batch = Batch(lane="course", source="course:1", delivery_ids=ids, offered_until=clock)
    if lease is not None:
        batch.token, batch.lease_until = uuid.uuid4(), clock + lease
    session.add(batch)
    session.flush()
    change(session, places, state="sending", batch_id=batch.id)


def test_every_mail_is_counted_in_one_place(session: Session, house: House) -> None:
    minute = timedelta(minutes=1)
    change(session, slice(0, 1), next_attempt_at=house.at - 5 * minute)  # the first in line
    put_into_a_batch(session, slice(2, 4), lease=None)
    put_into_a_batch(session, slice(4, 5), lease=minute)
    put_into_a_batch(session, slice(5, 6), lease=-minute)
    change(session, slice(6, 7), next_attempt_at=house.at + minute, deferrals=1)
    change(session, slice(7, 8), state="held", reason="by hand")
    change(session, slice(8, 9), state="quarantined")
    change(session, slice(9, 10), state="accepted")
    # Waiting: the first in line and the one after it. On their way: two offered, two with workers.
    assert course_lane(session, house) == LaneStatus(
        *("course", 2, 300.0, 4, 1), per_second=1 / 60, held=1, quarantined=1, lapsed=1, late=300.0
    )


def test_mail_to_a_paused_domain_is_not_late_and_hides_none_that_is(session: Session, house: House) -> None:
    change(session, slice(0, 1), next_attempt_at=house.at - timedelta(hours=3))
    change(session, slice(1, 2), next_attempt_at=house.at - timedelta(hours=2))
    (first,) = some(session, slice(0, 1))
    row = session.execute(select(Delivery).where(Delivery.id == first)).scalar_one()
    session.get_one(Subscriber, row.subscriber_id).email_key = "ada@paused.example"
    pause(session, HoldScope.DOMAIN, "paused.example", house.at, who="ann")
    lane = course_lane(session, house)
    assert (lane.oldest, lane.late) == (3 * 3600, 2 * 3600)
    pause(session, HoldScope.DOMAIN, "nobody.example", house.at, who="ann")
    assert course_lane(session, house).late == 2 * 3600


def test_the_rate_and_when_the_lane_is_empty_come_from_the_last_minute(
    session: Session, house: House
) -> None:
    clock = session.execute(select(func.clock_timestamp())).scalar_one()
    for seconds, state, mails in [(300, "accepted", 7), (50, "accepted", 1), (30, "planned", 5)]:
        moved = Move(lane="course", source="course:1", kind="step", old_state="planned", new_state=state)
        moved.at, moved.mails, moved.is_folded = clock - timedelta(seconds=seconds), mails, True
        session.add(moved)
    session.flush()
    change(session, slice(0, 1), state="accepted")
    lane = course_lane(session, house)
    assert lane.sent_last_minute == 2
    assert lane.per_second == pytest.approx(2 / 60)
    assert lane.drain_seconds == pytest.approx(270)  # nine at two a minute


def test_warnings_are_plain_lines(session: Session, house: House) -> None:
    clock = session.execute(select(func.clock_timestamp())).scalar_one()
    for queue, age in [("control", 2), ("errands", 2), ("transactional", 3), ("course", 200)]:
        sent = clock - timedelta(seconds=age)
        session.add(Heartbeat(queue=queue, worker="w@one", sent_at=sent, seen_at=sent + timedelta(seconds=1)))
    session.flush()
    found = queue_status(session, house.at, dict.fromkeys(QUEUES))
    assert found.warnings() == [
        "Redis does not answer.",
        "No worker takes from the lane course (last heartbeat: 3 min ago).",
        "No worker takes from the lane campaign (last heartbeat: never).",
    ]
    assert [worker.queue for worker in found.workers] == ["control", "course", "errands", "transactional"]
    assert found.workers[0].round_trip == pytest.approx(1)


def test_a_lane_in_which_nothing_moves_is_called_out_unless_somebody_paused_it(
    session: Session, house: House
) -> None:
    """MC#30, SP#66, NO#317: stuck in "sending" for days, and nobody was told."""

    def stuck() -> list[str]:
        found = queue_status(session, house.at + timedelta(minutes=6), DEPTHS)
        return [line for line in found.warnings() if "Nothing has left" in line]

    assert len(stuck()) == 1
    assert "the lane course" in stuck()[0]
    pause(session, HoldScope.LANE, "course", house.at, who="ann")
    assert stuck() == []


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


def test_looking_reads_by_the_index_however_much_has_ended(session: Session, house: House) -> None:
    session.execute(
        text("""
        INSERT INTO deliveries (id, dedup_key, kind, lane, source, state, subscriber_id, message_id, list_id,
                                course_id, due_at, next_attempt_at)
        SELECT 1000 + n, 'old ' || n, 'step', 'course', source, 'accepted', subscriber_id, message_id,
               list_id, course_id, due_at, next_attempt_at
        FROM (SELECT * FROM deliveries LIMIT 1) AS d, generate_series(1, 20000) AS n
        """)
    )
    session.execute(text("ANALYZE deliveries"))
    used = {"sources": "{course:1}", "now": house.at, "look_at": 1000}
    statement = queues.FIRST.format(lane="course")
    plan = "\n".join(session.execute(text(f"EXPLAIN {statement}"), used).scalars())
    assert "Seq Scan on deliveries_rest" not in plan, plan  # the others are empty


def test_an_empty_house_is_empty(house: House) -> None:
    with house.sessions() as session:
        found: QueueStatus = queue_status(session, house.at, DEPTHS)
    assert found.is_empty
    assert found.as_values()["lanes"][0]["drain_seconds"] == 0
