"""One mail by one transport, at once and outside every count and limit: tests, invitations, alarms."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr, make_msgid
from functools import partial

from sqlalchemy.orm import Session

from mailer.clock import real_now
from mailer.db import Sessions
from mailer.delivery.pools import Pools
from mailer.delivery.retry import SmtpReply
from mailer.delivery.roster import get_transport, transports_of
from mailer.delivery.transports.base import Answered, Email
from mailer.delivery.transports.connect import Timeouts
from mailer.delivery.transports.smtp_pool import SmtpPool, send_one
from mailer.delivery.ways import DEFAULT
from mailer.errors import Refused
from mailer.fetch import Fetcher
from mailer.models import Sender, Transport
from mailer.sealing import Seal

SOMEBODY_WAITS = Timeouts(connect=10, greeting=10, command=15, data_start=15, data_block=15, final_dot=60)
"""Seconds for a mail that a page waits for, or the next alarm."""


@dataclass(frozen=True)
class OneMail:
    """A mail to be handed to a transport at once."""

    email: Email
    transport_id: int
    transport: str

    @property
    def is_default(self) -> bool:
        """Whether it goes by the server of STEADYPOST_SMTP_URL."""
        return self.transport == DEFAULT


def way_of(session: Session, sender: Sender) -> Transport:
    """By which transport one mail of this sender goes: the first of its own, or the default."""
    ways = transports_of(session, sender)
    return ways[0][0] if ways else get_transport(session, DEFAULT)


def from_sender(sender: Sender, way: Transport, *, to: str, subject: str, text: str) -> OneMail:
    """A mail of plain text from this sender by `way`."""
    email = plain_mail(from_=sender.email, from_name=sender.name, to=to, subject=subject, text=text)
    return OneMail(email, way.id, way.slug)


def transport_test(transport: Transport, *, from_: str, to: str) -> OneMail:
    """A mail that shows whether this transport works."""
    text = f"This mail went by the transport {transport.slug}. Nothing else happened.\n"
    email = plain_mail(from_=from_, to=to, subject=f"Steadypost: test of {transport.slug}", text=text)
    return OneMail(email, transport.id, transport.slug)


def send_at_once(
    sessions: Sessions, seal: Seal, default_url: str, fetcher: Fetcher, transport_id: int, email: Email
) -> SmtpReply:
    """Send one mail; `default_url` is the server of the transport `default`. Takes seconds: hold no session.

    Raises Refused with what the server said, or why it was not asked.
    """
    pools = Pools(sessions, seal, default_url, fetcher, partial(SmtpPool, timeouts=SOMEBODY_WAITS))
    try:
        result = send_one(pools(transport_id), email)
    finally:
        pools.close()
    if not isinstance(result, Answered):
        raise Refused(f"The mail was not sent: {result.reason}.")
    if not result.reply.is_taken:
        raise Refused(f"The mail server refused it: {result.reply.code} {result.reply.text}")
    return result.reply


def plain_mail(*, from_: str, to: str, subject: str, text: str, from_name: str = "", key: str = "") -> Email:
    """A mail of plain text to somebody who works here; it is nobody's delivery.

    With a `key` it has the same Message-ID however often it is made.
    """
    message = EmailMessage(policy=SMTP)
    domain = from_.rpartition("@")[2]
    message["From"] = formataddr((from_name, from_)) if from_name else from_
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(real_now())
    message["Message-ID"] = f"<{key}@{domain}>" if key else make_msgid(domain=domain)
    # Out-of-office answers to it would help nobody (RFC 3834 section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return Email(from_, to, message.as_bytes())
