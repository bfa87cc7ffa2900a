"""What is foretold for those who are in a course, by what is known of each of them now."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from mailer.db import session_scope
from mailer.launch.collisions import Collision
from mailer.launch.forecast import Forecast, forecast
from mailer.models import (
    Batch,
    Course,
    Delivery,
    DeliveryState,
    Period,
    SendLimit,
    Step,
    Subscriber,
    Transport,
)
from mailer.schedule.pace import pause_until
from mailer.schedule.pace_case import Asker
from tests.integration.campaigns.phased import redraft
from tests.support.campaigns import add_letters, draft, put_people, set_going, write_campaign
from tests.support.cast import ADA, BEN, CLEO
from tests.support.desk import Desk


def foretold(desk: Desk) -> Forecast:
    with session_scope(desk.sessions) as session:
        return forecast(session, desk.house.at, days=14)


def by_day(found: Forecast) -> Counter[int]:
    """Mails by the day of March on which they leave."""
    days: Counter[int] = Counter()
    for hour in found.hours:
        days[hour.begins_at.day] += hour.total
    return days


def enroll(desk: Desk, *emails: str) -> None:
    for email in emails:
        desk.house.enroll(email)
    desk.house.send()


def tag(desk: Desk, email: str, *tags: str) -> None:
    with session_scope(desk.sessions) as session:
        session.execute(update(Subscriber).where(Subscriber.email == email).values(tags=list(tags)))


def test_a_step_is_foretold_for_those_who_meet_its_condition(desk: Desk) -> None:
    enroll(desk, ADA, BEN, CLEO)
    tag(desk, ADA, "tired")
    with session_scope(desk.sessions) as session:
        session.execute(update(Step).where(Step.key == "rest").values(condition='tag "tired"'))
    # Day 0 is Monday the 2nd: hello on the 3rd and walk on the 6th for all three, rest on the 4th for Ada.
    assert by_day(foretold(desk)) == {3: 3, 4: 1, 6: 3}
    desk.live_to(14)
    assert desk.mails_of(ADA) == ["hello", "rest", "walk"]


def test_nothing_is_foretold_for_those_who_meet_an_exit(desk: Desk) -> None:
    enroll(desk, ADA, BEN)
    tag(desk, BEN, "bought")
    with session_scope(desk.sessions) as session:
        session.execute(update(Course).values(flow={"stop_when": ['tag "bought"']}))
    assert by_day(foretold(desk)) == {3: 1, 4: 1, 6: 1}


def test_whose_last_mail_is_on_its_way_is_taken_to_get_it_now(desk: Desk) -> None:
    enroll(desk, ADA)
    with session_scope(desk.sessions) as session:
        session.execute(update(Delivery).values(state=DeliveryState.PLANNED))
    # The welcome on the 2nd, and the three lessons.
    assert by_day(foretold(desk)) == {2: 1, 3: 1, 4: 1, 6: 1}


def test_lessons_that_are_planned_and_wait_are_in_the_hour_in_which_they_may_leave(desk: Desk) -> None:
    enroll(desk, ADA, BEN, CLEO)
    # Hello is due at eight on the 3rd in London, which is UTC then. One of three is with a worker, and one
    # waits for the next hour.
    desk.house.go_to(datetime(2026, 3, 3, 8, tzinfo=UTC))
    desk.house.plan()
    with session_scope(desk.sessions) as session:
        transport = session.scalars(select(Transport)).one()
        session.add(
            SendLimit(
                transport_id=transport.id,
                period=Period.HOUR,
                most=2,
                filled_at=desk.house.at,
                since=desk.house.at,
            )
        )
        first, second, _ = session.scalars(
            select(Delivery.id).where(Delivery.kind == "step").order_by(Delivery.id)
        )
        session.execute(
            update(Delivery)
            .where(Delivery.id == second)
            .values(next_attempt_at=desk.house.at + timedelta(hours=1))
        )
        batch = Batch(lane="course", source="course:1", delivery_ids=[first], offered_until=desk.house.at)
        session.add(batch)
        session.flush()
        session.execute(
            update(Delivery).where(Delivery.id == first).values(state="sending", batch_id=batch.id)
        )
    found = foretold(desk)
    hours = [(hour.begins_at.day, hour.begins_at.hour, hour.mails, hour.steps) for hour in found.hours]
    assert hours[:2] == [
        (3, 8, {"course calm": 2}, {"calm/hello": 2}),
        (3, 9, {"course calm": 1}, {"calm/hello": 1}),
    ]
    # Rest and walk are due for all three, and two may leave in an hour.
    assert [hour.begins_at.day for hour in found.too_much()] == [4, 6]


def test_a_course_whose_rules_cannot_be_asked_is_named(desk: Desk) -> None:
    enroll(desk, ADA)
    with session_scope(desk.sessions) as session:
        session.execute(update(Step).where(Step.key == "rest").values(condition='in segment "gone"'))
    found = foretold(desk)
    assert found.hours == ()
    assert "There is no segment" in found.as_values()["undecided"]["calm"]


def collision(desk: Desk, tmp_path: Path, starts_at: str) -> Collision | None:
    """What is foretold of a campaign to everybody in the course that leaves then."""
    with session_scope(desk.sessions) as session:
        add_letters(session)
        draft(session, [write_campaign(tmp_path)], desk.house.at)
    set_going(desk.house, datetime.fromisoformat(starts_at))
    return next(iter(foretold(desk).collisions), None)


def put_rule(desk: Desk, rule: str) -> None:
    """Send "rest", on Wednesday the 4th, only to those who meet the rule."""
    with session_scope(desk.sessions) as session:
        session.execute(update(Step).where(Step.key == "rest").values(condition=rule))


def test_a_campaign_collides_only_for_those_who_get_the_lesson(desk: Desk, tmp_path: Path) -> None:
    enroll(desk, ADA, BEN, CLEO)
    tag(desk, ADA, "tired")
    tag(desk, BEN, "tired", "bought")
    put_rule(desk, 'tag "tired"')
    with session_scope(desk.sessions) as session:
        session.execute(update(Course).values(flow={"stop_when": ['tag "bought"']}))
    # Of three who are due a lesson on the 4th Cleo passes it over, and for Ben the course ends before.
    found = collision(desk, tmp_path, "2026-03-04T15:00Z")
    assert found is not None
    assert (found.readers, found.unsettled, found.hangs_on) == (1, 0, ())


def test_whoever_may_still_click_collides_perhaps(desk: Desk, tmp_path: Path) -> None:
    enroll(desk, ADA, BEN, CLEO)
    tag(desk, ADA, "tired")
    put_rule(desk, 'tag "tired" or clicked anything')
    found = collision(desk, tmp_path, "2026-03-04T15:00Z")
    # Ada gets it whatever comes; Ben and Cleo have until the 4th.
    assert found is not None
    assert (found.readers, found.unsettled) == (1, 2)
    assert found.words() == (
        "1 of its readers gets a lesson too, and perhaps 2 more; it is asked only when the lesson comes due "
        'who has the tag "tired" or followed any link'
    )


def test_a_day_on_which_a_campaign_collides_is_the_readers_own(desk: Desk, tmp_path: Path) -> None:
    desk.house.enroll(ADA, "Asia/Tokyo")
    desk.house.enroll(BEN, "Europe/London")
    desk.house.send()
    # "walk" comes on Friday the 6th. At 23:30 UTC on the 5th it is the 6th in Tokyo, and not in London.
    found = collision(desk, tmp_path, "2026-03-05T23:30Z")
    assert found is not None
    assert (found.readers, found.unsettled) == (1, 0)


def test_who_pauses_is_foretold_from_the_day_on_which_they_go_on(desk: Desk) -> None:
    enroll(desk, ADA, BEN)
    desk.live_to(1)
    until = desk.house.at.date() + timedelta(days=5)
    with session_scope(desk.sessions) as session:
        pause_until(session, desk.enrollment_of(ADA).id, until, Asker("test"), desk.house.at)
    told = by_day(foretold(desk))
    desk.live_to(20)
    with session_scope(desk.sessions) as session:
        left = session.scalars(select(Delivery.settled_at).where(Delivery.kind == "step")).all()
    # Ada and Ben had the first lesson on the 3rd.
    assert told + Counter({3: 2}) == Counter(at.day for at in left if at is not None)
    assert told[4] == 1


def test_what_a_campaign_that_has_begun_has_still_to_send_is_foretold(desk: Desk, tmp_path: Path) -> None:
    enroll(desk, ADA, BEN)
    with session_scope(desk.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 11), "calm", desk.house.at)
    redraft(desk.house, tmp_path, "canary:\n  size: 4\n  wait: 1 hour\n")
    set_going(desk.house)
    desk.house.plan()
    found = foretold(desk)
    campaigns = Counter[str]()
    for hour in found.hours:
        campaigns.update({name: mails for name, mails in hour.mails.items() if "spring" in name})
    assert campaigns == {"campaign spring": 4, "campaign spring (its rest)": 8}
