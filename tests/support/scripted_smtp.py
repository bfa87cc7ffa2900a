"""A real SMTP server on loopback that refuses, waits and cuts on cue, and counts what it took."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage

CUT = "cut"
"""As a reply: hang up instead of answering. To DOT: take the mail first (RFC 1047)."""
LOST = "lost"
"""As a reply to DOT: hang up without having taken the mail."""
SILENCE = "silence"
"""As a reply: say nothing until the other side hangs up, and read nothing either."""


class ScriptedSmtp(socketserver.ThreadingTCPServer):
    """Answers every verb with its usual reply, unless `replies` says otherwise for that verb.

    Verbs are GREETING, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, BODY (a reply in the middle of a mail,
    after which it hangs up), DOT for the end of a mail, RSET, NOOP and QUIT. A list is used up reply by
    reply. `about` does the same for one recipient. A line feed in a reply makes it several lines. After 421
    it hangs up.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.tls = tls
        self.is_tls_at_once = False
        self.replies: dict[str, list[str]] = {}
        self.about: dict[tuple[str, str], list[str]] = {}
        self.delays: dict[str, float] = {}
        """Seconds before a verb is answered."""
        self.extensions: list[str] = ["PIPELINING", "SIZE 10000000", "SMTPUTF8", "8BITMIME"]
        self.speaks_esmtp = True
        self.is_lenient = False
        """Whether DATA gets 354 though no recipient was taken, which RFC 2920 section 3.1 warns of."""
        self.users: dict[str, str] = {}
        """Passwords or tokens by name. When there are any, nobody else may send."""
        self.mechanisms: list[str] = ["PLAIN", "LOGIN", "XOAUTH2"]
        self.most_at_once = 1000
        """More connections are greeted with 421."""
        self.most_mails = 1_000_000
        """After so many mails over one connection, MAIL is answered with 421."""

        self.mails: list[EmailMessage] = []
        self.contents: list[bytes] = []
        self.recipients: list[str] = []
        self.commands: list[str] = []
        self.logins: list[tuple[str, str, bool]] = []
        """Mechanism, user and whether it was said under TLS."""
        self.connections = 0
        self.mails_by_connection: Counter[int] = Counter()
        self.violations: list[str] = []
        """Commands that were followed by others too early (RFC 2920)."""
        self.refused: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._open: set[socket.socket] = set()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def reply(self, verb: str, usual: str, recipient: str = "") -> str:
        with self.lock:
            scripted = self.about.get((verb, recipient)) or self.replies.get(verb)
            return scripted.pop(0) if scripted else usual

    def take(self, recipient: str, content: bytes, connection: int = 0) -> None:
        with self.lock:
            self.mails.append(message_from_bytes(content, policy=policy.default))
            self.contents.append(content)
            self.recipients.append(recipient)
            self.mails_by_connection[connection] += 1

    def enter(self, sock: socket.socket) -> tuple[int, bool]:
        """The number of a new connection, and whether it is welcome."""
        with self.lock:
            self.connections += 1
            self._open.add(sock)
            return self.connections, len(self._open) <= self.most_at_once

    def leave(self, sock: socket.socket) -> None:
        with self.lock:
            self._open.discard(sock)

    def hang_up(self) -> None:
        """End every connection, as a server that is started again does."""
        with self.lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


class _HungUp(Exception):
    """One of the two sides has."""


