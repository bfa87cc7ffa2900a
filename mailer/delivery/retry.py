"""What a refusal means for us. Pure; the codes are those of RFC 5321 and RFC 3463."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from mailer.models import Lane

FIRST_WAIT = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=4)
UNREACHABLE_WAIT = timedelta(seconds=20)
"""How soon a server that could not be reached is tried again; it says nothing about the mail."""

FEWEST_TRIES = 4

GIVE_UP_AFTER = {
    Lane.TRANSACTIONAL: timedelta(hours=24),
    Lane.COURSE: timedelta(hours=72),
    Lane.CAMPAIGN: timedelta(hours=48),
}
"""Shorter than the four to five days of RFC 5321 section 4.5.4.1: a late lesson is a wrong one."""

BAD_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""The address itself is wrong (RFC 3463 section 3.2; 5.1.10 is RFC 7505's null MX)."""

NO_ROOM = re.compile(r"[45]\.2\.[12]|4\.1\.(?![78]$)\d+")
"""The mailbox is there and takes nothing (RFC 3463 section 3.3: disabled, full), or is not found at present.

4.1.7 and 4.1.8 are about the sender's address, which is ours (section 3.2).
"""

NO_ROOM_WORDS = re.compile(
    r"mailbox (?:is )?full|quota|storage"
    r"|(?:mailbox|account) (?:is |has been )?(?:disabled|inactive|suspended)"
    r"|(?:host|domain)(?: name)? not found",
    re.IGNORECASE,
)
"""The same in words, for servers that give no enhanced code."""

ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")

NO_MAILBOX = re.compile(r"user|mailbox|recipient|address|account", re.IGNORECASE)
NOT_THE_MAILBOX = re.compile(
    r"relay|rcpthosts|block|black|list|spam|rbl|denied|auth|policy|reject|reput|banned|sender|helo|client",
    re.IGNORECASE,
)
"""Words of servers that give no enhanced code. A refusal of us must never suppress a whole audience."""


OUR_PACE = re.compile(r"throttl|sending rate", re.IGNORECASE)
"""Words by which a relay tells us to slow down: "454 Throttling failure: Maximum sending rate exceeded", also
"Daily message quota exceeded" (https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html)."""

TOO_FAST = re.compile(r"rate (?:limit )?exceeded|too (?:many|fast)|slow down", re.IGNORECASE)
"""The same where nothing is said of a mailbox."""

ABOUT_A_MAILBOX = re.compile(r"(?<![\d.])4\.2\.\d{1,3}(?![\d.])")
"""A mailbox that gets too much, or is full (RFC 3463 section 3.3): another recipient may be welcome."""


@dataclass(frozen=True)
class SmtpReply:
    """A server's answer: the three-digit code and its text.

    `at_recipient`: it answered RCPT TO. `is_final`: it answered the final dot, so that 2yz means taken.
    """

    code: int
    text: str
    at_recipient: bool = False
    is_final: bool = False

    @property
    def is_good(self) -> bool:
        """Whether the server agrees; the first digit tells (RFC 5321 section 4.2.1)."""
        return 200 <= self.code < 300

    @property
    def is_taken(self) -> bool:
        """Whether the server is answerable for the mail now."""
        return self.is_final and self.is_good

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code, such as 5.1.1, when the server gave one (RFC 2034)."""
        match = ENHANCED.search(self.text)
        return match[1] if match else None


def is_throttling(reply: SmtpReply) -> bool:
    """Whether a refusal says that we are too fast: it is held against the pace, not against the mail."""
    if not 400 <= reply.code < 500 or ABOUT_A_MAILBOX.search(reply.text):
        return False
    if reply.code == 421 or OUR_PACE.search(reply.text):
        return True
    return bool(TOO_FAST.search(reply.text)) and not _has_no_room(reply)


@dataclass(frozen=True)
class RetryAt:
    """Try again after `wait`."""

    wait: timedelta


@dataclass(frozen=True)
class Bounce:
    """The address will never take mail: suppress it."""

    reason: str


@dataclass(frozen=True)
class GiveUp:
    """This mail ends here. `is_soft_bounce`: because of its mailbox, which may well take mail again."""

    reason: str
    is_soft_bounce: bool = False


def after_refusal(
    reply: SmtpReply, *, deferrals: int, age: timedelta, lane: Lane
) -> RetryAt | Bounce | GiveUp:
    """What to do after a refusal: 4yz try later, 5yz stop (RFC 5321 section 4.2.1).

    Waits 15 min * 2**deferrals, at most 4 h, until the mail is older than its lane allows. Only a
    refusal of the address bounces; a mailbox that is full or disabled is a soft bounce; a refusal for policy
    or reputation (5.7.x and the like) just fails.
    """
    if reply.code < 500:
        # An outage of ours must not make the first greylisting the last word.
        if age >= GIVE_UP_AFTER[lane] and deferrals >= FEWEST_TRIES:
            if _has_no_room(reply):
                return GiveUp(
                    f"mailbox {reply.enhanced or reply.code} for {_hours(age)}", is_soft_bounce=True
                )
            return GiveUp(f"refused for {_hours(age)}")
        return RetryAt(min(FIRST_WAIT * 2 ** min(deferrals, 10), LONGEST_WAIT))
    if reply.enhanced in BAD_MAILBOX:
        return Bounce(f"bad address {reply.enhanced}")
    if _has_no_room(reply):
        return GiveUp(f"mailbox {reply.enhanced or reply.code}", is_soft_bounce=True)
    # Old servers give no enhanced code; 550 and 553 on RCPT TO then mean the mailbox (RFC 5321 4.2.3).
    if reply.enhanced is None and reply.at_recipient and reply.code in (550, 553) and _names_mailbox(reply):
        return Bounce(f"bad address {reply.code}")
    return GiveUp(f"refused {reply.enhanced or reply.code}")


def _names_mailbox(reply: SmtpReply) -> bool:
    return bool(NO_MAILBOX.search(reply.text)) and not NOT_THE_MAILBOX.search(reply.text)


def _has_no_room(reply: SmtpReply) -> bool:
    # A conversation that broke, or a server that refuses us, says nothing about a mailbox.
    if not (reply.at_recipient or reply.is_final):
        return False
    if reply.enhanced is not None:
        return bool(NO_ROOM.fullmatch(reply.enhanced))
    return bool(NO_ROOM_WORDS.search(reply.text)) and not NOT_THE_MAILBOX.search(reply.text)


def _hours(age: timedelta) -> str:
    return f"{age // timedelta(hours=1)} h"
