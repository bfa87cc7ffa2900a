"""A test mail: what a reader would get, to the author's address, and outside every count."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sqlalchemy import func, select

from mailer.audience.addresses import BadAddress
from mailer.audience.fields import declare_field
from mailer.db import session_scope
from mailer.errors import NotFound, Refused
from mailer.launch.send_test import TEST_DELIVERY, compose_test
from mailer.links import Signer
from mailer.models import Attempt, Delivery, FieldType, Subscriber
from mailer.schedule.courses import get_course
from tests.support.cast import ADA, BEN
from tests.support.desk import CALM, Desk

AUTHOR = "author@steadypost.example"


def compose(
    desk: Desk, signer: Signer, step: str = "hello", to: str = AUTHOR, as_: str | None = None
) -> bytes:
    with session_scope(desk.sessions) as session:
        email = compose_test(
            session,
            get_course(session, "calm"),
            step,
            to=to,
            as_email=as_,
            signer=signer,
            base_url="http://mail.test",
            now=desk.house.at,
        )
    assert email.recipient == to
    return email.content


def read(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=policy.default)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_a_test_mail_is_the_mail_that_a_reader_would_get(desk: Desk, signer: Signer) -> None:
    mail = read(compose(desk, signer))
    assert (mail["Subject"], mail["From"]) == ("About hello", "The Reading Room <course@steadypost.example>")
    assert mail["To"] == f"Ada <{AUTHOR}>"
    assert "Hello Ada," in text_of(mail)


def test_it_can_be_seen_as_a_certain_reader_gets_it(desk: Desk, signer: Signer) -> None:
    desk.write(CALM, hello='Your town is {{ fields.town | default("yours") }}.')
    desk.publish()
    desk.house.enroll(BEN, zone="Asia/Kathmandu")
    with session_scope(desk.sessions) as session:
        declare_field(session, "town", FieldType.TEXT)
        session.execute(select(Subscriber).where(Subscriber.email == BEN)).scalar_one().fields = {
            "town": "Oslo"
        }
    mail = read(compose(desk, signer, as_=BEN))
    assert "Hello Ben," in text_of(mail)
    assert "Your town is Oslo." in text_of(mail)
    assert mail["Date"].endswith("+0545")
    assert BEN not in mail.as_string()  # it is not Ben's address that it goes to


def test_its_links_lead_to_the_page_that_says_it_was_a_test(desk: Desk, signer: Signer) -> None:
    content = compose(desk, signer)
    tokens = set(re.findall(r"http://mail\.test/m/([\w-]+)", text_of(read(content))))
    tokens |= set(re.findall(r"http://mail\.test/m/([\w-]+)", str(read(content)["List-Unsubscribe"])))
    assert {signer.delivery_id(token) for token in tokens} == {TEST_DELIVERY}


def test_nothing_is_counted(desk: Desk, signer: Signer) -> None:
    compose(desk, signer)
    with session_scope(desk.sessions) as session:
        for model in (Delivery, Attempt, Subscriber):
            assert session.execute(select(func.count()).select_from(model)).scalar_one() == 0


def test_two_test_mails_are_two_mails(desk: Desk, signer: Signer) -> None:
    first, second = (read(compose(desk, signer))["Message-ID"] for _ in range(2))
    assert first != second


def test_what_cannot_be_sent_is_said(desk: Desk, signer: Signer) -> None:
    with pytest.raises(Refused, match="calm has no step 'nope'; `steadypost course show calm` lists them"):
        compose(desk, signer, step="nope")
    with pytest.raises(NotFound, match=ADA):
        compose(desk, signer, as_=ADA)
    with pytest.raises(BadAddress):
        compose(desk, signer, to="nobody at all")
    desk.write({"hello": 1, "walk": 4})
    desk.publish()
    with pytest.raises(Refused, match="no step 'rest'"):
        compose(desk, signer, step="rest")
