"""Opening one SMTP connection: greeting, EHLO, STARTTLS, login. It blocks, with a limit for each phase."""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache

from mailer.delivery.transports.base import Trouble, TroubleKind
from mailer.delivery.transports.conversation import printable
from mailer.delivery.transports.envelope import Abilities
from mailer.delivery.transports.server import Auth, SmtpServer, StartTls
from mailer.delivery.transports.tokens import NoToken, TokenSource
from mailer.fetch import PUBLIC_ONLY, Fetcher


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a server may take for each phase (RFC 5321 section 4.5.3.2).

    The greeting gets less than the five minutes there: a server that does not greet is most likely one
    that waits for TLS (write smtps:// then). `data_block` is for the kernel to take any bytes of a mail.
    """

    connect: float = 30.0
    greeting: float = 30.0
    command: float = 300.0
    data_start: float = 120.0
    data_block: float = 180.0
    final_dot: float = 600.0


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection after its setup, non-blocking."""

    sock: socket.socket
    abilities: Abilities


class CannotConnect(Exception):
    """No conversation could be had."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class Connector:
    """Opens connections to one server; may be used by several threads at once."""

    def __init__(
        self,
        server: SmtpServer,
        timeouts: Timeouts,
        helo_name: str | None = None,
        fetcher: Fetcher = PUBLIC_ONLY,
    ) -> None:
        self._server = server
        self._timeouts = timeouts
        self._helo_name = helo_name
        self._tokens = TokenSource(server, fetcher)

    def open(self) -> Connection:
        """A connection that is ready for MAIL; raises CannotConnect."""
        try:
            return self._open()
        except _TokenRefused:
            # The token may have been taken back before its time; a second one that is refused is a fault.
            return self._open(is_last=True)

    def _open(self, *, is_last: bool = False) -> Connection:
        with self._naming(TroubleKind.UNREACHABLE):
            sock = self._connected()
        smtp = smtplib.SMTP(local_hostname=self._helo_name or _own_name())
        smtp.sock = sock
        try:
            self._set_up(smtp, is_last)
            return _handed_over(smtp)
        except BaseException:
            smtp.close()
            raise

    def _set_up(self, smtp: smtplib.SMTP, is_last: bool) -> None:
        server = self._server
        if server.is_tls:
            self._wrap(smtp)
        with self._naming(TroubleKind.UNREACHABLE):
            code, text = smtp.getreply()
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            _socket(smtp).settimeout(self._timeouts.command)
            smtp.ehlo_or_helo_if_needed()
        if not server.is_tls and server.starttls != StartTls.NEVER:
            self._start_tls(smtp)
        if server.user:
            with self._naming(TroubleKind.LOGIN):
                self._log_in(smtp, is_last)

    def _connected(self) -> socket.socket:
        server, timeouts = self._server, self._timeouts
        sock = socket.create_connection((server.host, server.port), timeout=timeouts.connect)
        # The end of a mail and the next commands must not wait for the acknowledgement of what went before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(timeouts.greeting)
        return sock

    def _start_tls(self, smtp: smtplib.SMTP) -> None:
        with self._naming(TroubleKind.TLS):
            if not smtp.has_extn("starttls"):
                if self._server.starttls == StartTls.REQUIRED:
                    raise smtplib.SMTPException(
                        "the server does not offer the STARTTLS that the setting requires"
                    )
                return
            code, text = smtp.docmd("STARTTLS")
            if code != 220:
                raise smtplib.SMTPResponseException(code, text)
        self._wrap(smtp)
        with self._naming(TroubleKind.TLS):
            # What was said in the clear is forgotten (RFC 3207 section 4.2), also bytes sent ahead.
            smtp.file = None
            smtp.ehlo_resp = smtp.helo_resp = None
            smtp.esmtp_features = {}
            smtp.does_esmtp = False
            smtp.ehlo_or_helo_if_needed()

    def _wrap(self, smtp: smtplib.SMTP) -> None:
        """TLS with a certificate that an authority vouches for, of the server's name."""
        with self._naming(TroubleKind.TLS):
            smtp.sock = self._tls.wrap_socket(_socket(smtp), server_hostname=self._server.host)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once: reading the system's authorities takes longer than a connection."""
        context = ssl.create_default_context()
        if self._server.ca:
            context.load_verify_locations(cafile=self._server.ca)
        return context

    def _log_in(self, smtp: smtplib.SMTP, is_last: bool) -> None:
        self._refuse_to_tell_everybody(smtp)
        offered = smtp.esmtp_features.get("auth", "").upper().split()
        if self._server.auth is Auth.XOAUTH2:
            self._show_token(smtp, is_last)
            return
        user, password = self._server.user, self._server.password
        # Only one way is tried: a wrong password that is offered three times can lock an account.
        if "PLAIN" in offered:
            _authenticate(smtp, "PLAIN", f"\0{user}\0{password}", at_once=True)
        elif "LOGIN" in offered:
            _authenticate(smtp, "LOGIN", user, password)
        else:
            raise smtplib.SMTPException("the server offers neither AUTH PLAIN nor AUTH LOGIN")

    def _show_token(self, smtp: smtplib.SMTP, is_last: bool) -> None:
        token = self._tokens.token()
        words = f"user={self._server.user}\x01auth=Bearer {token}\x01\x01"
        try:
            # A refusal comes as 334 with its reason, and wants an empty answer before it says 535.
            _authenticate(smtp, "XOAUTH2", words, "", at_once=True)
        except smtplib.SMTPAuthenticationError as error:
            self._tokens.refused(token)
            if error.smtp_code in (334, 535) and self._tokens.can_renew and not is_last:
                raise _TokenRefused from error
            raise

    def _refuse_to_tell_everybody(self, smtp: smtplib.SMTP) -> None:
        """Never send a password in the clear because somebody on the way left out STARTTLS."""
        is_private = isinstance(smtp.sock, ssl.SSLSocket) or self._server.is_local
        if not is_private and self._server.starttls != StartTls.NEVER:
            raise smtplib.SMTPException("the server offers no TLS, so the password was not sent")

    @contextmanager
    def _naming(self, kind: TroubleKind) -> Iterator[None]:
        """Give whatever goes wrong its name."""
        try:
            yield
        except (smtplib.SMTPException, OSError, NoToken) as error:
            raise CannotConnect(Trouble(_kind(error, kind), f"{self._server}: {_reason(error)}")) from error


def _authenticate(smtp: smtplib.SMTP, mechanism: str, *words: str, at_once: bool = False) -> None:
    """Log in, saying one of `words` at each 334; `at_once`: the first goes with the command (RFC 4954)."""
    answers = [base64.b64encode(word.encode()).decode() for word in words]
    first = f" {answers.pop(0)}" if at_once else ""
    code, text = smtp.docmd(f"AUTH {mechanism}{first}")
    while code == 334 and answers:
        code, text = smtp.docmd(answers.pop(0))
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


class _TokenRefused(Exception):
    """Another token may do."""


def _kind(error: Exception, kind: TroubleKind) -> TroubleKind:
    """The kind of trouble, of which a reply's code knows more than the phase it came in."""
    if isinstance(error, smtplib.SMTPResponseException):
        if error.smtp_code == 421:
            return TroubleKind.BUSY
        if kind is TroubleKind.UNREACHABLE and 400 <= error.smtp_code < 500:
            return TroubleKind.BUSY
        if kind is TroubleKind.UNREACHABLE and 500 <= error.smtp_code < 600:
            return TroubleKind.UNWELCOME
    elif isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError | ConnectionError):
        return TroubleKind.UNREACHABLE
    return kind


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {printable(text) if isinstance(text, bytes) else text}"
    return str(error) or type(error).__name__


