"""`why` tells a support person what happened, without anybody reading logs."""

from __future__ import annotations

from datetime import date, timedelta

from mailer.db import session_scope
from mailer.feedback.record import leave
from mailer.reports.pace import enrollment_id_of
from mailer.reports.why import why
from mailer.schedule.pace import pause_until, set_weekdays
from mailer.schedule.pace_case import Asker
from tests.support.cast import ADA, CLEO
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp


def told(house: House, email: str, mail: str | None = None) -> list[str]:
    with session_scope(house.sessions) as session:
        return [f"{each.mail}: {each.what}" for each in why(session, email, mail).decisions]


def test_a_greylisted_welcome_is_explained_try_by_try(house: House, server: ScriptedSmtp) -> None:
    house.enroll(ADA)
    server.replies["RCPT"] = ["451 4.7.1 greylisted"]
    house.send()
    house.go_to(house.at + timedelta(minutes=15))
    house.send()
    assert told(house, ADA, "welcome") == [
        "welcome: was due",
        "welcome: put off: 451 4.7.1 greylisted",
        "welcome: accepted by the server: 250 2.0.0 taken",
    ]


def test_a_bounce_says_who_is_not_mailed_any_more_and_why(house: House, server: ScriptedSmtp) -> None:
    house.enroll(CLEO)
    server.replies["RCPT"] = ["550 5.1.1 no such user"]
    house.send()
    story = told(house, CLEO)
    assert "-: calm stopped (the address bounced)" in story
    assert "-: not mailed any more: hard-bounce 5.1.1 no such user" in story


def test_what_was_planned_before_somebody_left_says_that_it_was_not_sent(house: House) -> None:
    ada = house.enroll(ADA)
    house.send()
    house.go_to(house.at.replace(hour=8) + timedelta(days=1))
    house.plan()
    with session_scope(house.sessions) as session:
        leave(session, ada, None, source="test", now=house.at)
    house.send()
    assert told(house, ADA, "hello")[-1].startswith("hello: not sent: suppressed")


def test_each_change_of_pace_is_told_with_who_made_it(house: House) -> None:
    house.enroll(ADA)
    with session_scope(house.sessions) as session:
        number, asker = enrollment_id_of(session, ADA, "calm"), Asker("the pace page")
        change = pause_until(session, number, date(2026, 3, 20), asker, house.at)
        set_weekdays(session, number, 0b0000101, asker, house.at)
        assert change is not None
    story = told(house, ADA)
    assert "-: calm: paused until 2026-03-20, by the pace page" in story
    assert "-: calm: chose the weekdays: Monday, Wednesday, by the pace page" in story
