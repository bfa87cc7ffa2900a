"""A rendered mail as the bytes that go over the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
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
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    del mail["MIME-Version"]
    mail["MIME-Version"] = "1.0"
    content = _own_headers(headers) + mail.as_bytes()
    if BARE_LINE_END.search(content):
        raise ValueError("a value of this mail has a line break of its own")
    return content


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
