"""What the mailbox reads out of mails, whatever their shape, and how it prepares HTML for a frame."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage

import pytest

from mailer.embedded.mailbox.preview import framed, has_dark_styles
from mailer.embedded.mailbox.reading import body, date_of, header, other_parts, parse


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Mon, 2 Mar 2026 08:00:00 +0545", datetime(2026, 3, 2, 8, tzinfo=timezone(timedelta(hours=5.75)))),
        ("Mon, 2 Mar 2026 08:00:00 -0000", datetime(2026, 3, 2, 8, tzinfo=UTC)),  # RFC 5322: zone not said
        ("tomorrow", None),
        ("Mon, 99 Mar 2026 08:00:00 +0000", None),
    ],
)
def test_the_date_is_read_with_its_own_offset(written: str, read: datetime | None) -> None:
    date = date_of(parse(f"Date: {written}\r\n\r\n".encode()))
    assert date == read
    assert read is None or (date and date.utcoffset() == read.utcoffset())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("Subject: Grüße".encode(), "Grüße"),  # RFC 6532: plain UTF-8
        (b"Subject: a\r\n folded one", "a folded one"),
        (b"X-Other: nothing", ""),
    ],
)
def test_subjects_are_read_as_they_were_meant(written: bytes, read: str) -> None:
    assert header(parse(written + b"\r\n\r\n"), "Subject") == read


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no headers at all",
        b"\x00\xff\xfe\r\n\r\n\x00",
        b"Subject: =?utf-8?b?####?=\r\n\r\n",
        b"From: <<<>>\r\nTo: @@,,;\r\nMessage-ID: <\r\nDate: \xff\r\n\r\n",
        b"Content-Type: text/html; charset=klingon\r\n\r\n<p>\xff</p>",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n###",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/mixed\r\n\r\n--x",
        b"Content-Type: multipart/alternative\r\n\r\nno boundary",
        b"Content-Disposition: attachment; filename*=a\x00b''x\r\n\r\n",
        b"Content-Type: text/html; charset*=\x00''x\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nText",
    ],
)
def test_malformed_mails_are_read_without_an_error(raw: bytes) -> None:
    mail = parse(raw)
    for name in ("Subject", "From", "To", "Message-ID"):
        assert isinstance(header(mail, name), str)
    date_of(mail), body(mail, "plain"), body(mail, "html"), other_parts(mail)


def test_attachments_are_listed_and_an_attached_text_is_not_the_body() -> None:
    mail = EmailMessage()
    mail.set_content("Hello Ada,")
    mail.add_attachment("not the body", filename="notes.txt")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Plan für Ada.pdf")
    read = parse(mail.as_bytes())
    assert (body(read, "plain") or "").strip() == "Hello Ada,"
    assert [part.name for part in other_parts(read)] == ["notes.txt", "Plan für Ada.pdf"]


def test_dark_view_shows_the_dark_styles_and_light_view_never_does() -> None:
    html = "<head><style>@media screen and (prefers-color-scheme:dark) { p { color: white } }</style></head>"
    assert has_dark_styles(html)
    assert "screen and (min-width: 0)" in framed(html, dark=True, pictures={})
    assert "screen and (max-width: 0)" in framed(html, dark=False, pictures={})


@pytest.mark.parametrize(
    ("html", "begins"),
    [
        ("<!doctype html><html><head><title>x</title></head>", "<!doctype html><html><head><base "),
        ("<!DOCTYPE html><p>Hello</p>", "<!DOCTYPE html><base "),
        ("<p>Hello</p>", "<base "),
    ],
)
def test_links_open_in_a_new_tab_without_disturbing_the_doctype(html: str, begins: str) -> None:
    assert framed(html, dark=False, pictures={}).startswith(begins)


def test_pictures_that_the_mail_brings_are_found() -> None:
    shown = framed('<img src="cid:neck@course">', dark=False, pictures={"neck@course": "/messages/1/parts/2"})
    assert '<img src="/messages/1/parts/2">' in shown
