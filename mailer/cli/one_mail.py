"""Sending one mail from the command line, outside every count and limit."""

from __future__ import annotations

from mailer.cli.connect import Connected
from mailer.cli.stack import running_smtp_url
from mailer.delivery.pools import Pools
from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Answered, Email
from mailer.delivery.transports.smtp_pool import send_one
from mailer.delivery.ways import DEFAULT
from mailer.errors import Refused
from mailer.models import Transport
from mailer.sealing import Seal


def hand_over(connected: Connected, transport: Transport, email: Email) -> SmtpReply:
    """Send one mail by a transport; raises Refused with what the server said, or why it was not asked."""
    settings = connected.settings
    default_url = running_smtp_url(settings) if transport.slug == DEFAULT else ""
    pools = Pools(connected.sessions, Seal(settings.secret_key), default_url)
    result = send_one(pools(transport.id), email)
    pools.close()
    if not isinstance(result, Answered):
        raise Refused(f"The test mail was not sent: {result.reason}.")
    if not result.reply.is_taken:
        raise Refused(f"The mail server refused it: {result.reply.code} {result.reply.text}")
    return result.reply
