"""How a campaign's mail looks for room: how long, beside which lessons, and what is known of it later."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

from sqlalchemy import update

from mailer.db import session_scope
from mailer.delivery.holds import pause, resume
from mailer.models import Delivery, Enrollment, HoldScope, Losing
from mailer.reports.why import why
from mailer.schedule.cap import Cap, set_cap
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.reasons import UNDECIDED
from tests.integration.campaigns.test_frequency_cap import of_campaign
from tests.support.campaigns import SPRING, set_going
from tests.support.cast import ADA, join, publish_folder, write_course
from tests.support.house import House


def told(house: House) -> list[str]:
    with session_scope(house.sessions) as session:
        return [decision.what for decision in why(session, ADA, SPRING).decisions]


def test_one_that_was_paused_for_longer_than_a_week_still_looks_for_room(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(per_day=1))
        join(session, ADA, spring.at)
        pause(session, HoldScope.CAMPAIGN, SPRING, spring.at, who="ann")
    spring.go_to(spring.at.replace(hour=5, minute=0) + timedelta(days=1))
    set_going(spring)
    spring.send()
    start = spring.at
    spring.go_to(start + timedelta(days=8))
    spring.enroll(ADA)
    spring.send()  # the welcome
    spring.go_to(start + timedelta(days=9))
    spring.send()
    # Its lessons are due at eight today, tomorrow and three days from now.
    with session_scope(spring.sessions) as session:
        resume(session, HoldScope.CAMPAIGN, SPRING, spring.at, who="ann")
    for hours in range(0, 80, 3):
        spring.go_to(start + timedelta(days=9, hours=hours))
        spring.send()
        if hours == 0:
            assert of_campaign(spring) == ("planned", "waits for room: at most 1 a day")
        if of_campaign(spring)[0] != "planned":
            break
    assert of_campaign(spring)[0] == "accepted"
    assert spring.at == start + timedelta(days=11)
    assert any("put off to a day with room, at most 1 a day" in words for words in told(spring)), told(spring)


def test_why_knows_afterwards_that_quiet_hours_put_a_campaign_off(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(quiet_from=time(22), quiet_until=time(7)))
        join(session, ADA, spring.at)
    spring.go_to(spring.at.replace(hour=23, minute=0))
    set_going(spring)
    spring.send()
    spring.go_to(spring.at + timedelta(hours=8))
    spring.send()
    assert of_campaign(spring) == ("accepted", "")
    assert [words for words in told(spring) if words.endswith("put off by quiet hours")], told(spring)


def test_the_weeks_limit_counts_the_lessons_that_are_known_to_come(spring: House, tmp_path: Path) -> None:
    folder = write_course(tmp_path / "more")
    course = folder / "course.toml"
    course.write_text(course.read_text(encoding="utf-8").replace('"calm"', '"more"'), encoding="utf-8")
    spring.enroll(ADA)
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(per_week=2))
        publish_folder(session, folder, spring.at)
        enroll(session, get_course(session, "more"), join(session, ADA, spring.at, list_="more"), spring.at)
    spring.send()  # the welcomes; each course has a lesson tomorrow
    set_going(spring)
    spring.send()
    assert of_campaign(spring) == ("planned", "waits for room: at most 2 a week")


def test_a_week_of_looking_ends_although_a_limit_sets_the_mail_aside_in_between(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(per_day=1))
    spring.enroll(ADA)
    spring.send()
    spring.go_to(spring.at.replace(hour=5, minute=0) + timedelta(days=1))
    set_going(spring)
    start = spring.at
    for day in range(12):
        spring.go_to(start + timedelta(days=day))
        with session_scope(spring.sessions) as session:
            # A lesson is due every day, and each day's first try finds the limit of the group used up.
            due = spring.at + timedelta(hours=3)
            session.execute(update(Enrollment).values(next_due_at=due, last_day=0, last_delivery_id=None))
            session.execute(
                update(Delivery)
                .where(Delivery.kind == "campaign", Delivery.reason != "")
                .values(reason="waits: 120 an hour to reader.example", next_attempt_at=spring.at)
            )
        spring.send()
        if of_campaign(spring)[0] != "planned":
            break
    assert of_campaign(spring) == ("skipped", "no room for it within a week: at most 1 a day")


def test_a_course_that_nobody_can_decide_takes_no_room(spring: House) -> None:
    with session_scope(spring.sessions) as session:
        set_cap(session, Cap(per_day=1, losing=Losing.DROP))
    spring.enroll(ADA)
    spring.send()
    spring.go_to(spring.at.replace(hour=5, minute=0) + timedelta(days=1))
    with session_scope(spring.sessions) as session:
        soon = spring.at + timedelta(minutes=40)
        session.execute(update(Enrollment).values(next_due_at=soon, reason=UNDECIDED))
    set_going(spring)
    spring.send()
    assert of_campaign(spring)[0] == "accepted"
