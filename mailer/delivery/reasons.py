"""Why a mail was not accepted, as one of few words, so that a thousand answers can be read at a glance. Pure.

The enhanced codes are those of RFC 3463 and its registry (RFC 5248; RFC 7372 for 5.7.20 to 5.7.26); words of
servers that give none are looked at last.
"""

from __future__ import annotations

import re
from enum import StrEnum

from mailer.delivery.outcome import Outcome
from mailer.delivery.retry import SmtpReply, is_throttling
from mailer.models import DeliveryState


class ReasonKind(StrEnum):
    """One kind of refusal, or of what went wrong on the way."""

    NO_MAILBOX = "no-mailbox"
    NO_DOMAIN = "no-domain"
    FULL = "mailbox-full"
    DISABLED = "mailbox-disabled"
    GREYLISTED = "greylisted"
    TOO_FAST = "too-fast"
    UNSIGNED = "not-authenticated"
    REPUTATION = "policy"
    SENDER = "sender"
    RELAYING = "relaying"
    CONTENT = "content"
    BROKE = "broken-off"
    CUT = "cut-off"
    WORKER = "worker-lost"
    LATER = "later"
    REFUSED = "refused"


MEANING = {
    ReasonKind.NO_MAILBOX: "There is no such mailbox",
    ReasonKind.NO_DOMAIN: "There is no such domain, or it takes no mail",
    ReasonKind.FULL: "The mailbox is full",
    ReasonKind.DISABLED: "The mailbox is disabled",
    ReasonKind.GREYLISTED: "Greylisted: they want it once more, later",
    ReasonKind.TOO_FAST: "Too many mails, or too fast",
    ReasonKind.UNSIGNED: "SPF, DKIM or DMARC did not pass",
    ReasonKind.REPUTATION: "Refused for policy, spam or reputation",
    ReasonKind.SENDER: "They refuse our sender's address",
    ReasonKind.RELAYING: "The relay does not take mail from us",
    ReasonKind.CONTENT: "Too large, or its content is not taken",
    ReasonKind.BROKE: "The conversation broke off",
    ReasonKind.CUT: "Cut off after the final dot: may have arrived",
    ReasonKind.WORKER: "A worker was lost over it",
    ReasonKind.LATER: "Put off, without a reason that we know",
    ReasonKind.REFUSED: "Refused, without a reason that we know",
}
"""The words that people read."""

BY_CODE = (
    (re.compile(r"[45]\.1\.(?:1|6|3)"), ReasonKind.NO_MAILBOX),
    (re.compile(r"[45]\.1\.(?:2|10)|[45]\.4\.[14]"), ReasonKind.NO_DOMAIN),
    (re.compile(r"[45]\.1\.[78]"), ReasonKind.SENDER),
    (re.compile(r"[45]\.2\.[23]"), ReasonKind.FULL),
    (re.compile(r"[45]\.2\.1"), ReasonKind.DISABLED),
    (re.compile(r"[45]\.7\.(?:20|21|22|23|24|25|26|27|5|7|9)"), ReasonKind.UNSIGNED),
    (re.compile(r"[45]\.3\.4|[45]\.6\.\d+"), ReasonKind.CONTENT),
)
BY_WORDS = (
    (re.compile(r"gr[ae]y-?list|postgrey|try again (?:later|in)", re.I), ReasonKind.GREYLISTED),
    (re.compile(r"\b(?:spf|dkim|dmarc)\b|unauthenticated|reverse dns|\bptr\b", re.I), ReasonKind.UNSIGNED),
    (re.compile(r"relay(?:ing)? (?:access )?(?:denied|not permitted)|rcpthosts", re.I), ReasonKind.RELAYING),
    (re.compile(r"spam|block|black|listed|reputation|policy|banned|abuse", re.I), ReasonKind.REPUTATION),
    (re.compile(r"quota|mailbox (?:is )?full|storage", re.I), ReasonKind.FULL),
    (re.compile(r"disabled|inactive|suspended", re.I), ReasonKind.DISABLED),
    (re.compile(r"(?:host|domain).*not found|no mx|null mx", re.I), ReasonKind.NO_DOMAIN),
    (
        re.compile(r"(?:no such|unknown|invalid).*(?:user|mailbox|recipient|address)|user unknown", re.I),
        ReasonKind.NO_MAILBOX,
    ),
    (re.compile(r"too (?:large|big)|size limit", re.I), ReasonKind.CONTENT),
)
CODES_AND_WORDS = re.compile(r"[45]\.7\.\d+")
"""Policy codes say little: 4.7.1 is a greylisting, 5.7.1 a relay that does not know us, or spam."""


def kind_of_reply(reply: SmtpReply) -> ReasonKind:
    """What a refusal is about."""
    if is_throttling(reply):
        return ReasonKind.TOO_FAST
    code = reply.enhanced or ""
    for pattern, kind in BY_CODE:
        if pattern.fullmatch(code):
            return kind
    for pattern, kind in BY_WORDS:
        if pattern.search(reply.text):
            return kind
    if CODES_AND_WORDS.fullmatch(code):
        return ReasonKind.REPUTATION
    return ReasonKind.LATER if reply.code < 500 else ReasonKind.REFUSED


def kind_of(outcome: Outcome) -> str:
    """What went wrong with a mail that was tried; empty when nothing did."""
    if outcome.state == DeliveryState.ACCEPTED:
        return ""
    if outcome.reply is not None:
        return kind_of_reply(outcome.reply)
    if outcome.is_crash or outcome.state == DeliveryState.QUARANTINED:
        return ReasonKind.WORKER
    if outcome.is_cut or outcome.state == DeliveryState.UNCERTAIN:
        return ReasonKind.CUT
    return ReasonKind.BROKE
