"""Signatures that others can check, and that no altered mail survives. Checked by dkimpy, not by us."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from mailer.render.dkim import BadDkimKey, BadDkimName, DkimAlgorithm, DkimKey, sign
from mailer.render.fast import build_fast
from mailer.render.mime import Headers, build_mail
from mailer.render.personalize import Templates

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
RSA = DkimKey.generate("steadypost.example", "s1", DkimAlgorithm.RSA_SHA256)
ED25519 = DkimKey.generate("steadypost.example", "s2", DkimAlgorithm.ED25519_SHA256)
EACH_KEY = pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])

HEADERS = Headers(
    message_id="<1.2@steadypost.example>",
    date=NOW,
    sender_name="The Reading Room",
    sender_email="course@steadypost.example",
    reply_to="hello@steadypost.example",
    recipient_name="Ada Marsh",
    recipient_email="ada@reader.example",
    list_id="list-1.steadypost.example",
    feedback_id="5:course:step:steadypost",
    unsubscribe_url="https://news.example.org/m/abc/unsubscribe",
    language="en",
    is_auto_submitted=True,
)


def mail(headers: Headers = HEADERS, subject: str = "A lesson") -> bytes:
    return build_fast(Templates(subject, "<p>Hi é</p>\n", "Hi é\n"), {}, headers)


def is_valid(content: bytes, keys: Sequence[DkimKey]) -> bool:
    """Whether every signature in `content` verifies with what the keys' owners published."""
    records = {f"{key.dns_record().name}.".encode(): key.dns_record().value.encode() for key in keys}
    verifier = dkim.DKIM(content, minkey=1024)
    signatures = content.lower().count(b"dkim-signature:")
    assert signatures == len(keys)
    try:
        return all(
            verifier.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name])
            for index in range(signatures)
        )
    except dkim.ValidationError:
        return False


def tags_of(content: bytes) -> dict[str, str]:
    value = re.sub(r"\s", "", str(message_from_bytes(content)["DKIM-Signature"]))
    return dict(tag.split("=", 1) for tag in value.split(";"))


@EACH_KEY
def test_a_signed_mail_verifies(key: DkimKey) -> None:
    assert is_valid(sign(mail(), [key], NOW), [key])


def test_two_keys_sign_side_by_side() -> None:
    signed = sign(mail(), [RSA, ED25519], NOW)
    assert is_valid(signed, [RSA, ED25519])
    assert signed.endswith(mail())


def test_without_a_key_the_mail_stays_as_it_is() -> None:
    assert sign(mail(), [], NOW) == mail()


@EACH_KEY
@pytest.mark.parametrize(
    ("original", "altered"),
    [
        (b"Hi", b"Ho"),
        (b"Subject: A lesson", b"Subject: A lessOn"),
        (b"/m/abc/unsubscribe", b"/m/abd/unsubscribe"),
        (b"One-Click", b"Two-Click"),
        (b"From: The Reading", b"From: A Reading"),
        (b"To: Ada", b"To: Ben"),
        (b"text/html", b"text/plain"),
        (b"Feedback-ID: 5", b"Feedback-ID: 6"),
        (b"t=1772438400", b"t=1772438401"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"Auto-Submitted: auto-generated\r\n", b""),
    ],
)
def test_an_altered_mail_does_not_verify(key: DkimKey, original: bytes, altered: bytes) -> None:
    signed = sign(mail(), [key], NOW)
    assert original in signed
    assert not is_valid(signed.replace(original, altered), [key])


@EACH_KEY
@pytest.mark.parametrize(
    "added", ["From", "To", "Subject", "Date", "List-Unsubscribe", "List-Unsubscribe-Post"]
)
@pytest.mark.parametrize("headers", [HEADERS, replace(HEADERS, unsubscribe_url=None)])
def test_nobody_can_add_a_header_that_readers_or_their_programs_act_on(
    key: DkimKey, added: str, headers: Headers
) -> None:
    signed = sign(mail(headers), [key], NOW)
    line = f"{added}: x@evil.example\r\n".encode()
    assert is_valid(signed, [key])
    assert not is_valid(line + signed, [key])
    assert not is_valid(signed.replace(b"MIME-Version", line + b"MIME-Version"), [key])


@EACH_KEY
def test_headers_that_a_server_folds_anew_still_verify(key: DkimKey) -> None:
    signed = sign(mail(), [key], NOW)
    folded = signed.replace(b"Subject: A lesson", b"SUBJECT:  A \r\n\t lesson ")
    assert folded != signed
    assert is_valid(folded, [key])


