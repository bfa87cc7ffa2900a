"""A mail's headers, written quickly: what is the same for many mails is kept, ordinary words are joined.

Whatever is not ordinary goes to the standard library as in mime.py, which tells what is right.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address
from email.utils import format_datetime
from functools import lru_cache

from mailer.render.mime import (
    AUTO_SUBMITTED,
    ENCODED_AT_ONCE,
    ONE_CLICK,
    Headers,
    address,
    encoded_words,
    library_lines,
    needs_utf8,
    one_line,
    plain,
    subject_line,
)

LONGEST_LINE = 78
"""Characters that a line should have at most (RFC 5322 section 2.1.1)."""
LONGEST_EMAIL = 70
LONGEST_WORD = 60
"""Characters of a subject's word, so that one stands behind "Subject:"; a longer one is for the library."""
_ORDINARY_NAME = re.compile(r"[A-Za-z0-9'_-]+(?: [A-Za-z0-9'_-]+)*").fullmatch
_ORDINARY_EMAIL = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
).fullmatch


def head(headers: Headers, subject: str) -> bytes:
    """The same headers as `mime.head()`. Raises ValueError rather than let a value be a line of its own."""
    is_utf8 = needs_utf8(headers)
    own = one_line("Message-ID", headers.message_id)
    if headers.unsubscribe_url:
        own += one_line("List-Unsubscribe", f"<{headers.unsubscribe_url}>") + ONE_CLICK
    return b"".join(
        (
            _of_the_sender(
                *(headers.sender_name, headers.sender_email, headers.reply_to, headers.list_id),
                *(headers.feedback_id, headers.language, headers.is_auto_submitted, is_utf8),
            ),
            own.encode(),
            _date(headers.date.replace(tzinfo=None, microsecond=0), headers.date.utcoffset()),
            _recipient(headers.recipient_name, headers.recipient_email, is_utf8),
            _subject(subject),
        )
    )


@lru_cache(maxsize=256)
def _of_the_sender(
    name: str,
    email: str,
    reply_to: str,
    list_id: str,
    feedback_id: str,
    language: str,
    is_auto_submitted: bool,
    is_utf8: bool,
) -> bytes:
    """What all mails of one message have in common, and many a message with others."""
    own = one_line("List-Id", f"<{list_id}>") + one_line("Feedback-ID", feedback_id)
    pairs: list[tuple[str, str | Address]] = [("From", address(name, email))]
    if reply_to:
        pairs.append(("Reply-To", address("", reply_to)))
    pairs.append(("Content-Language", language))
    if is_auto_submitted:
        pairs.append(AUTO_SUBMITTED)
    return own.encode() + library_lines(pairs, is_utf8=is_utf8)


@lru_cache(maxsize=256)
def _date(local: datetime, offset: timedelta | None) -> bytes:
    # The offset is in the key because moments of different zones are equal; the library takes 300 µs.
    date = local if offset is None else local.replace(tzinfo=timezone(offset))
    return library_lines([("Date", format_datetime(date))], is_utf8=False)


def _recipient(name: str, email: str, is_utf8: bool) -> bytes:
    if is_utf8 or len(email) > LONGEST_EMAIL or not _ORDINARY_EMAIL(email):
        return library_lines([("To", address(name, email))], is_utf8=is_utf8)
    if not name:
        return f"To: {email}\r\n".encode()
    if len(name) <= LONGEST_EMAIL and _ORDINARY_NAME(name):
        words = name
    elif _is_spelled_out(name) and len(plain(name).encode()) <= ENCODED_AT_ONCE:
        # In one word: Python's parser puts a blank between two in a name, so how to divide is the library's.
        words = encoded_words(plain(name))
    else:
        return library_lines([("To", address(name, email))], is_utf8=False)
    line = f"To: {words} <{email}>\r\n"
    return line.encode() if len(line) <= LONGEST_LINE + 2 else f"To: {words}\r\n <{email}>\r\n".encode()


def _subject(subject: str) -> bytes:
    safe = plain(subject)
    if safe.isascii() and safe.isprintable():
        if len(safe) <= LONGEST_LINE - len("Subject: "):
            return f"Subject: {safe}\r\n".encode()
        words = safe.split(" ")
        if max(map(len, words)) <= LONGEST_WORD:
            return _folded("Subject:", words).encode()
    return _unusual_subject(subject)


def _folded(line: str, words: list[str]) -> str:
    """A header of words, none of them longer than LONGEST_WORD, begun by `line`."""
    lines = []
    for word in words:
        if len(line) + 1 + len(word) > LONGEST_LINE:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line, ""])


_unusual_subject = lru_cache(maxsize=256)(subject_line)


def _is_spelled_out(name: str) -> bool:
    """Whether a name beyond ASCII is made of words with one blank between them."""
    return name.isprintable() and not name.isascii() and name == " ".join(name.split())
