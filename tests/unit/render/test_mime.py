"""The mail on the wire: headers that cannot be broken into, and parts that every client reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.render.mime import Headers, build_mail

HEADERS = Headers(
    message_id="<1.2@steadypost.example>",
    date=datetime(2026, 3, 2, 8, tzinfo=UTC),
    sender_name="The Reading Room",
    sender_email="course@steadypost.example",
    reply_to="hello@steadypost.example",
    recipient_name="Ada Marsh",
    recipient_email="ada@reader.example",
    list_id="list-1.steadypost.example",
    feedback_id="5:course:step:steadypost",
    unsubscribe_url="https://news.example.org/m/abc/unsubscribe",
    language="en",
)


def built(
    headers: Headers = HEADERS, subject: str = "A lesson", text: str = "Hi", html: str = "<p>Hi</p>"
) -> EmailMessage:
    mail = message_from_bytes(
        build_mail(headers, subject=subject, text=text, html=html), policy=policy.default
    )
    assert mail.defects == []
    return mail


def test_one_click_unsubscribe_is_offered_as_rfc_8058_wants_it() -> None:
    mail = built()
    assert mail["List-Unsubscribe"] == "<https://news.example.org/m/abc/unsubscribe>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_confirmation_offers_no_unsubscribe() -> None:
    assert built(replace(HEADERS, unsubscribe_url=None))["List-Unsubscribe"] is None


def test_no_header_names_the_course() -> None:
    mail = built(subject="Lesson 1")
    assert mail["List-Id"] == "<list-1.steadypost.example>"
    assert mail["Feedback-ID"] == "5:course:step:steadypost"


def test_the_text_part_comes_first_and_the_html_part_is_preferred() -> None:
    parts = list(built().iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]


def test_lines_on_the_wire_are_short_and_end_in_crlf() -> None:
    raw = build_mail(HEADERS, subject="x" * 400, text="y" * 5000, html="<p>" + "z" * 5000 + "</p>")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5321 section 4.5.3.1.6


@pytest.mark.parametrize("name", ["Inês Prado", "山田 太郎", "Weiß, Jonas", '"Q" <x@y.z>', "a" * 200, ""])
def test_names_and_subjects_of_all_the_world_survive(name: str) -> None:
    mail = built(replace(HEADERS, recipient_name=name, sender_name=name or "x"), subject=f"Für {name}")
    assert mail["To"].addresses[0].display_name == name
    assert mail["To"].addresses[0].addr_spec == "ada@reader.example"
    assert mail["Subject"] == f"Für {name}".strip() or not name


def test_a_long_subject_beyond_ascii_keeps_every_blank() -> None:
    # Python's own folding loses one here, at a word that is short enough to be left as it is.
    subject = "😀 b.😀c==é山😀a=-é<😀::= ? .<? ?.-😀a:b<? 山--a:=.é- b"
    assert built(subject=subject)["Subject"] == subject


def test_an_address_beyond_ascii_makes_an_smtputf8_mail() -> None:
    raw = build_mail(
        replace(HEADERS, recipient_email="jürgen@bücher.example"), subject="x", text="x", html="x"
    )
    assert "jürgen@bücher.example".encode() in raw


ATTACK = "=?utf-8?q?a=0D=0ASubject:_Log_in=0D=0AContent-Type:_text/html=0D=0A=0D=0A<a>x</a>?="
SMUGGLED = "=?utf-8?q?a=0A.=0D=0AMAIL_FROM:<x@evil.example>?="


@pytest.mark.parametrize("typed", [ATTACK, SMUGGLED, "=?utf-8?b?DQpCY2M6IHg=?="])
def test_an_encoded_word_that_somebody_typed_as_a_name_stays_a_name(typed: str) -> None:
    for raw in (
        build_mail(
            replace(HEADERS, recipient_name=typed, sender_name=typed), subject="x", text="x", html="x"
        ),
        build_mail(HEADERS, subject=f"Hello {typed}", text=typed, html=typed),
    ):
        assert b"\n" not in raw.replace(b"\r\n", b"")
        mail = message_from_bytes(raw, policy=policy.default)
        assert len(mail.get_all("Subject", [])) == 1
        assert mail["Bcc"] is None
        assert mail.get_content_type() == "multipart/alternative"


def test_a_long_unsubscribe_address_stays_one_address() -> None:
    url = "https://newsletters.example-organisation.org/m/" + "a" * 200 + "/unsubscribe"
    raw = build_mail(replace(HEADERS, unsubscribe_url=url), subject="x", text="x", html="x")
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in raw


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_name_or_subject_can_inject_a_header(name: str, subject: str) -> None:
    tidy_name, tidy_subject = (" ".join(value.split()) for value in (name, subject))
    try:
        raw = build_mail(replace(HEADERS, recipient_name=tidy_name), subject=tidy_subject, text="x", html="x")
    except ValueError:
        return  # refused outright, which is safe
    names = {name.lower() for name in message_from_bytes(raw, policy=policy.default).keys()}  # noqa: SIM118
    assert "bcc" not in names
    assert names == {name.lower() for name in built().keys()}  # noqa: SIM118
