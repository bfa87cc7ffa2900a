"""A real SMTP server on loopback that refuses and cuts on cue, and counts what it took."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

CUT = "cut"
"""As a reply: hang up instead of answering."""


class ScriptedSmtp(socketserver.ThreadingTCPServer):
    """Answers every verb with its usual reply, unless `replies` says otherwise for that verb.

    Verbs are EHLO, MAIL, RCPT, DATA, and DOT for the end of a mail. A list is used up reply by reply.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.replies: dict[str, list[str]] = {}
        self.extensions: list[str] = ["PIPELINING", "SIZE 10000000", "SMTPUTF8", "8BITMIME"]
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections = 0
        self.refused: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"

    def reply(self, verb: str, usual: str) -> str:
        with self.lock:
            scripted = self.replies.get(verb)
            return scripted.pop(0) if scripted else usual

    def take(self, recipient: str, content: bytes) -> None:
        with self.lock:
            self.mails.append(message_from_bytes(content, policy=policy.default))
            self.recipients.append(recipient)


class _Conversation(socketserver.StreamRequestHandler):
    server: ScriptedSmtp
    timeout = 30

    def handle(self) -> None:
        with self.server.lock:
            self.server.connections += 1
        self._say("220 scripted.test ESMTP")
        recipient = ""
        while line := self.rfile.readline():
            verb, _, rest = line.decode("utf-8").strip().partition(" ")
            verb = verb.upper()
            if verb == "RCPT":
                recipient = rest.partition("<")[2].partition(">")[0]
            if verb == "QUIT":
                self._say("221 2.0.0 bye")
                return
            if verb == "DATA":
                if not self._data(recipient):
                    return
            elif not self._answer(verb, self._usual(verb)):
                return

    def _data(self, recipient: str) -> bool:
        reply = self.server.reply("DATA", "354 go on")
        if reply == CUT:
            return False
        self._say(reply)
        if not reply.startswith("354"):
            return True
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if not line:
            return False
        reply = self.server.reply("DOT", "250 2.0.0 taken")
        if reply.startswith("250") or reply == CUT:  # RFC 1047: taken, though the reply never arrives
            self.server.take(recipient, b"".join(lines))
        if reply == CUT:
            return False
        self._say(reply)
        return True

    def _usual(self, verb: str) -> str:
        if verb == "EHLO":
            return "\r\n".join(
                ["250-scripted.test", *(f"250-{name}" for name in self.server.extensions), "250 HELP"]
            )
        return "250 2.0.0 ok" if verb in {"HELO", "MAIL", "RCPT", "RSET", "NOOP"} else "502 5.5.1 what"

    def _answer(self, verb: str, usual: str) -> bool:
        reply = self.server.reply(verb, usual)
        if reply == CUT:
            return False
        self._say(reply)
        return True

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def scripted_smtp(port: int = 0) -> Iterator[ScriptedSmtp]:
    """The server, running until the end of the block."""
    server = ScriptedSmtp(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
