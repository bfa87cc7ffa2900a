"""Confirming: the link asks, the button does it, and nothing else does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import httpx
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Consent, ConsentKind, Course, Event, MailingList, SubscriptionState
from tests.support.reader_pages import CONSENT, TITLE, Links, Reader, signs_up, standing


def test_a_scanner_that_follows_the_link_signs_nobody_up(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    with sessions() as session:
        before = standing(session, ada_before_confirming)
    assert site.get(links.confirm(ada_before_confirming)).status_code == 200
    assert site.head(links.confirm(ada_before_confirming)).status_code == 200
    with sessions() as session:
        assert standing(session, ada_before_confirming) == before


def test_the_page_asks_and_shows_what_she_agrees_to(
    site: httpx.Client, links: Links, ada_before_confirming: Reader
) -> None:
    page = site.get(links.confirm(ada_before_confirming)).text
    assert TITLE in page
    assert CONSENT in page
    assert "a••@example.org" in page
    assert "ada@example.org" not in page
    assert page.count("<button") == 1


def test_the_button_begins_the_course(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    page = site.post(links.confirm(ada_before_confirming))
    assert page.status_code == 200
    assert "You are in." in page.text
    assert TITLE in page.text
    # She confirms on Monday 2 March; the first lesson is on day 1.
    assert "Tuesday, March 3, 2026" in page.text
    with sessions() as session:
        now = standing(session, ada_before_confirming)
        assert (now.subscription, now.enrollment, now.consents) == ("active", "active", ("asked", "given"))
        given = session.scalars(select(Consent).where(Consent.kind == ConsentKind.GIVEN)).one()
        assert (given.wording, given.source) == (CONSENT, "confirm page")


def test_pressing_twice_shows_the_same_page_and_changes_nothing_more(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    first = site.post(links.confirm(ada_before_confirming))
    with sessions() as session:
        before = standing(session, ada_before_confirming)
    second = site.post(links.confirm(ada_before_confirming))
    assert second.text == first.text
    with sessions() as session:
        assert standing(session, ada_before_confirming) == before


def test_two_presses_at_the_same_time_are_one_consent(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    with ThreadPoolExecutor(8) as presses:
        answers = list(presses.map(site.post, [links.confirm(ada_before_confirming)] * 8))
    assert {answer.status_code for answer in answers} == {200}
    with sessions() as session:
        # The confirmation mail and one welcome.
        assert standing(session, ada_before_confirming).mails == 2
        assert standing(session, ada_before_confirming).consents == ("asked", "given")
        assert len(session.scalars(select(Event)).all()) == 1


def test_the_link_opened_again_later_says_that_it_is_done(
    site: httpx.Client, links: Links, ada: Reader
) -> None:
    page = site.get(links.confirm(ada))
    assert "You are in already" in page.text
    assert "<button" not in page.text


def test_a_link_that_has_run_out_says_what_to_do(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    for method in ("GET", "POST"):
        page = site.request(method, links.confirm(ada_before_confirming, days=-1))
        assert page.status_code == 410
        assert "sign up again" in page.text
    with sessions() as session:
        assert standing(session, ada_before_confirming).subscription == "pending"


def test_a_link_that_is_not_ours_is_told_kindly(
    site: httpx.Client, links: Links, ada_before_confirming: Reader
) -> None:
    of_a_mail = links.signer.delivery_token(ada_before_confirming.delivery_id)
    for token in (links.confirm(ada_before_confirming)[9:-3], of_a_mail, "%00%F0%9F%98%80", "x" * 5000):
        page = site.get(f"/confirm/{token}")
        assert page.status_code == 404
        assert "This link does not work" in page.text


def test_ben_who_left_does_not_come_back_by_an_old_confirmation_link(
    site: httpx.Client, links: Links, ben: Reader, sessions: Sessions
) -> None:
    assert "This sign-up has ended" in site.get(links.confirm(ben)).text
    assert "This sign-up has ended" in site.post(links.confirm(ben)).text
    with sessions() as session:
        assert standing(session, ben).subscription == "ended"


def test_a_list_without_a_course_promises_no_lesson(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, course: Course, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        other = MailingList(slug="letters", title="Letters")
        session.add(other)
        session.flush()
        session.get_one(Course, course.id).list_id = other.id
    page = site.post(links.confirm(ada_before_confirming)).text
    assert "You are in." in page
    assert "lesson" not in page


def test_the_page_speaks_the_readers_language(
    site: httpx.Client, links: Links, course: Course, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        ada = signs_up(session, course, now, email="ada@example.de", language="de-AT")
    assert '<html lang="de-AT" dir="ltr">' in site.get(links.confirm(ada)).text
    page = site.post(links.confirm(ada)).text
    assert "Sie sind dabei." in page
    assert "Dienstag, 3. März 2026" in page


def test_a_language_without_words_is_answered_in_english(
    site: httpx.Client, links: Links, course: Course, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        ada = signs_up(
            session, course, now, email="ada@example.fi", language="fi", then=SubscriptionState.ACTIVE
        )
    page = site.post(links.confirm(ada)).text
    assert '<html lang="en" dir="ltr">' in page
    assert "Tuesday, March 3, 2026" in page
