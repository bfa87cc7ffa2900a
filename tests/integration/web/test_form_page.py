"""Signing up by a form: double opt-in always, the words seen as evidence, one answer to everybody."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import datetime, timedelta
from itertools import count

import httpx
import pytest
import redis as client
from sqlalchemy import select

from mailer.audience.forms import FormText, add_form, agreed_words, close_form, get_form
from mailer.audience.suppression import suppress
from mailer.db import Sessions, session_scope
from mailer.delivery.show import show_mail
from mailer.embedded.redis import EmbeddedRedis
from mailer.feedback.by_form import sign_up_by_form
from mailer.links import Signer
from mailer.models import (
    Consent,
    Course,
    Delivery,
    Enrollment,
    MailingList,
    OptIn,
    Subscriber,
    Subscription,
    SuppressionReason,
    WaitingName,
)
from mailer.queue import Broker, client_url
from mailer.web.subscriber.guard import BITS, Answer, Asked, Guard, is_proof
from tests.support.reader_pages import SECRET, TITLE, Links, Reader

HEALTH = (
    "Yes, please. I know that asking for this says something about my health, and I agree that it is kept "
    "and used to send me these mails. I can take this back at any time."
)
TEXT = FormText(
    list_slug="neck",
    title="A calmer neck in three days",
    words="Three short letters.\n\nThey cost nothing.",
    consent="Yes, please.",
    asks_name=True,
    is_health=True,
)
EVA = {"email": "Eva@example.org", "name": "Eva", "agree": "yes"}


@pytest.fixture(autouse=True)
def form(sessions: Sessions, course: Course, redis: EmbeddedRedis, now: datetime) -> None:
    """The form of a health course, whose list is single opt-in; nobody has been counted today."""
    Broker(redis.broker_url).empty()
    with session_scope(sessions) as session:
        add_form(session, "neck-page", TEXT, now)
        session.get_one(MailingList, course.list_id).opt_in = OptIn.SINGLE


@pytest.fixture
def guard(redis: EmbeddedRedis) -> Guard:
    return Guard(client_url(redis.broker_url), Signer([SECRET]))


def state_of(sessions: Sessions, email: str) -> str | None:
    with sessions() as session:
        return session.scalars(
            select(Subscription.state)
            .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
            .where(Subscriber.email_key == email)
        ).one_or_none()


def mails_to(sessions: Sessions, email: str) -> int:
    with sessions() as session:
        mine = select(Delivery.id).join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        return len(session.scalars(mine.where(Subscriber.email_key == email)).all())


def test_eva_signs_up_and_is_asked_to_confirm_although_the_list_would_take_her_at_once(
    site: httpx.Client, sessions: Sessions
) -> None:
    answer = site.post("/f/neck-page", data=EVA, follow_redirects=True)
    assert answer.url.path == "/f/neck-page/sent"
    assert "Please look in your inbox" in answer.text
    assert state_of(sessions, "eva@example.org") == "pending"
    assert mails_to(sessions, "eva@example.org") == 1
    with sessions() as session:
        consent = session.scalars(select(Consent)).one()
        assert (consent.kind, consent.wording, consent.source) == ("asked", HEALTH, "form neck-page")
        assert session.scalars(select(Enrollment.state)).one() == "waiting"


def test_what_she_agreed_to_is_shown_again_when_she_confirms_and_kept(
    site: httpx.Client, sessions: Sessions, links: Links
) -> None:
    site.post("/f/neck-page", data=EVA)
    with sessions() as session:
        subscription = session.scalars(select(Subscription)).one()
    reader = Reader(subscription.subscriber_id, subscription.id, 0)
    assert "says something about my health" in site.get(links.confirm(reader)).text
    assert "You are in." in site.post(links.confirm(reader)).text
    with sessions() as session:
        given = session.scalars(select(Consent).where(Consent.kind == "given")).one()
        assert given.wording == HEALTH
        assert session.get_one(Subscriber, reader.id).name == "Eva"
        assert session.scalars(select(WaitingName)).all() == []


def test_a_health_course_is_not_sent_without_a_yes_of_its_own(site: httpx.Client, sessions: Sessions) -> None:
    answer = site.post("/f/neck-page", data={"email": "eva@example.org", "name": "Eva"})
    assert answer.status_code == 422
    assert "without your yes" in answer.text
    assert 'value="eva@example.org"' in answer.text
    assert mails_to(sessions, "eva@example.org") == 0


def test_what_is_no_address_is_said_beside_the_field(site: httpx.Client) -> None:
    answer = site.post("/f/neck-page", data={**EVA, "email": "eva at home"})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


def test_the_page_says_what_is_kept_and_works_without_script(site: httpx.Client) -> None:
    page = site.get("/f/neck-page")
    assert "script-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "What is kept about you" in page.text
    assert "what you answer when it asks how a week went" in page.text


def test_no_word_of_a_visitor_is_in_the_confirmation_mail(site: httpx.Client, sessions: Sessions) -> None:
    site.post("/f/neck-page", data={**EVA, "name": "Buy at spam.example"})
    with sessions() as session:
        delivery_id = session.scalars(select(Delivery.id)).one()
        shown = show_mail(session, delivery_id, Signer([SECRET]), "http://x")
    assert "spam.example" not in shown.subject + shown.html + shown.text


@pytest.mark.parametrize("who", ["new", "on the list", "left", "reported us", "unknown and stopped"])
def test_everybody_gets_the_same_answer(
    site: httpx.Client, sessions: Sessions, ada: Reader, ben: Reader, now: datetime, who: str
) -> None:
    address = {"on the list": "ada@example.org", "left": "ben@example.org"}.get(who, "eva@example.org")
    if who in ("reported us", "unknown and stopped"):
        address = "ada@example.org" if who == "reported us" else address
        with session_scope(sessions) as session:
            suppress(session, address, SuppressionReason.COMPLAINT, now)
    before = mails_to(sessions, address)
    began = time.monotonic()
    answer = site.post("/f/neck-page", data={**EVA, "email": address})
    # However long the work took: no answer comes sooner than the others.
    assert time.monotonic() - began >= 0.3
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "neck-page/sent", "")
    assert "set-cookie" not in answer.headers
    assert mails_to(sessions, address) - before == (who in ("new", "left"))


def test_somebody_who_is_known_is_not_changed_by_whoever_types_their_address(
    sessions: Sessions, ben: Reader, now: datetime
) -> None:
    with session_scope(sessions) as session:
        sign_up_by_form(session, get_form(session, "neck-page"), "ben@example.org", "Somebody Else", now)
        assert session.get_one(Subscriber, ben.id).name == "Ben"


def test_the_same_address_again_and_again_gets_three_mails_a_day(
    sessions: Sessions, course: Course, now: datetime
) -> None:
    for minute in range(5):
        with session_scope(sessions) as session:
            form = get_form(session, "neck-page")
            sign_up_by_form(session, form, "eva@example.org", "", now + timedelta(minutes=minute))
    assert mails_to(sessions, "eva@example.org") == 3


def test_a_program_that_fills_in_everything_is_told_the_same_and_nothing_is_kept(
    site: httpx.Client, sessions: Sessions
) -> None:
    answer = site.post("/f/neck-page", data={**EVA, "website": "http://spam.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "neck-page/sent")
    assert state_of(sessions, "eva@example.org") is None


def test_a_closed_form_says_so_and_takes_nobody(
    site: httpx.Client, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        close_form(session, get_form(session, "neck-page"), now, is_closed=True)
    for answer in (site.get("/f/neck-page"), site.post("/f/neck-page", data=EVA)):
        assert answer.status_code == 410
        assert "This form is closed" in answer.text
    assert state_of(sessions, "eva@example.org") is None
    assert site.get("/f/no-such-form").status_code == 404


def test_a_form_that_is_not_about_health_shows_its_words_above_the_button(
    site: httpx.Client, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        plain = FormText("neck", TITLE, "", "Send me letters about reading.")
        form = add_form(session, "letters", plain, now)
        assert agreed_words(form) == "Send me letters about reading."
    page = site.get("/f/letters").text
    assert "Send me letters about reading." in page
    assert 'type="checkbox"' not in page
    assert site.post("/f/letters", data={"email": "eva@example.org"}).status_code == 303


def test_above_the_cap_of_a_network_a_proof_of_work_lets_people_in(
    site: httpx.Client, sessions: Sessions
) -> None:
    # Ten an hour from one network; the eleventh is asked to work.
    for number in range(10):
        assert site.post("/f/neck-page", data={**EVA, "email": f"p{number}@example.org"}).status_code == 303
    asked = site.post("/f/neck-page", data=EVA)
    assert asked.status_code == 429
    assert "script-src 'self'" in asked.headers["content-security-policy"]
    assert "proof.js" in asked.text
    key = re.search(r'name="key" value="([^"]+)"', asked.text)
    assert key is not None
    assert 'name="agree" value="yes"' in asked.text
    # Pressed at once, with no work done: the same page, and the same key, so that waiting goes on.
    again = site.post("/f/neck-page", data={**EVA, "key": key[1]})
    assert again.status_code == 429
    assert key[1] in again.text
    assert site.post("/f/neck-page", data={**EVA, "key": key[1], "solution": "1"}).status_code == 429
    done = {**EVA, "key": key[1], "solution": solved(key[1])}
    assert site.post("/f/neck-page", data=done).status_code == 303
    assert state_of(sessions, "eva@example.org") == "pending"
    # A proof is good once.
    assert site.post("/f/neck-page", data=done).status_code == 429


def solved(key: str) -> str:
    return next(str(number) for number in count() if is_proof(key, str(number)))


def test_a_proof_is_a_hash_that_begins_with_sixteen_zero_bits() -> None:
    solution = solved("a key")
    assert BITS == 16
    assert hashlib.sha256(f"a key:{solution}".encode()).hexdigest().startswith("0000")
    assert not is_proof("a key", "")


def fill(guard: Guard, asked: Asked, now: datetime) -> None:
    for number in range(10):
        one = Asked(asked.form, f"q{number}@example.org", asked.network)
        assert guard.ask(one, "", "", now) is Answer.YES
    assert guard.ask(asked, "", "", now) is Answer.WORK


@pytest.mark.parametrize(
    ("minutes", "answer"),
    [(0, Answer.WORK), (1.9, Answer.WORK), (2, Answer.YES), (119, Answer.YES), (121, Answer.WORK)],
)
def test_without_script_a_key_is_good_after_two_minutes_and_for_two_hours(
    guard: Guard, now: datetime, minutes: float, answer: Answer
) -> None:
    asked = Asked("neck-page", "eva@example.org", "203.0.113.7")
    fill(guard, asked, now)
    key = guard.key(asked, "", now)
    assert guard.ask(asked, key, "", now + timedelta(minutes=minutes)) is answer
    assert guard.ask(asked, key, "", now + timedelta(minutes=minutes)) is Answer.WORK  # once


def test_a_key_is_for_one_form_one_address_and_one_network(guard: Guard, now: datetime) -> None:
    asked = Asked("neck-page", "eva@example.org", "203.0.113.7")
    key, later = guard.key(asked, "", now), now + timedelta(minutes=3)
    fill(guard, asked, now)
    for other in (
        Asked("letters", "eva@example.org", "203.0.113.7"),
        Asked("neck-page", "ada@example.org", "203.0.113.7"),
    ):
        assert guard.ask(other, key, "", later) is Answer.WORK
    # Another address of the same /24 is the same network: telephones change theirs as they move.
    assert guard.ask(Asked("neck-page", "EVA@example.org", "203.0.113.99"), key, "", later) is Answer.YES


def test_an_ipv6_network_is_its_64(guard: Guard, now: datetime) -> None:
    fill(guard, Asked("neck-page", "eva@example.org", "2001:db8::1"), now)
    same, other = "2001:db8::ffff:1", "2001:db8:0:1::1"
    assert guard.ask(Asked("neck-page", "eva@example.org", same), "", "", now) is Answer.WORK
    assert guard.ask(Asked("neck-page", "eva@example.org", other), "", "", now) is Answer.YES


def test_one_address_has_its_share_whatever_is_proved(guard: Guard, now: datetime) -> None:
    for number in range(5):
        asked = Asked("neck-page", "Eva@example.org", f"203.0.{number}.1")
        assert guard.ask(asked, "", "", now) is Answer.YES
    asked = Asked("neck-page", "eva@example.org", "203.0.200.1")
    assert guard.ask(asked, "", "", now) is Answer.ENOUGH
    key = guard.key(asked, "", now)
    assert guard.ask(asked, key, solved(key), now) is Answer.ENOUGH


def test_redis_keeps_no_address_and_no_network(guard: Guard, redis: EmbeddedRedis, now: datetime) -> None:
    guard.ask(Asked("neck-page", "eva@example.org", "203.0.113.7"), "", "", now)
    keys = str(client.Redis.from_url(client_url(redis.broker_url)).keys("*forms*"))
    assert "forms" in keys
    assert "eva" not in keys
    assert "203.0" not in keys


def test_while_redis_is_away_each_process_counts_for_itself(now: datetime) -> None:
    alone = Guard("redis://127.0.0.1:1", Signer([SECRET]))
    fill(alone, Asked("neck-page", "eva@example.org", "203.0.113.7"), now)
