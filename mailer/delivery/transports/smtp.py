"""SMTP over a kept connection."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import (
    Accepted,
    BrokeOff,
    CutOff,
    Email,
    RefusedMail,
    SendResult,
    Unreachable,
)
from mailer.delivery.transports.server import LOCAL_HOSTS, SmtpServer, StartTls

TIMEOUT_SECONDS = 60.0
GREETING_TIMEOUT_SECONDS = 20.0
"""A server that does not greet is most likely one that waits for TLS: write smtps:// then."""
DOT_TIMEOUT_SECONDS = 600.0
"""A server may look at a mail for long before it answers the final dot (RFC 5321 section 4.5.3.2.6)."""
STALE_AFTER_SECONDS = 20.0
"""A connection idle for longer is asked whether it still lives before a mail is trusted to it."""
MAX_MAILS_A_CONNECTION = 200
__all__ = ["SmtpServer", "SmtpTransport", "StartTls"]


class SmtpTransport:
    """One conversation with one server, kept open from mail to mail."""

    def __init__(self, server: SmtpServer, *, helo_name: str | None = None) -> None:
        self.server = server
        self._helo_name = helo_name
        self._smtp: smtplib.SMTP | None = None
        self._used_at = 0.0
        self._mails = 0

    def send(self, email: Email, *, before_dot: Callable[[], None] = lambda: None) -> SendResult:
        """Hand over one mail; see Transport."""
        is_kept = self._smtp is not None
        smtp = self._connection()
        try:
            result = self._talk(smtp, email, before_dot)
        except Unreachable:
            self._drop()
            raise
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            self._drop()
            if not is_kept:
                raise BrokeOff(f"{self.server}: {_reason(error)}") from error
            # The server may have closed a kept connection while nobody looked. Nothing was handed
            # over yet (that would be CutOff), so a new connection may try, once.
            return self.send(email, before_dot=before_dot)
        self._used_at = time.monotonic()
        self._mails += 1
        return result

    def close(self) -> None:
        """End the conversation, politely when the server still listens."""
        if self._smtp is not None:
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
        self._drop()

    def _drop(self) -> None:
        """Hang up without a word: a server in the middle of a mail would take QUIT for its text."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def _talk(self, smtp: smtplib.SMTP, email: Email, before_dot: Callable[[], None]) -> SendResult:
        options = ["SMTPUTF8"] if _needs_utf8(email) else []
        if options and not smtp.has_extn("smtputf8"):
            text = "5.6.7 the address needs SMTPUTF8, which the server does not offer"
            return RefusedMail(SmtpReply(553, text))
        if smtp.has_extn("size"):
            options.append(f"SIZE={len(email.content)}")
        # smtplib encodes commands as ASCII unless this is set, also for addresses beyond ASCII.
        smtp.command_encoding = "utf-8" if "SMTPUTF8" in options else "ascii"
        words = "".join(f" {word}" for word in options)
        mail = self._ask(smtp, "MAIL", f"FROM:<{email.sender}>{words}")
        if not mail.is_good:
            self._refuse_us(mail)
            return self._refused(mail)
        recipient = replace(self._ask(smtp, "RCPT", f"TO:<{email.recipient}>"), at_recipient=True)
        if not recipient.is_good:
            self._reset(smtp)
            return self._refused(recipient)
        data = self._ask(smtp, "DATA")
        if data.code != 354:
            self._reset(smtp)
            return self._refused(data)
        return self._data(smtp, email, before_dot)

    def _data(self, smtp: smtplib.SMTP, email: Email, before_dot: Callable[[], None]) -> SendResult:
        # Lines that begin with a dot get a second one (RFC 5321 section 4.5.2).
        body = email.content.replace(b"\r\n.", b"\r\n..")
        body = b"." + body if body.startswith(b".") else body
        end = b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"
        smtp.send(body)
        before_dot()
        try:
            smtp.send(end)
            if smtp.sock is not None:
                smtp.sock.settimeout(DOT_TIMEOUT_SECONDS)
            code, text = smtp.getreply()
            if smtp.sock is not None:
                smtp.sock.settimeout(TIMEOUT_SECONDS)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            self._drop()
            raise CutOff(str(self.server)) from error
        reply = SmtpReply(code, _decoded(text), is_final=True)
        if reply.is_taken:
            return Accepted(reply)
        if not 400 <= code < 600:
            self._drop()
            raise CutOff(f"{self.server} answered the final dot with {code}")
        return self._refused(reply)

    def _ask(self, smtp: smtplib.SMTP, verb: str, rest: str = "") -> SmtpReply:
        """One command and its answer; raises SMTPServerDisconnected for what is no answer."""
        code, text = smtp.docmd(verb, rest)
        reply = SmtpReply(code, _decoded(text))
        if not (reply.is_good or 400 <= code < 600 or code == 354):
            raise smtplib.SMTPServerDisconnected(f"{verb} was answered with {code}")
        return reply

    def _refuse_us(self, reply: SmtpReply) -> None:
        """Raise Unreachable when the answer to MAIL is about us, not about this mail.

        A login that is missing, or a sender that is not welcome, would fail every mail the same way.
        """
        is_about_this_mail = reply.code == 552 or reply.enhanced in {"5.3.4", "5.6.7"}
        if reply.code >= 500 and not is_about_this_mail:
            raise Unreachable(f"{self.server} refuses our mail: {reply.code} {reply.text}")

    def _refused(self, reply: SmtpReply) -> RefusedMail:
        """The refusal as a result, unless the server is closing down (421, RFC 5321 section 3.8)."""
        if reply.code == 421:
            raise Unreachable(f"{self.server}: 421 {reply.text}")
        return RefusedMail(reply)

    def _reset(self, smtp: smtplib.SMTP) -> None:
        """Make ready for the next mail; a server that hangs up now has given its answer all the same."""
        try:
            smtp.docmd("RSET")
        except (smtplib.SMTPException, OSError):
            self._drop()

    def _connection(self) -> smtplib.SMTP:
        if self._smtp is not None and (self._mails >= MAX_MAILS_A_CONNECTION or not self._is_alive()):
            self.close()
        if self._smtp is None:
            try:
                self._smtp = self._connect()
            except (smtplib.SMTPException, OSError) as error:
                raise Unreachable(f"{self.server}: {_reason(error)}") from error
            self._mails = 0
        return self._smtp

    def _refuse_to_tell_everybody(self, smtp: smtplib.SMTP) -> None:
        """Never send a password in the clear because somebody on the way left out STARTTLS."""
        is_private = isinstance(smtp.sock, ssl.SSLSocket) or self.server.host in LOCAL_HOSTS
        if not is_private and self.server.starttls != StartTls.NEVER:
            smtp.close()
            raise smtplib.SMTPException("the server offers no TLS, so the password was not sent")

    def _is_alive(self) -> bool:
        if time.monotonic() - self._used_at < STALE_AFTER_SECONDS:
            return True
        try:
            return self._smtp is not None and self._smtp.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _connect(self) -> smtplib.SMTP:
        server = self.server
        context = ssl.create_default_context()
        smtp: smtplib.SMTP
        if server.is_tls:
            smtp = smtplib.SMTP_SSL(
                server.host, server.port, self._helo_name, timeout=GREETING_TIMEOUT_SECONDS, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, self._helo_name, timeout=GREETING_TIMEOUT_SECONDS)
        smtp.ehlo_or_helo_if_needed()
        if smtp.sock is not None:
            smtp.sock.settimeout(TIMEOUT_SECONDS)
            # The final dot is a write of its own; held back until the body is acknowledged (RFC 896), it
            # would cost every mail some 40 ms.
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not server.is_tls and server.starttls != StartTls.NEVER:
            if smtp.has_extn("starttls"):
                smtp.starttls(context=context)
                smtp.ehlo_or_helo_if_needed()
            elif server.starttls == StartTls.REQUIRED:
                smtp.close()
                raise smtplib.SMTPException(
                    "the server does not offer the STARTTLS that the setting requires"
                )
        if server.user:
            self._refuse_to_tell_everybody(smtp)
            smtp.login(server.user, server.password)
        self._used_at = time.monotonic()
        return smtp


def _needs_utf8(email: Email) -> bool:
    return not (email.sender.isascii() and email.recipient.isascii())


def _decoded(text: bytes) -> str:
    words = text.decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else " " for sign in words).strip()[:500]


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {_decoded(text) if isinstance(text, bytes) else text}"
    return str(error) or type(error).__name__
