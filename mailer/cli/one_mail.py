"""Sending one mail from the command line, outside every count and limit."""

from __future__ import annotations

from mailer.cli.connect import Connected
from mailer.cli.stack import running_smtp_url
from mailer.delivery.one_mail import send_at_once
from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Email
from mailer.delivery.ways import DEFAULT
from mailer.fetch import fetcher_of
from mailer.models import Transport
from mailer.sealing import Seal


def hand_over(connected: Connected, transport: Transport, email: Email) -> SmtpReply:
    """Send one mail by a transport; raises Refused with what the server said, or why it was not asked."""
    settings = connected.settings
    default_url = running_smtp_url(settings) if transport.slug == DEFAULT else ""
    seal, fetcher = Seal(settings.secret_key), fetcher_of(settings)
    return send_at_once(connected.sessions, seal, default_url, fetcher, transport.id, email)
