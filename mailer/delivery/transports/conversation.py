"""One SMTP conversation after its setup, as a machine without a socket: bytes in, results and bytes out.

With PIPELINING (RFC 2920) the steady state is one write, `text of mail n, final dot, MAIL RCPT DATA of mail
n+1`, and one read of four replies. Without it the same machine says one command at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Answered, Email, Result, TroubleKind
from mailer.delivery.transports.envelope import Abilities, stuffed

LONGEST_LINE = 8192
"""RFC 5321 section 4.5.3.1.5 allows 512 bytes; what is much longer is no mail server."""
MOST_LINES = 200
LONGEST_TEXT = 500
ABOUT_THIS_MAIL = frozenset({"5.3.4", "5.6.7"})
"""Refusals of MAIL that mean its size or its addresses, and not us."""


class Step(Enum):
    """What a reply that is waited for will answer."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "the final dot"
    EMPTY_DOT = "an empty text"


class Fate(Enum):
    """What the end of a conversation means for a mail in it."""

    IN_DOUBT = "its dot has left, and no reply came"
    BROKEN = "its text had begun, its dot has not left"
    SUSPECT = "it was announced, and the conversation ended over it"
    INNOCENT = "it was announced, and the conversation ended over something before it"


@dataclass(slots=True)
class Turn:
    """A mail that a pool has in hand. `tries` counts the conversations that ended over it."""

    key: int
    email: Email
    envelope: bytes = b""
    tries: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """Why no more can be said here. `kind` and `reply` are there when the server said so itself.

    `spares_next`: it has nothing to do with the mail that was announced.
    """

    reason: str
    kind: TroubleKind | None = None
    reply: SmtpReply | None = None
    spares_next: bool = False


