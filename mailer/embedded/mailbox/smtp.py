"""The SMTP side of the local mailbox: takes everything, except to addresses that stand for a dead one."""

from __future__ import annotations

import logging

from aiosmtpd.smtp import SMTP, Envelope, Session

from mailer.embedded.mailbox.store import MailStore

BOUNCING = "+bounce"
HOST_NAME = "mailbox.localhost"

logger = logging.getLogger(__name__)


class Reception:
    """What aiosmtpd asks at each step of a conversation."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def handle_RCPT(  # noqa: N802  (the name is aiosmtpd's)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Refuse `anybody+bounce@…` as a server refuses an unknown user, so that bounces can be seen here."""
        if address.rpartition("@")[0].lower().endswith(BOUNCING):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the mail. The disk is waited for in the loop: it takes less than handing it to a thread."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        try:
            number = self._store.add(
                content, sender=(envelope.mail_from or "").strip("<>"), recipients=envelope.rcpt_tos
            )
        except OSError as error:
            logger.error("a mail could not be kept: %s", error)
            return "452 4.3.1 The mailbox could not be written"
        return f"250 2.0.0 OK: mail {number}"


def conversation(store: MailStore) -> SMTP:
    """One SMTP conversation, for the server to hand a connection to."""
    return SMTP(Reception(store), enable_SMTPUTF8=True, hostname=HOST_NAME, ident="Steadypost mailbox")
