"""A rendered mail as the bytes that go over the wire."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
HEADER_END = re.compile(rb"\r\n(?![ \t])")
BOUNDARY = b"=_steadypost"
"""It cannot occur in a part: quoted-printable writes every = as =3D (RFC 2045 section 6.7 suggests it)."""
MULTIPART = b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="' + BOUNDARY + b'"\r\n\r\n'
PART = (
    b"--" + BOUNDARY + b'\r\nContent-Type: text/%b; charset="utf-8"\r\n'
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)
CLOSING = b"--" + BOUNDARY + b"--\r\n"
LONGEST_LINE = 990
"""RFC 5322 section 2.1.1 allows 998 characters."""
ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
"""RFC 8058 section 3.1."""
ENCODED_AT_ONCE = 39
"""Bytes in one encoded word, which with "Subject: " before it fits on a line of 76 (RFC 2047 section 2)."""
AUTO_SUBMITTED = ("Auto-Submitted", "auto-generated")
"""RFC 3834: keeps out-of-office replies from answering."""


@dataclass(frozen=True)
class Headers:
    """Everything around the text of one mail.

    `unsubscribe_url` is None for mails that nobody subscribed to, such as a confirmation.
    """

    message_id: str
    date: datetime
    sender_name: str
    sender_email: str
    reply_to: str
    recipient_name: str
    recipient_email: str
    list_id: str
    feedback_id: str
    unsubscribe_url: str | None
    language: str
    is_auto_submitted: bool = False


def build_mail(headers: Headers, *, subject: str, text: str, html: str) -> bytes:
    """The mail as bytes with CRLF lines: plain text first, HTML as the better alternative (RFC 2046).

    Raises ValueError rather than make a mail in which a value has become a header or a line of its own.
    render/fast.py builds the same mail in a fraction of the time; this is what it is measured against.
    """
    lines = [head(headers, subject), MULTIPART]
    for subtype, body in (("plain", text), ("html", html)):
        lines += [PART % subtype.encode(), _quoted_printable(body)]
    content = b"".join([*lines, CLOSING])
    if BARE_LINE_END.search(content):
        raise ValueError("a value of this mail has a line break of its own")
    return content


def head(headers: Headers, subject: str) -> bytes:
    """The headers, without those of the MIME structure; each line ends in CRLF. Raises ValueError."""
    pairs: list[tuple[str, str | Address]] = [
        ("From", address(headers.sender_name, headers.sender_email)),
        ("To", address(headers.recipient_name, headers.recipient_email)),
    ]
    if headers.reply_to:
        pairs.append(("Reply-To", address("", headers.reply_to)))
    pairs += [
        ("Date", format_datetime(headers.date)),
        ("Content-Language", headers.language),
    ]
    if headers.is_auto_submitted:
        pairs.append(AUTO_SUBMITTED)
    lines = library_lines(pairs, is_utf8=needs_utf8(headers))
    return _own_headers(headers) + subject_line(subject) + lines


def subject_line(subject: str) -> bytes:
    """The Subject header of `subject`, which has single blanks only."""
    safe = plain(subject)
    if safe.isascii() or not safe.isprintable():
        return library_lines([("Subject", safe)], is_utf8=False)
    # Not by the library, which loses a blank at some of the places where it folds.
    return f"Subject: {encoded_words(safe)}\r\n".encode()


def encoded_words(words: str) -> str:
    """Words beyond ASCII for a header (RFC 2047), without dividing a character."""
    raw, start = words.encode(), 0
    encoded = []
    while start < len(raw):
        end = start + ENCODED_AT_ONCE
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        base64 = binascii.b2a_base64(raw[start:end], newline=False).decode()
        encoded.append(f"=?utf-8?b?{base64}?=")
        start = end
    return "\r\n ".join(encoded)


def needs_utf8(headers: Headers) -> bool:
    """Whether an address is beyond ASCII, so that the headers are written in UTF-8 (RFC 6532)."""
    return not (headers.recipient_email.isascii() and headers.sender_email.isascii())


def library_lines(pairs: Sequence[tuple[str, str | Address]], *, is_utf8: bool) -> bytes:
    """Headers as the standard library encodes and folds them; ValueError when one would become two."""
    mail = EmailMessage(policy=SMTPUTF8 if is_utf8 else SMTP)
    try:
        for name, value in pairs:
            mail[name] = value
        lines = mail.as_bytes().rstrip() + b"\r\n"
    except MessageError as error:
        raise ValueError("the headers of this mail cannot be written") from error
    if BARE_LINE_END.search(lines) or len(HEADER_END.findall(lines)) != len(pairs):
        raise ValueError("a value of this mail has a line break of its own")
    return lines


def _quoted_printable(body: str) -> bytes:
    """A part's body. By the library's encoder in C: the one for EmailMessage takes milliseconds a mail."""
    lines = body.encode().splitlines()
    return binascii.b2a_qp(b"".join([line + b"\r\n" for line in lines]), istext=True)


def _own_headers(headers: Headers) -> bytes:
    """Headers that must stand on one line as they are: the library would encode or fold a long address.

    Neither the List-Id (RFC 2919) nor the Feedback-ID (Gmail's: four parts, the last naming who sends)
    names a course: headers are seen by others, and a course may tell what ails somebody.
    """
    lines = [
        one_line("Message-ID", headers.message_id),
        one_line("List-Id", f"<{headers.list_id}>"),
        one_line("Feedback-ID", headers.feedback_id),
    ]
    if headers.unsubscribe_url:
        lines.append(one_line("List-Unsubscribe", f"<{headers.unsubscribe_url}>"))
        lines.append(ONE_CLICK)
    return "".join(lines).encode()


def one_line(name: str, value: str) -> str:
    """A header that stands on one line as it is; raises ValueError when it cannot."""
    line = f"{name}: {value}"
    if not line.isprintable() or len(line) > LONGEST_LINE:
        raise ValueError(f"{name} cannot be written on one line")
    return f"{line}\r\n"


def address(name: str, email: str) -> Address:
    """A person's address for a header of the library."""
    local, _, domain = email.rpartition("@")
    return Address(display_name=plain(name), username=local, domain=domain)


def plain(words: str) -> str:
    """Words that somebody typed, safe from the library, which decodes an encoded word among them.

    Python up to 3.12 then writes the line breaks in it as they are, and a name becomes a header.
    """
    return words.replace("=?", "= ?")
