"""What a transport is, and the two ways in which it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mailer.delivery.retry import SmtpReply
from mailer.errors import MailerError


@dataclass(frozen=True)
class Email:
    """A finished mail: envelope and bytes (CRLF lines, no final dot)."""

    sender: str
    recipient: str
    content: bytes


@dataclass(frozen=True)
class Accepted:
    """The server took the mail and is answerable for it (RFC 5321 section 4.2.5)."""

    reply: SmtpReply


@dataclass(frozen=True)
class RefusedMail:
    """The server answered no, for now or for ever: `after_refusal` tells which."""

    reply: SmtpReply


SendResult = Accepted | RefusedMail


class Unreachable(MailerError):
    """The mail server cannot be reached; mail waits and goes out when it is back."""


class BrokeOff(MailerError):
    """The conversation broke over one mail, before its final dot, so it was surely not taken."""


class CutOff(MailerError):
    """The connection broke between the final dot and the reply, so the mail may have been taken."""


class Transport(Protocol):
    """Something that hands mails to a server, one after another."""

    def send(self, email: Email, *, before_dot: Callable[[], None]) -> SendResult:
        """Hand over one mail; `before_dot` is called right before the final dot leaves.

        Raises Unreachable when the server cannot be used at all, BrokeOff when the conversation broke
        over this mail before its final dot, and CutOff when the mail may have been taken (RFC 1047).
        """

    def close(self) -> None:
        """End the conversation."""