def _socket(smtp: smtplib.SMTP) -> socket.socket:
    if smtp.sock is None:  # smtplib closes it as soon as anything goes wrong
        raise smtplib.SMTPServerDisconnected("the server hung up")
    return smtp.sock


def _handed_over(smtp: smtplib.SMTP) -> Connection:
    """The socket and what the server can, taken out of smtplib's hands."""
    size = smtp.esmtp_features.get("size") if smtp.has_extn("size") else None
    abilities = Abilities(
        pipelining=smtp.has_extn("pipelining"),
        size=None if size is None else int(size) if size.isdigit() else 0,
        smtputf8=smtp.has_extn("smtputf8"),
        eightbit=smtp.has_extn("8bitmime"),
    )
    sock = _socket(smtp)
    if smtp.file is not None:
        with suppress(OSError):
            smtp.file.close()
    smtp.file = smtp.sock = None
    sock.setblocking(False)
    return Connection(sock, abilities)


@lru_cache(maxsize=1)
def _own_name() -> str:
    """This machine's name for EHLO, or its address (RFC 5321 section 4.1.4). Asking may take seconds."""
    name = socket.getfqdn()
    if "." in name:
        return name
    with suppress(OSError):
        return f"[{socket.gethostbyname(socket.gethostname())}]"
    return "[127.0.0.1]"
