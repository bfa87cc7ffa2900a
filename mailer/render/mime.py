"""A rendered mail as the bytes that go over the wire."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
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
    """
    needs_utf8 = not (headers.recipient_email.isascii() and headers.sender_email.isascii())
    mail = EmailMessage(policy=SMTPUTF8 if needs_utf8 else SMTP)
    mail["From"] = _address(headers.sender_name, headers.sender_email)
    mail["To"] = _address(headers.recipient_name, headers.recipient_email)
    if headers.reply_to:
        mail["Reply-To"] = _address("", headers.reply_to)
    mail["Subject"] = _plain(subject)
    mail["Date"] = format_datetime(headers.date)
    mail["Content-Language"] = headers.language
    if headers.is_auto_submitted:
        # RFC 3834: keeps out-of-office replies from answering.
        mail["Auto-Submitted"] = "auto-generated"
    lines = [_own_headers(headers), mail.as_bytes().rstrip(), b"\r\n", MULTIPART]
    for subtype, body in (("plain", text), ("html", html)):
        lines += [PART % subtype.encode(), _quoted_printable(body)]
    content = b"".join([*lines, CLOSING])
    if BARE_LINE_END.search(content):
        raise ValueError("a value of this mail has a line break of its own")
    return content


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
        f"Message-ID: {headers.message_id}",
        f"List-Id: <{headers.list_id}>",
        f"Feedback-ID: {headers.feedback_id}",
    ]
    if headers.unsubscribe_url:
        lines.append(f"List-Unsubscribe: <{headers.unsubscribe_url}>")
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")  # RFC 8058 section 3.1
    for line in lines:
        if not line.isprintable() or len(line) > LONGEST_LINE:
            raise ValueError(f"{line.partition(':')[0]} cannot be written on one line")
    return "".join(f"{line}\r\n" for line in lines).encode()


def _address(name: str, email: str) -> Address:
    local, _, domain = email.rpartition("@")
    return Address(display_name=_plain(name), username=local, domain=domain)


def _plain(words: str) -> str:
    """Words that somebody typed, safe from the library, which decodes an encoded word among them.

    Python up to 3.12 then writes the line breaks in it as they are, and a name becomes a header.
    """
    return words.replace("=?", "= ?")
