"""What is foretold for those who are in a course, by what is known of each of them now."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import update

from mailer.db import session_scope
from mailer.launch.forecast import Forecast, forecast
from mailer.models import Course, Step, Subscriber
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


def test_a_course_whose_rules_cannot_be_asked_is_named(desk: Desk) -> None:
    enroll(desk, ADA)
    with session_scope(desk.sessions) as session:
        session.execute(update(Step).where(Step.key == "rest").values(condition='in segment "gone"'))
    found = foretold(desk)
    assert found.hours == ()
    assert "There is no segment" in found.as_values()["undecided"]["calm"]
