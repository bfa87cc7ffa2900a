"""A forgotten password: the same answer for everybody, one link for who has a login, and in again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update

from mailer.accounts.throttle import MOST, Try
from mailer.db import Sessions, session_scope
from mailer.delivery.senders import add_sender
from mailer.models import Action, Invitation, Operator, Role
from mailer.settings import Settings
from tests.support.reader_pages import running_app
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.staff import PASSWORD, STAFF, hire, signs_in

MARC = STAFF[Role.MARKETER][0]
SENDER = {"name": "The Reading Room", "email": "post@example.org", "postal_address": "12 Quiet Lane, Bristol"}
NEW = "a new and better password"


@dataclass
class Door:
    """The sign-in page of a desk from outside, and what was mailed."""

    client: httpx.Client
    server: ScriptedSmtp
    address: str

    def forgets(self, email: str) -> httpx.Response:
        return self.client.post("/desk/forgotten", data={"email": email}, follow_redirects=True)

    def link(self, number: int = 0) -> str:
        """The path in the mail of this number, waited for: it leaves after the answer."""
        until = time.monotonic() + 10
        while len(self.server.mails) <= number and time.monotonic() < until:
            time.sleep(0.02)
        found = re.search(r"http://mail\.example(/desk/join/[\w-]+)", self.server.mails[number].get_content())
        assert found
        return found[1]

    def chooses(self, link: str) -> httpx.Response:
        return self.client.post(link, data={"password": NEW, "again": NEW}, follow_redirects=True)


@pytest.fixture
def door(settings: Settings, sessions: Sessions) -> Iterator[Door]:
    hire(sessions)
    with session_scope(sessions) as session:
        add_sender(session, "news", SENDER, "tests")
    with (
        scripted_smtp() as server,
        running_app(settings.replace(smtp_url=server.url, base_url="http://mail.example")) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield Door(client, server, address)


def test_marc_forgets_his_password_and_is_in_again_by_a_link_that_works_once(
    door: Door, sessions: Sessions
) -> None:
    elsewhere = signs_in(door.address, Role.MARKETER)
    assert "a mail with a link is on its way" in door.forgets(MARC.upper()).text
    link = door.link()
    assert door.server.recipients == [MARC]
    assert "Marc (marketer)" in door.chooses(link).text
    assert "Sign in" in elsewhere.get("/desk/you").text  # all his sessions have ended
    assert door.chooses(link).status_code == 404
    signed = door.client.post("/desk/sign-in", data={"email": MARC, "password": PASSWORD})
    assert signed.status_code == 422
    with session_scope(sessions) as session:
        done = session.scalars(select(Action.what).where(Action.who == MARC).order_by(Action.id)).all()
    assert done == ["password forgotten", "password change"]


def test_everybody_gets_the_same_answer_and_only_who_has_a_password_gets_a_mail(
    door: Door, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.execute(
            update(Operator).where(Operator.email == STAFF[Role.READER][0]).values(password_hash=None)
        )
        session.execute(
            update(Operator)
            .where(Operator.email == STAFF[Role.OPERATOR][0])
            .values(disabled_at=Operator.created_at)
        )
    known = door.forgets(MARC)
    for email in ("nobody@example.org", STAFF[Role.READER][0], STAFF[Role.OPERATOR][0]):
        answer = door.forgets(email)
        assert (answer.status_code, answer.url) == (known.status_code, known.url)
        assert "a mail with a link is on its way" in answer.text
    door.link()
    assert door.server.recipients == [MARC]


def test_nobody_is_mailed_more_links_because_a_stranger_asks(door: Door, sessions: Sessions) -> None:
    for _ in range(5):
        door.forgets(MARC)
    # Three an hour for one address; the first of them stays good though others were asked for after it.
    link = door.link(2)
    assert len(door.server.mails) == 3
    assert door.client.get(door.link(0)).status_code == 200
    door.chooses(link)
    assert door.client.get(door.link(0)).status_code == 404
    for _ in range(MOST[Try.LINK_FROM].amount):
        late = door.forgets("nobody@example.org")
    assert (late.status_code, "too many tries" in late.text) == (429, True)


def test_a_link_runs_out_and_does_not_stand_in_for_the_second_factor(door: Door, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.execute(
            update(Operator)
            .where(Operator.email == MARC)
            .values(totp_since=Operator.created_at, totp_sealed="sealed")
        )
    door.forgets(MARC)
    assert door.chooses(door.link()).url.path == "/desk/sign-in/factor"
    door.forgets(MARC)
    link = door.link(1)
    with session_scope(sessions) as session:
        kept = session.scalars(select(Invitation).order_by(Invitation.id.desc())).first()
        assert kept is not None
        assert kept.expires_at - kept.created_at == timedelta(minutes=30)
        kept.expires_at = kept.created_at
    assert door.client.get(link).status_code == 404
