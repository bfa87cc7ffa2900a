"""Leaving always works, at once and as often as it is asked; looking at the link changes nothing."""

from __future__ import annotations

from datetime import datetime
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from mailer.audience.suppression import find_suppression, suppress
from mailer.db import Sessions, business_now, session_scope
from mailer.feedback.come_back import ASKED_AT_MOST
from mailer.links import Signer
from mailer.models import Course, Delivery, DeliveryKind, Event, SubscriptionState, SuppressionReason
from mailer.settings import Settings
from tests.support.reader_pages import (
    SECRET,
    TITLE,
    Links,
    Reader,
    make_course,
    running_app,
    signs_up,
    standing,
)

ONE_CLICK: dict[str, dict[str, Any]] = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
    "no body": {},
    "broken multipart": {"content": b"?", "headers": {"Content-Type": "multipart/form-data"}},
    "not a form": {"content": b"{}", "headers": {"Content-Type": "application/json"}},
}


@pytest.fixture
def letters(sessions: Sessions, now: datetime, ada: Reader) -> Reader:
    """Ada is also on a second list."""
    with session_scope(sessions) as session:
        course = make_course(session, "letters", "Letters")
        return signs_up(session, course, now, then=SubscriptionState.ACTIVE)


def test_a_scanner_that_follows_the_links_stops_nothing(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    with sessions() as session:
        before = standing(session, ada)
    for page in ("", "/unsubscribe", "/manage"):
        assert site.get(links.mail(ada, page)).status_code == 200
        assert site.head(links.mail(ada, page)).status_code == 200
    with sessions() as session:
        assert standing(session, ada) == before


def test_the_page_offers_this_and_everything_and_hides_the_address(
    site: httpx.Client, links: Links, ada: Reader
) -> None:
    page = site.get(links.unsubscribe(ada)).text
    assert f"Stop “{TITLE}”" in page
    assert "Stop everything from us" in page
    assert "a••@example.org" in page
    assert "ada@example.org" not in page


def test_this_ends_this_course_and_leaves_the_others(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    page = site.post(links.unsubscribe(ada), data={"scope": "this"})
    assert page.status_code == 200
    assert "Done. It has stopped." in page.text
    assert "Letters" not in page.text  # links get forwarded
    with sessions() as session:
        assert (standing(session, ada).subscription, standing(session, ada).enrollment) == (
            "ended",
            "stopped",
        )
        assert (standing(session, letters).subscription, standing(session, letters).enrollment) == (
            "active",
            "active",
        )


def test_everything_ends_all_and_keeps_the_address_from_being_mailed(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    page = site.post(links.unsubscribe(ada), data={"scope": "everything"})
    assert "All our mail has stopped" in page.text
    with sessions() as session:
        assert standing(session, ada).subscription == "ended"
        assert standing(session, letters).subscription == "ended"
        stop = find_suppression(session, "ada@example.org", business_now(session))
        assert stop is not None
        assert stop.reason == SuppressionReason.EVERYTHING


@pytest.mark.parametrize("body", ONE_CLICK.values(), ids=ONE_CLICK.keys())
def test_the_one_click_of_a_mail_program_acts_at_once(
    body: dict[str, Any],
    site: httpx.Client,
    links: Links,
    ada: Reader,
    letters: Reader,
    sessions: Sessions,
) -> None:
    answer = site.post(links.unsubscribe(ada), **body)
    assert answer.status_code == 200  # RFC 8058 section 3.1: no redirect, no cookie, no second question
    assert "set-cookie" not in answer.headers
    with sessions() as session:
        assert standing(session, ada).subscription == "ended"
        assert standing(session, letters).subscription == "active"


def test_leaving_twice_is_one_withdrawal(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    for _ in range(2):
        assert site.post(links.unsubscribe(ada)).status_code == 200
    assert "This has stopped already" in site.get(links.unsubscribe(ada)).text
    with sessions() as session:
        assert standing(session, ada).consents == ("asked", "given", "withdrawn")
        assert len(session.scalars(select(Event).where(Event.kind == "unsubscribed")).all()) == 1


def test_a_link_signed_with_an_old_key_still_works(
    settings: Settings, links: Links, ada: Reader, sessions: Sessions
) -> None:
    changed = settings.replace(secret_key=("the new secret key, long enough to be one", SECRET))
    with running_app(changed) as address:
        assert httpx.post(address + links.unsubscribe(ada)).status_code == 200
    with sessions() as session:
        assert standing(session, ada).subscription == "ended"


def test_somebody_who_never_confirmed_can_say_no(
    site: httpx.Client, links: Links, ada_before_confirming: Reader, sessions: Sessions
) -> None:
    assert site.post(links.unsubscribe(ada_before_confirming)).status_code == 200
    with sessions() as session:
        now = standing(session, ada_before_confirming)
        assert (now.subscription, now.enrollment) == ("ended", "stopped")


def test_coming_back_takes_a_new_mail_and_begins_with_the_first_lesson(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    site.post(links.unsubscribe(ada), data={"scope": "everything"})
    page = site.post(links.mail(ada, "/resubscribe"))
    assert "Please look in your inbox" in page.text
    with sessions() as session:
        now = standing(session, ada)
        assert (now.subscription, now.enrollment, now.round) == ("pending", "stopped", 1)
        newest = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert newest is not None
        assert newest.kind == DeliveryKind.CONFIRM
    assert "Tuesday, March 3, 2026" in site.post(links.confirm(ada)).text
    with sessions() as session:
        assert standing(session, ada).enrollment == "active"
        assert find_suppression(session, "ada@example.org", business_now(session)) is None


def test_a_forwarded_link_cannot_fill_an_inbox(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    # Her own sign-up counts as the first time that she was asked today.
    for _ in range(ASKED_AT_MOST - 1):
        site.post(links.unsubscribe(ada))
        assert "is on its way" in site.post(links.mail(ada, "/resubscribe")).text
    with sessions() as session:
        before = standing(session, ada).mails
    assert "Several mails went" in site.post(links.mail(ada, "/resubscribe")).text
    with sessions() as session:
        assert standing(session, ada).mails == before


def test_coming_back_without_having_left_changes_nothing(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    with sessions() as session:
        before = standing(session, ada)
    assert "You are on the list" in site.post(links.mail(ada, "/resubscribe")).text
    with sessions() as session:
        assert standing(session, ada) == before


def test_cleo_whose_address_bounced_is_told_that_no_mail_can_come(
    site: httpx.Client, links: Links, course: Course, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        cleo = signs_up(session, course, now, email="cleo@example.org", then=SubscriptionState.ENDED)
        suppress(session, "cleo@example.org", SuppressionReason.HARD_BOUNCE, now)
        before = standing(session, cleo)
    assert "We cannot mail to this address" in site.post(links.mail(cleo, "/resubscribe")).text
    with sessions() as session:
        assert standing(session, cleo) == before


def test_the_links_and_buttons_of_a_test_mail_say_so_and_change_nothing(
    site: httpx.Client, links: Links
) -> None:
    mail = f"/m/{links.signer.delivery_token(0)}"
    answers = [site.get(mail + page) for page in ("", "/unsubscribe", "/manage")]
    everything = {"action": "everything", "scope": "everything"}
    answers += [
        site.post(mail + page, data=everything) for page in ("/unsubscribe", "/resubscribe", "/manage")
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "This was a test mail" in answer.text
        assert "Nothing was changed" in answer.text


def test_a_link_with_a_strange_signature_stops_nothing(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    forged = Signer(["somebody else's secret, long enough to be one"]).delivery_token(ada.delivery_id)
    for page in ("", "/unsubscribe", "/manage"):
        assert site.get(f"/m/{forged}{page}").status_code == 404
    assert site.post(f"/m/{forged}/unsubscribe").status_code == 404
    with sessions() as session:
        assert standing(session, ada).subscription == "active"


def test_a_body_that_is_too_big_is_refused(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    # With its length told, before any of it is sent; and without.
    connection = HTTPConnection(site.base_url.netloc.decode())
    connection.request("POST", links.unsubscribe(ada), headers={**form, "Content-Length": "70000"})
    assert connection.getresponse().status == 413
    connection.close()
    body = iter([b"a=" + b"x" * 65_600])
    assert site.post(links.unsubscribe(ada), content=body, headers=form).status_code == 413
    with sessions() as session:
        assert standing(session, ada).subscription == "active"
