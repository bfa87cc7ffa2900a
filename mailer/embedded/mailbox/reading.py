"""Reading mails of any shape: what a header or part says, as far as it says anything, and never an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

NAMED_HEADERS = (
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Auto-Submitted",
    "Feedback-ID",
)
LONE_SURROGATES = re.compile("[\ud800-\udfff]")
PARSER = BytesParser(policy=policy.default)


@dataclass(frozen=True)
class Part:
    """A part of a mail that is neither its text nor its HTML; `size` in bytes."""

    position: int
    name: str
    content_type: str
    content_id: str
    content: bytes

    @property
    def size(self) -> int:
        """How many bytes it has, decoded."""
        return len(self.content)


def parse(raw: bytes, *, headers_only: bool = False) -> EmailMessage:
    """Take a mail apart; anything at all can be taken apart, if need be as one text."""
    try:
        mail = PARSER.parsebytes(raw, headersonly=headers_only)
        assert isinstance(mail, EmailMessage)  # noqa: S101  (policy.default makes these)
    except (LookupError, ValueError):  # the standard library's parser fails on a few malformed headers
        mail = EmailMessage()
        mail.set_content(clean(raw.decode("utf-8", "replace")))
    return mail


def header(mail: EmailMessage, name: str) -> str:
    """What the header `name` says, decoded; empty when it is missing."""
    raws = (str(raw) for known, raw in mail.raw_items() if known.lower() == name.lower())
    return next((_decoded(mail, name, raw) for raw in raws), "")


def all_headers(mail: EmailMessage) -> list[tuple[str, str]]:
    """Every header in its order, decoded and unfolded."""
    return [(name, _decoded(mail, name, str(raw))) for name, raw in mail.raw_items()]


def _decoded(mail: EmailMessage, name: str, raw: str) -> str:
    try:
        value = str(mail.policy.header_fetch_parse(name, raw))
    except Exception:  # the standard library's header parser fails on some malformed values
        value = raw
    return clean(value)


def clean(text: str) -> str:
    """`text` without lone surrogates: they stand for bytes of no known meaning and cannot be written out."""
    return LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def date_of(mail: EmailMessage) -> datetime | None:
    """The Date header, aware, with the offset it was written with; None when it cannot be read."""
    try:
        date = parsedate_to_datetime(header(mail, "Date"))
    except (ValueError, TypeError, OverflowError):
        return None
    # "-0000" means UTC from a machine that does not say where it is (RFC 5322 section 3.3).
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def named_headers(mail: EmailMessage) -> list[tuple[str, str]]:
    """The headers that matter to somebody who looks at a newsletter, those that are there."""
    return [(name, value) for name in NAMED_HEADERS if (value := header(mail, name))]


def body(mail: EmailMessage, kind: str) -> str | None:
    """The text ("plain") or HTML ("html") of a mail; None when it has none."""
    for part in mail.walk():
        if part.get_content_type() == f"text/{kind}" and not _is_attached(part):
            return _text(part)
    return None


def other_parts(mail: EmailMessage) -> list[Part]:
    """Attachments and pictures, in order."""
    bodies = ("text/plain", "text/html")
    found = []
    for position, part in enumerate(mail.walk()):
        kind = part.get_content_type()
        if part.is_multipart() or (kind in bodies and not _is_attached(part)):
            continue
        name = clean(_said(part.get_filename) or kind)
        content_id = header(part, "Content-ID").strip().strip("<>")
        found.append(Part(position, name, kind, content_id, _content(part)))
    return found


def _text(part: Message) -> str:
    content = _content(part)
    for charset in (_said(part.get_content_charset) or "utf-8", "utf-8"):
        try:
            return clean(content.decode(charset)).replace("\r\n", "\n")
        except (LookupError, ValueError):  # an unknown or a wrong charset
            continue
    return content.decode("latin-1").replace("\r\n", "\n")


def _content(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _is_attached(part: Message) -> bool:
    return _said(part.get_content_disposition) == "attachment"


def _said(ask: Callable[[], str | None]) -> str | None:
    """What a parameter of a part says; None when it is so malformed that asking fails."""
    try:
        return ask()
    except (LookupError, ValueError):  # for instance a charset with a null character in its name
        return None
