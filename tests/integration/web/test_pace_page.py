"""A course's pace, chosen without a login: looking changes nothing, each button does one thing."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

import httpx
import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Delivery, Enrollment, PaceChange, Subscriber
from mailer.schedule.plan import plan_due
from tests.support.reader_pages import TITLE, Links, Reader, standing, with_welcome


def enrollment_of(sessions: Sessions, reader: Reader) -> Enrollment:
    with sessions() as session:
        return session.scalars(select(Enrollment).where(Enrollment.subscriber_id == reader.id)).one()


def changes(sessions: Sessions) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(PaceChange.what).order_by(PaceChange.id)))


def press(site: httpx.Client, address: str, **form: str) -> httpx.Response:
    """Press a button of the page as it is now, and look at the page that follows."""
    seen = re.search(r'name="seen" value="(\d+)"', site.get(address).text)
    return site.post(address, data={"seen": seen[1] if seen else "0", **form}, follow_redirects=True)


@pytest.fixture
def got_welcome(sessions: Sessions, ada: Reader) -> Reader:
    """Ada has the welcome in her inbox."""
    with session_scope(sessions) as session:
        return with_welcome(session, ada)


@pytest.fixture
def ben_who_left(sessions: Sessions, ben: Reader) -> Reader:
    """Ben, who has unsubscribed, looks at his welcome again."""
    with session_scope(sessions) as session:
        return with_welcome(session, ben)


def test_looking_says_what_comes_next_and_changes_nothing(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    for method in ("GET", "HEAD", "GET"):
        answer = site.request(method, links.pace(got_welcome) + "?action=stop&done=1&undone=x")
        assert answer.status_code == 200
    # Monday 2 March; day 1 is the next day at eight in London.
    assert "Day 1" in answer.text
    assert "Tuesday, March 3, 2026, 8:00" in answer.text.replace("\u202f", " ")
    assert "by the clock in London" in answer.text
    assert TITLE in answer.text
    assert "ada@example.org" not in answer.text
    assert changes(sessions) == []
    assert answer.text.count("<h1") == 1
    assert "<script" not in answer.text
    assert answer.headers["cache-control"] == "private, no-store"


def test_each_choice_is_done_and_told(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    address = links.pace(got_welcome)
    for form, told in (
        ({"action": "gap", "gap": "7"}, "at the pace you chose"),
        ({"action": "hour", "hour": "19:30"}, "at the hour you chose"),
        ({"action": "weekdays", "day-0": "on", "day-4": "on"}, "on the days you chose"),
        ({"action": "zone", "zone": "Europe/Lisbon"}, "your own clock"),
        ({"action": "pause", "until": "2026-03-20"}, "Paused. Nothing is lost"),
        ({"action": "resume"}, "Welcome back."),
        ({"action": "next"}, "It leaves within moments"),
    ):
        answer = press(site, address, **form)
        assert answer.status_code == 200
        assert told in answer.text
        assert ">Undo<" in answer.text
    enrollment = enrollment_of(sessions, got_welcome)
    assert (enrollment.gap, enrollment.send_time, enrollment.weekdays) == (7, time(19, 30), 0b0010001)
    assert enrollment.asked_at is not None
    with sessions() as session:
        assert session.get_one(Subscriber, got_welcome.id).zone == "Europe/Lisbon"
    assert len(changes(sessions)) == 7


def test_a_change_answers_by_a_page_that_can_be_loaded_again(
    site: httpx.Client, links: Links, got_welcome: Reader
) -> None:
    answer = site.post(links.pace(got_welcome), data={"action": "pause", "weeks": "2"})
    assert answer.status_code == 303
    assert re.fullmatch(r"pace\?done=\d+", answer.headers["location"])
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "private, no-store"


def test_undo_puts_it_back_and_is_not_offered_twice(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    address = links.pace(got_welcome)
    page = press(site, address, action="pause", weeks="2")
    assert "Paused until Monday, March 16, 2026" in page.text
    assert enrollment_of(sessions, got_welcome).paused_until == date(2026, 3, 16)
    number = re.search(r'name="change" value="(\d+)"', page.text)
    assert number is not None
    for _ in range(2):
        page = site.post(address, data={"action": "undo", "change": number[1]}, follow_redirects=True)
        assert "All is as it was before." in page.text
        assert ">Undo<" not in page.text
    assert enrollment_of(sessions, got_welcome).paused_until is None


def test_a_form_that_is_sent_twice_asks_once(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions, now: datetime
) -> None:
    form = {"action": "next", "seen": "0"}
    for _ in range(2):
        site.post(links.pace(got_welcome), data=form)
        with session_scope(sessions) as session:
            plan_due(session, now)
            mails = session.scalars(select(Delivery).where(Delivery.step_id.is_not(None))).all()
            for mail in mails:
                mail.state, mail.settled_at = "accepted", now
    assert len(mails) == 1
    assert changes(sessions) == ["next"]


@pytest.mark.parametrize(
    "form",
    [
        {"action": "pause", "until": "2026-03-02"},  # today
        {"action": "pause", "until": "2030-01-01"},
        {"action": "pause", "until": "soon"},
        {"action": "pause", "weeks": "9" * 30},
        {"action": "gap", "gap": "3"},
        {"action": "hour", "hour": "25:00"},
        {"action": "zone", "zone": "Mars/Base"},
        {"action": "repeat"},
    ],
)
def test_what_is_not_on_offer_is_refused_in_plain_words(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions, form: dict[str, str]
) -> None:
    answer = site.post(links.pace(got_welcome), data=form)
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.text
    assert changes(sessions) == []


def test_a_form_that_is_not_ours_changes_nothing(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    for form in ({}, {"action": "x"}, {"action": "undo", "change": "9" * 25}, {"seen": "²"}):
        assert site.post(links.pace(got_welcome), data=form, follow_redirects=True).status_code == 200
    assert changes(sessions) == []


def test_somebody_elses_change_cannot_be_undone(
    site: httpx.Client, links: Links, got_welcome: Reader, ben_who_left: Reader, sessions: Sessions
) -> None:
    press(site, links.pace(got_welcome), action="pause", weeks="2")
    number = str(enrollment_change(sessions))
    site.post(links.pace(ben_who_left), data={"action": "undo", "change": number})
    assert enrollment_of(sessions, got_welcome).paused_until is not None
    assert "Paused" not in site.get(links.pace(ben_who_left) + f"?done={number}").text


def enrollment_change(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalars(select(PaceChange.id)).one()


def test_stopping_leaves_the_list_alone_and_can_be_started_over(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    address = links.pace(got_welcome)
    assert "has stopped for you" in press(site, address, action="stop").text
    with sessions() as session:
        assert standing(session, got_welcome).subscription == "active"
    assert "The course begins again tomorrow." in press(site, address, action="start-over").text
    with sessions() as session:
        assert standing(session, got_welcome).enrollment == "active"
        assert standing(session, got_welcome).round == 2


def test_who_left_the_list_is_shown_the_way_back(
    site: httpx.Client, links: Links, ben_who_left: Reader, sessions: Sessions
) -> None:
    page = site.get(links.pace(ben_who_left)).text
    assert "You have left the list" in page
    assert 'value="start-over"' not in page
    answer = site.post(links.pace(ben_who_left), data={"action": "start-over"})
    assert answer.status_code == 422
    with sessions() as session:
        assert standing(session, ben_who_left).enrollment == "stopped"


def test_a_mail_of_no_course_has_no_pace(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    address = links.pace(ada_before_confirming)
    page = site.get(address).text
    assert "no pace to choose" in page
    assert 'href="manage"' in page
    assert site.post(address, data={"action": "stop"}, follow_redirects=True).status_code == 200
    assert changes(sessions) == []


def test_the_unsubscribe_page_offers_a_pause_beside_its_own_button(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions
) -> None:
    page = site.get(links.unsubscribe(got_welcome)).text
    assert page.index('name="scope" value="this"') < page.index("Pause for two weeks")
    site.post(links.pace(got_welcome), data={"action": "pause", "weeks": "2"})
    assert "Pause for two weeks" not in site.get(links.unsubscribe(got_welcome)).text
    site.post(links.unsubscribe(got_welcome), data={"List-Unsubscribe": "One-Click"})
    with sessions() as session:
        assert standing(session, got_welcome).subscription == "ended"


def test_it_speaks_german(site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.get_one(Subscriber, got_welcome.id).language = "de"
    page = press(site, links.pace(got_welcome), action="pause", weeks="2").text
    assert '<html lang="de"' in page
    assert "Pause bis Montag, 16. März 2026" in page
    assert "Rückgängig machen" in page
    assert "Mittwoch" in page


def test_a_lesson_on_its_way_is_not_asked_for_twice(
    site: httpx.Client, links: Links, got_welcome: Reader, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        plan_due(session, now + timedelta(days=1, hours=1))
    answer = site.post(links.pace(got_welcome), data={"action": "next"})
    assert answer.status_code == 422
    assert "on its way to you at this moment" in answer.text