@EACH_KEY
@pytest.mark.parametrize(
    ("headers", "subject"),
    [
        (replace(HEADERS, recipient_name="Jürgen Müller", sender_name="Lesesaal für alle"), "Für dich " * 20),
        (replace(HEADERS, recipient_name="山田 " * 30), "x" * 300),
        (replace(HEADERS, recipient_email="jürgen@bücher.example"), "A long subject of many words " * 9),
        (replace(HEADERS, reply_to="", is_auto_submitted=False), ""),
        (replace(HEADERS, unsubscribe_url="https://a.example/" + "x" * 800), "A lesson"),
    ],
)
def test_mails_to_all_the_world_verify(key: DkimKey, headers: Headers, subject: str) -> None:
    assert is_valid(sign(mail(headers, subject), [key], NOW), [key])
    plainly = build_mail(headers, subject=" ".join(subject.split()), text="x", html="x")
    assert is_valid(sign(plainly, [key], NOW), [key])


@EACH_KEY
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n\r\n",
        b"no line end",
        b"Hi\r\n\r\n\r\n",
        b" \r\n",
        b"\r\n.\r\n",
        b"\r\n\r\nHi\r\n",
    ],
)
@pytest.mark.parametrize("head", [b"From: a@steadypost.example\r\nX:\r\nSubject:  \t a\x0bb \r\n  c\r\n"])
def test_any_body_verifies_an_empty_one_too(key: DkimKey, head: bytes, body: bytes) -> None:
    assert is_valid(sign(head + b"\r\n" + body, [key], NOW), [key])


@EACH_KEY
def test_a_header_that_is_there_twice_is_signed_twice(key: DkimKey) -> None:
    twice = b"From: a@steadypost.example\r\nList-Id: <a>\r\nList-ID: <b>\r\n\r\nHi\r\n"
    signed = sign(twice, [key], NOW)
    assert is_valid(signed, [key])
    assert not is_valid(signed.replace(b"<a>", b"<c>"), [key])
    assert not is_valid(signed.replace(b"<b>", b"<c>"), [key])


def test_what_the_signature_says_of_itself() -> None:
    tags = tags_of(sign(mail(), [RSA], NOW))
    assert (tags["a"], tags["c"], tags["d"], tags["s"]) == (
        *("rsa-sha256", "relaxed/simple", "steadypost.example", "s1"),
    )
    assert tags["t"] == "1772438400"  # 2026-03-02 08:00:00 UTC
    assert "x" not in tags  # a mail that waited in a queue verifies as well
    named = tags["h"].split(":")
    # RFC 8058 section 4; and once more than they are there, so that none can be added.
    assert named.count("list-unsubscribe") == named.count("list-unsubscribe-post") == 2
    assert named.count("from") == 2
    assert named.count("message-id") == 1


def test_lines_of_a_signature_are_short() -> None:
    head = sign(mail(), [RSA, ED25519], NOW).partition(b"Message-ID")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


@EACH_KEY
def test_a_key_survives_being_written_down(key: DkimKey) -> None:
    again = DkimKey.from_pem(key.domain, key.selector, key.private_pem())
    assert again.algorithm is key.algorithm
    assert again.dns_record() == key.dns_record()
    assert is_valid(sign(mail(), [again], NOW), [key])


def test_the_record_to_publish() -> None:
    name, value = ED25519.dns_record()
    assert name == "s2._domainkey.steadypost.example"
    assert re.fullmatch(r"v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=", value)  # RFC 8463: 32 bytes


def test_a_long_record_comes_in_strings_that_a_zone_file_can_hold() -> None:
    record = RSA.dns_record()
    assert record.value.startswith("v=DKIM1; k=rsa; p=MII")
    assert len(record.value) > 255  # RFC 1035 section 3.3
    assert [len(string) <= 255 for string in record.strings] == [True, True]
    assert "".join(record.strings) == record.value


def test_a_private_key_is_not_shown_by_accident() -> None:
    assert "rivate" not in repr(RSA)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"not a key",
        generate_ec_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        ED25519.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    ],
)
def test_what_is_not_a_key_for_signing_is_refused(pem: bytes) -> None:
    with pytest.raises(BadDkimKey):
        DkimKey.from_pem("steadypost.example", "s1", pem)


@pytest.mark.parametrize(
    "name", ["", "a;b", "a b", "a\r\nX: y", "-a", "a..b", "bücher.example", "a." + "b" * 64]
)
def test_a_name_that_could_not_stand_in_a_signature_is_refused(name: str) -> None:
    for domain, selector in ((name, "s1"), ("steadypost.example", name)):
        with pytest.raises(BadDkimName):
            DkimKey.from_pem(domain, selector, ED25519.private_pem())