class Conversation:
    """What was said and what is awaited.

    The owner writes `output` and tells how much of it left by `wrote`, gives what it reads to `receive`, and
    then looks: at `end`; at `is_ready`, when the server waits for the announced mail's text (`finish`); at
    `is_free`, when a mail may be announced. `dotted` is the mail whose final dot is in `output` or awaits
    its reply, `announced` the one whose commands are.
    """

    __slots__ = (
        "_awaited",
        "_dot_at",
        "_ends_with_dot",
        "_lines",
        "_needs_reset",
        "_refusal",
        "_rest",
        "_to_say",
        "abilities",
        "announced",
        "answers",
        "dotted",
        "end",
        "is_proven",
        "is_ready",
        "mails",
        "output",
        "output_at",
    )

    def __init__(self, abilities: Abilities) -> None:
        self.abilities = abilities
        self.output = b""
        self.output_at = 0
        """How much of `output` has left."""
        self.dotted: Turn | None = None
        self.announced: Turn | None = None
        self.is_ready = False
        self.is_proven = True
        """Whether the server has been heard since the connection was taken up; the owner sets it to False."""
        self.end: End | None = None
        self.mails = 0
        """How many were announced."""
        self.answers = 0
        """How many final dots were answered."""
        self._awaited: deque[Step] = deque()
        self._to_say: deque[tuple[Step, bytes]] = deque()
        self._refusal: SmtpReply | None = None
        self._needs_reset = False
        self._dot_at = -1
        self._ends_with_dot = False
        self._rest = b""
        self._lines: list[bytes] = []

    @property
    def awaited(self) -> Step | None:
        """What the next reply will answer."""
        return self._awaited[0] if self._awaited else None

    @property
    def is_free(self) -> bool:
        """Whether a mail may be announced: none is, and a command may follow what is awaited."""
        if self.announced is not None or self.dotted is not None:
            return False
        return not self._awaited or self.abilities.pipelining

    @property
    def is_idle(self) -> bool:
        """Whether nothing is going on, so that the connection can be kept."""
        return not (self._awaited or self.output or self.announced or self.dotted or self.end)

    @property
    def dot_has_left(self) -> bool:
        """Whether the final dot of `dotted` was handed over, be it without its line end."""
        return self.output_at > self._dot_at

    def holds_dot(self, until: int) -> bool:
        """Whether writing `output` from where it stands to `until` would hand over a final dot."""
        return self.output_at <= self._dot_at < until

    def announce(self, turn: Turn) -> None:
        """Say MAIL, RCPT and DATA for a mail; only when `is_free`."""
        self.announced = turn
        self.mails += 1
        if self.abilities.pipelining:
            if self._needs_reset:
                self.output += b"RSET\r\n"
                self._awaited.append(Step.RSET)
            self.output += turn.envelope
            self._awaited += ANNOUNCING
        else:
            if self._needs_reset:
                self._to_say.append((Step.RSET, b"RSET\r\n"))
            self._to_say += zip(ANNOUNCING, turn.envelope.splitlines(keepends=True), strict=True)
            self._say_next()
        self._needs_reset = False

    def finish(self, following: Turn | None) -> None:
        """Say the announced mail's text, its dot and, with PIPELINING, the next mail's commands."""
        turn = self.announced
        if turn is None:
            raise RuntimeError("no mail was announced")
        self.dotted, self.announced = turn, following
        self.is_ready = False
        text = stuffed(turn.email)
        self._dot_at = len(text)
        self._awaited.append(Step.DOT)
        if following is None:
            self.output = text + b".\r\n"
        else:
            self.output = b"".join((text, b".\r\n", following.envelope))
            self._awaited += ANNOUNCING
            self.mails += 1
        self.output_at = 0

    def wrote(self, count: int) -> None:
        """The kernel took so many bytes more of `output`."""
        self.output_at += count
        if self.output_at == len(self.output):
            self.output, self.output_at, self._dot_at = b"", 0, -1

    def receive(self, data: bytes) -> list[tuple[Turn, Result]]:
        """Take in what the server said, split anywhere; the mails whose end that was."""
        results: list[tuple[Turn, Result]] = []
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        self.is_proven = True
        for line in lines:
            if self.end is not None:
                break
            mark = line[3:4]
            if mark not in SEPARATORS or not line[:3].isdigit():
                self.end = End("the server said something that is no SMTP reply")
            elif mark == b"-":
                self._lines.append(line)
            else:
                self._reply(line, results)
        if len(self._rest) > LONGEST_LINE or len(self._lines) > MOST_LINES:
            self.end = End("the server said more than an SMTP reply can be")
        return results

    def lost(self) -> list[tuple[Turn, Fate]]:
        """What it means for the mails in hand that the connection is gone, in their order."""
        fates: list[tuple[Turn, Fate]] = []
        blame = Fate.SUSPECT if self.is_proven else Fate.INNOCENT
        if self.dotted is not None:
            if self.end is not None and self.end.kind is TroubleKind.BUSY and self.awaited is not Step.DOT:
                fates.append((self.dotted, Fate.SUSPECT))
            else:
                fates.append((self.dotted, Fate.IN_DOUBT if self.dot_has_left else Fate.BROKEN))
            blame = Fate.INNOCENT
        elif self.awaited in BETWEEN_MAILS or (self.end is not None and self.end.spares_next):
            blame = Fate.INNOCENT
        if self.announced is not None:
            fates.append((self.announced, blame))
        self.dotted = self.announced = None
        return fates

    def take_back(self) -> list[Turn]:
        """The mails that surely have not left, given up; the conversation ends with the dot that has."""
        turns = [] if self.announced is None else [self.announced]
        if self.dotted is not None and not self.dot_has_left and self.output_at == 0:
            turns.insert(0, self.dotted)
            self.dotted = None
        self.announced = None
        self._ends_with_dot = bool(turns)
        return turns

    def _reply(self, line: bytes, results: list[tuple[Turn, Result]]) -> None:
        """The last line of a reply has come."""
        if not self._awaited:
            # Nobody asked: most likely 421, because we were silent for too long (RFC 5321 section 3.8).
            self.end = End(f"the server said {self._said(line).code} unasked", TroubleKind.BUSY)
            return
        step = self._awaited.popleft()
        if line.startswith(b"421"):
            reply = self._said(line, step)
            # At MAIL it has had enough of us; only what it says later can be about the mail.
            self.end = End(f"421 {reply.text}", TroubleKind.BUSY, reply, step not in (Step.RCPT, Step.DATA))
        elif step is Step.DATA:
            self._after_data(line, results)
        elif step is Step.DOT:
            self._after_dot(line, results)
        elif line.startswith(b"2") or (step is Step.EMPTY_DOT and line[:1] in REFUSING):
            self._lines.clear()
            self._say_next()
        elif line[:1] in REFUSING and step is not Step.RSET:
            self._after_refusal(self._said(line, step), step, results)
        else:
            self.end = End(f"{step.value} was answered with {self._said(line).code}")

    def _after_refusal(self, reply: SmtpReply, step: Step, results: list[tuple[Turn, Result]]) -> None:
        """MAIL or RCPT was answered with no."""
        if self._refusal is None:
            self._refusal = reply
            if step is Step.MAIL and reply.code >= 500 and not _is_about_this_mail(reply):
                # A login that is missing, or a sender that is not welcome, would fail every mail alike.
                self.end = End(f"{reply.code} {reply.text}", TroubleKind.UNWELCOME, reply)
                return
        if not self.abilities.pipelining:
            self._to_say.clear()
            self._refuse(self._refusal, results)

    def _after_data(self, line: bytes, results: list[tuple[Turn, Result]]) -> None:
        if self.output:
            self.end = End("the server answered commands that it has not heard")
        elif line.startswith(b"354"):
            self._lines.clear()
            if self._refusal is None:
                self.is_ready = True
                return
            # The server waits for a text though nobody will get it (RFC 2920 section 3.1).
            self.output += b".\r\n"
            self._awaited.append(Step.EMPTY_DOT)
            self._refuse(self._refusal, results)
            self._needs_reset = False
        elif line[:1] in REFUSING:
            reply = self._said(line, Step.DATA)
            self._refuse(self._refusal or reply, results)
        else:
            self.end = End(f"DATA was answered with {self._said(line).code}")

    def _refuse(self, reply: SmtpReply, results: list[tuple[Turn, Result]]) -> None:
        if self.announced is not None:
            results.append((self.announced, Answered(reply)))
        self.announced = self._refusal = None
        self._needs_reset = True

    def _after_dot(self, line: bytes, results: list[tuple[Turn, Result]]) -> None:
        turn, is_early = self.dotted, not self.dot_has_left
        is_no = line[:1] in REFUSING
        if turn is not None and (is_no or (line.startswith(b"2") and not is_early)):
            self.dotted = None
            self.answers += 1
            results.append((turn, Answered(self._said(line, Step.DOT))))
            if self._ends_with_dot:
                self.end = End("nothing more was to be said")
            elif is_early:  # it has heard enough, and what else was said is lost on it
                self.end = End("the server answered before the end of a mail", spares_next=True)
            return
        self.end = End(f"the final dot was answered with {self._said(line).code}")
        self._awaited.appendleft(Step.DOT)

    def _say_next(self) -> None:
        """Without PIPELINING, a reply makes room for the next command."""
        if self._to_say and not self._awaited:
            step, command = self._to_say.popleft()
            self.output += command
            self._awaited.append(step)

    def _said(self, line: bytes, step: Step | None = None) -> SmtpReply:
        """The reply that ends with this line, as it may be written down."""
        raw = line[4:]
        if self._lines:
            raw = b" ".join([*(before[4:].strip() for before in self._lines), raw])
            self._lines.clear()
        return SmtpReply(int(line[:3]), printable(raw), step is Step.RCPT, step is Step.DOT)


BETWEEN_MAILS = (Step.RSET, Step.EMPTY_DOT)
ANNOUNCING = (Step.MAIL, Step.RCPT, Step.DATA)
REFUSING = frozenset({b"4", b"5"})
SEPARATORS = frozenset({b" ", b"-", b"\r", b""})


def printable(raw: bytes) -> str:
    """A server's words without what a log, a page or a database would stumble over, at most 500 signs."""
    words = raw.decode("utf-8", "replace").strip()
    if not words.isprintable():
        words = "".join(sign if sign.isprintable() else " " for sign in words).strip()
    return words[:LONGEST_TEXT]


def _is_about_this_mail(reply: SmtpReply) -> bool:
    return reply.code == 552 or reply.enhanced in ABOUT_THIS_MAIL