class _Conversation(socketserver.BaseRequestHandler):
    server: ScriptedSmtp

    def handle(self) -> None:
        self.sock: socket.socket = self.request
        self.sock.settimeout(30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.sender = self.recipient = self.user = ""
        self.has_mail = self.is_tls = False
        self.number, is_welcome = self.server.enter(self.request)
        try:
            if self.server.is_tls_at_once:
                self._wrap()
            self._answer(
                "GREETING", "220 scripted.test ESMTP" if is_welcome else "421 4.7.0 too many connections"
            )
            while True:
                self._command(self._line().decode("utf-8").strip())
        except (_HungUp, OSError):
            pass
        finally:
            self.server.leave(self.sock)
            with suppress(OSError):
                self.sock.close()

    def _command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        with self.server.lock:
            self.server.commands.append(line)
            if self.buffer and (verb in ("DATA", "EHLO", "STARTTLS") or not self._has("PIPELINING")):
                self.server.violations.append(verb)
        handler = getattr(self, f"_on_{verb.lower()}", None)
        if handler is None:
            self._answer(verb, "502 5.5.1 what")
        else:
            handler(rest)

    def _has(self, extension: str) -> bool:
        return self.server.speaks_esmtp and extension in self.server.extensions

    def _on_ehlo(self, rest: str) -> None:
        if not self.server.speaks_esmtp:
            self._answer("EHLO", "502 5.5.1 what")
            return
        names = [*self.server.extensions]
        if self.server.tls is not None and not self.is_tls:
            names.append("STARTTLS")
        if self.server.users:
            names.append(f"AUTH {' '.join(self.server.mechanisms)}")
        self._answer("EHLO", "\n".join(["250-scripted.test", *(f"250-{name}" for name in names), "250 HELP"]))

    def _on_helo(self, rest: str) -> None:
        self._answer("HELO", "250 scripted.test")

    def _on_starttls(self, rest: str) -> None:
        if self._answer("STARTTLS", "220 2.0.0 go on").startswith("220"):
            self._wrap()

    def _on_auth(self, rest: str) -> None:
        mechanism, _, first = rest.partition(" ")
        user, password = "", ""
        if mechanism == "PLAIN":
            _, user, password = _decoded(first or self._challenge("")).split("\0")
        elif mechanism == "LOGIN":
            user = _decoded(first or self._challenge("VXNlcm5hbWU6"))
            password = _decoded(self._challenge("UGFzc3dvcmQ6"))
        elif mechanism == "XOAUTH2":
            words = dict(part.split("=", 1) for part in _decoded(first).split("\x01") if part)
            user, password = words["user"], words["auth"].removeprefix("Bearer ")
        is_right = self.server.users.get(user) == password
        with self.server.lock:
            self.server.logins.append((mechanism, user, self.is_tls))
        if mechanism == "XOAUTH2" and not is_right:
            self._challenge("eyJzdGF0dXMiOiI0MDEifQ==")
        self.user = user if is_right else ""
        self._answer("AUTH", "235 2.7.0 welcome" if is_right else "535 5.7.8 no")

    def _challenge(self, words: str) -> str:
        self._say(f"334 {words}")
        return self._line().decode().strip()

    def _on_mail(self, rest: str) -> None:
        usual = "250 2.1.0 ok"
        if self.has_mail:
            usual = "503 5.5.1 nested MAIL"
        elif self.server.users and not self.user:
            usual = "530 5.7.0 Authentication required"
        elif self.server.mails_by_connection[self.number] >= self.server.most_mails:
            usual = "421 4.7.0 too many mails"
        self.has_mail = self._answer("MAIL", usual).startswith("2") or self.has_mail

    def _on_rcpt(self, rest: str) -> None:
        recipient = rest.partition("<")[2].rpartition(">")[0]
        usual = "250 2.1.5 ok" if self.has_mail else "503 5.5.1 MAIL first"
        self.recipient = recipient if self._answer("RCPT", usual, recipient).startswith("2") else ""

    def _on_data(self, rest: str) -> None:
        has_recipient = bool(self.recipient)
        usual = "354 go on" if has_recipient or self.server.is_lenient else "554 5.5.1 no valid recipients"
        if not self._answer("DATA", usual, self.recipient).startswith("354"):
            return
        reply = self.server.reply("BODY", "", self.recipient)
        if reply:
            self._line()
            self._say(reply)
            raise _HungUp
        lines = []
        while (line := self._line()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        recipient, self.recipient, self.has_mail = self.recipient, "", False
        self._end_of_mail(recipient, b"".join(lines))

    def _end_of_mail(self, recipient: str, content: bytes) -> None:
        if not recipient:
            self._say("554 5.5.1 no valid recipients")
            return
        reply = self.server.reply("DOT", "250 2.0.0 taken", recipient)
        if reply.startswith("2") or reply == CUT:  # RFC 1047: taken, though the reply never arrives
            self.server.take(recipient, content, self.number)
        self._wait("DOT")
        self._say(reply)

    def _on_rset(self, rest: str) -> None:
        self.has_mail, self.recipient = False, ""
        self._answer("RSET", "250 2.0.0 ok")

    def _on_noop(self, rest: str) -> None:
        self._answer("NOOP", "250 2.0.0 ok")

    def _on_quit(self, rest: str) -> None:
        self._answer("QUIT", "221 2.0.0 bye")
        raise _HungUp

    def _answer(self, verb: str, usual: str, recipient: str = "") -> str:
        reply = self.server.reply(verb, usual, recipient)
        self._wait(verb)
        self._say(reply)
        return reply

    def _wait(self, verb: str) -> None:
        time.sleep(self.server.delays.get(verb, 0))

    def _say(self, reply: str) -> None:
        if reply == SILENCE:
            self._wait_for_the_end()
        if reply in (CUT, LOST, SILENCE):
            raise _HungUp
        self.sock.sendall(reply.replace("\n", "\r\n").encode() + b"\r\n")
        if reply.startswith("421"):
            raise _HungUp

    def _wait_for_the_end(self) -> None:
        """Until the other side has hung up; what it said is left unread, and so fills its buffers."""
        for _ in range(600):
            time.sleep(0.05)
            if self.sock.fileno() < 0 or self.sock not in self.server._open:
                return
            info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            if info[0] != 1:  # 1: established
                return

    def _line(self) -> bytes:
        while b"\n" not in self.buffer:
            data = self.sock.recv(65_536)
            if not data:
                raise _HungUp
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line + b"\n"

    def _wrap(self) -> None:
        if self.server.tls is not None:
            self.server.leave(self.sock)
            self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
            self.is_tls = True
            with self.server.lock:
                self.server._open.add(self.sock)


def _decoded(words: str) -> str:
    return base64.b64decode(words).decode()


@contextmanager
def scripted_smtp(port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedSmtp]:
    """The server, running until the end of the block. With `tls` it offers STARTTLS."""
    server = ScriptedSmtp(port, tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()
