"""A mail shown in the browser, private and without script."""

from __future__ import annotations

import httpx
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Delivery, Message, Subscriber
from tests.support.reader_pages import Links, Reader


def directives(answer: httpx.Response) -> dict[str, str]:
    policy = answer.headers["content-security-policy"]
    return {name: value for name, _, value in (part.strip().partition(" ") for part in policy.split(";"))}


def test_ada_sees_her_own_mail(site: httpx.Client, links: Links, ada: Reader) -> None:
    answer = site.get(links.mail(ada))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    # The mail that asked her: whoever typed the address wrote nothing of it.
    assert "Is this your address?" in answer.text
    assert "Ada" not in answer.text


def test_it_may_show_styles_and_pictures_and_do_nothing_else(
    site: httpx.Client, links: Links, ada: Reader
) -> None:
    answer = site.get(links.mail(ada))
    policy = directives(answer)
    assert policy["default-src"] == policy["script-src"] == policy["form-action"] == "'none'"
    assert policy["style-src"] == "'unsafe-inline'"
    assert policy["img-src"] == "'self' data:"
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_mail_whose_reader_was_erased_is_not_there_any_more(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.delete(session.get_one(Subscriber, ada.id))
    for page in ("", "/unsubscribe", "/manage"):
        assert site.get(links.mail(ada, page)).status_code == 404


def test_a_mail_that_cannot_be_shown_is_our_fault_and_says_no_more(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        welcome = session.scalars(
            select(Message)
            .join(Delivery, Delivery.message_id == Message.id)
            .where(Delivery.id == ada.delivery_id)
        ).one()
        welcome.html, welcome.digest = "{{ no_such_variable }}", "another"
    answer = site.get(links.mail(ada))
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "no_such_variable" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
