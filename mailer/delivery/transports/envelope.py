"""What a mail looks like on the wire: its three commands, and its text with dots doubled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import idna

from mailer.delivery.retry import SmtpReply
from mailer.delivery.transports.base import Email


@dataclass(frozen=True, slots=True)
class Abilities:
    """What EHLO offered; `size`: the most bytes of a mail, 0 for no limit, None for not offered."""

    pipelining: bool = False
    size: int | None = None
    smtputf8: bool = False
    eightbit: bool = False


def envelope(email: Email, abilities: Abilities) -> bytes | SmtpReply:
    """MAIL, RCPT and DATA, one line each; or the refusal that the server would give, without asking it."""
    sender, recipient = email.sender, email.recipient
    words = ""
    if not (sender.isascii() and recipient.isascii()):
        sender, recipient = _ascii_domain(sender), _ascii_domain(recipient)
        if not (sender.isascii() and recipient.isascii()):
            if not abilities.smtputf8:
                text = "5.6.7 the address needs SMTPUTF8, which the server does not offer"
                return SmtpReply(553, text, at_recipient=sender.isascii())
            words = " SMTPUTF8"
    if not (sender.isprintable() and recipient.isprintable()):
        return _line_end_refused(sender)
    if abilities.size is not None:
        length = len(email.content)
        if 0 < abilities.size < length:
            return SmtpReply(552, f"5.3.4 {length} bytes are more than the {abilities.size} that it takes")
        words = f"{words} SIZE={length}"
    if abilities.eightbit and (words.startswith(" SMTPUTF8") or not email.content.isascii()):
        words = f"{words} BODY=8BITMIME"
    return f"MAIL FROM:<{sender}>{words}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()


def stuffed(email: Email) -> bytes:
    """The text, ending in a line end; lines that begin with a dot have got a second one (RFC 5321 4.5.2)."""
    content = email.content
    if email.has_dot_lines:
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n..")
        if content.startswith(b"."):
            content = b"." + content
    return content if content.endswith(b"\r\n") else content + b"\r\n"


def _ascii_domain(address: str) -> str:
    """The address with its domain as A-labels, so that it needs no SMTPUTF8, where that is possible."""
    local_part, at, domain = address.rpartition("@")
    return f"{local_part}{at}{_a_labels(domain)}" if local_part.isascii() else address


@lru_cache(maxsize=4096)
def _a_labels(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def _line_end_refused(sender: str) -> SmtpReply:
    """An address with a line end in it would be a command of its own."""
    if sender.isprintable():
        return SmtpReply(553, "5.1.3 the address has signs that no address can have", at_recipient=True)
    return SmtpReply(553, "5.1.7 the sender's address has signs that no address can have")
