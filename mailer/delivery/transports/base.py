"""What a transport is, and how a mail can end that is given to one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mailer.delivery.retry import SmtpReply


@dataclass(frozen=True, slots=True)
class Email:
    """A finished mail: envelope and bytes (CRLF lines, not dot-stuffed, no final dot).

    `has_dot_lines` is False when its maker knows that no line begins with a dot, which saves looking.
    """

    sender: str
    recipient: str
    content: bytes
    has_dot_lines: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """The server took the mail (`reply.is_taken`) or refused it: `after_refusal` tells what that means."""

    reply: SmtpReply


@dataclass(frozen=True, slots=True)
class Broke:
    """The conversation broke over this mail before its final dot: surely not taken, may be to blame."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cut:
    """The conversation broke between the final dot and its reply: may have been taken (RFC 1047)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It was never really tried, surely not taken, and nothing is held against it."""

    reason: str


Result = Answered | Broke | Cut | NotSent


class TroubleKind(StrEnum):
    """Why a server cannot be used at all, whatever the mail."""

    UNREACHABLE = "unreachable"
    """No connection, or none that lasts."""
    LOGIN = "login"
    TLS = "tls"
    BUSY = "busy"
    """It asks us to come back later: 421 anywhere, or a greeting with 4yz."""
    UNWELCOME = "unwelcome"
    """It refuses us, not a mail: 5yz as its greeting or to MAIL."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The server cannot be used now."""

    kind: TroubleKind
    reason: str


class Feed(Protocol):
    """Gives the mails and takes the results; called from one thread."""

    def next(self) -> tuple[int, Email] | None:
        """The next mail and its key, made as late as possible; None when there are no more."""

    def before_dot(self, key: int) -> bool:
        """Called right before bytes that hold the mail's final dot are handed to the socket.

        False: the mail must not leave. It ends as NotSent. A socket that had no room for the dot is tried
        again later, and so is a mail whose conversation was ended by a 421: then this is asked again.
        """

    def done(self, key: int, result: Result) -> None:
        """How a mail ended; called once for every key that next() gave."""

    def tend(self) -> None:
        """Called at least every half second while mails are on their way."""


class Pool(Protocol):
    """Hands mails to one server over as many conversations as it is allowed."""

    def send_all(self, feed: Feed) -> Trouble | None:
        """Send until next() gives None and every mail has its result.

        Ends earlier, with the trouble, when no conversation can be had or the server refuses us as such:
        then mails in hand end as NotSent, and no more are asked for.
        """

    def close(self) -> None:
        """End all conversations."""
