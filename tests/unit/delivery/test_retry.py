"""What a refusal means for a mail and for its address."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailer.delivery.retry import Bounce, GiveUp, RetryAt, SmtpReply, after_refusal
from mailer.models import Lane


@pytest.mark.parametrize(
    ("reply", "deferrals", "expected"),
    [
        (SmtpReply(451, "4.7.1 greylisted"), 0, RetryAt(timedelta(minutes=15))),
        (SmtpReply(451, "4.7.1 greylisted"), 2, RetryAt(timedelta(hours=1))),
        (SmtpReply(452, "4.2.2 mailbox full"), 9, RetryAt(timedelta(hours=4))),  # the longest wait
        (SmtpReply(421, "4.7.0 too many connections"), 0, RetryAt(timedelta(minutes=15))),
        (SmtpReply(550, "5.1.1 no such user", True), 0, Bounce("bad address 5.1.1")),
        (SmtpReply(550, "5.1.10 null MX", True), 0, Bounce("bad address 5.1.10")),
        (SmtpReply(550, "no such user here", True), 0, Bounce("bad address 550")),  # an old server
        (SmtpReply(550, "relay not permitted", True), 0, GiveUp("refused 550")),  # about us: Exim
        (
            SmtpReply(553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", True),
            0,
            GiveUp("refused 5.7.1"),
        ),  # qmail
        (SmtpReply(550, "recipient rejected: 192.0.2.1 is in a black list", True), 0, GiveUp("refused 550")),
        (SmtpReply(550, "Unknown user (#5.1.1)", True), 0, Bounce("bad address 5.1.1")),
        (SmtpReply(550, "no", False), 0, GiveUp("refused 550")),  # not about the address
        (SmtpReply(550, "5.7.1 policy", True), 0, GiveUp("refused 5.7.1")),  # our reputation, not theirs
        (SmtpReply(550, "5.7.515 authenticate", True), 0, GiveUp("refused 5.7.515")),
        (SmtpReply(552, "5.3.4 too big"), 0, GiveUp("refused 5.3.4")),
        (SmtpReply(554, "transaction failed"), 0, GiveUp("refused 554")),
        # The mailbox is there: never a hard bounce (RFC 3463 section 3.3).
        (SmtpReply(552, "5.2.2 mailbox full", True), 0, GiveUp("mailbox 5.2.2", is_soft_bounce=True)),
        (SmtpReply(550, "5.2.1 mailbox disabled", True), 0, GiveUp("mailbox 5.2.1", is_soft_bounce=True)),
        (SmtpReply(550, "5.2.2 over quota", is_final=True), 0, GiveUp("mailbox 5.2.2", is_soft_bounce=True)),
        (SmtpReply(550, "user's mailbox is full", True), 0, GiveUp("mailbox 550", is_soft_bounce=True)),
        (SmtpReply(552, "user over quota", True), 0, GiveUp("mailbox 552", is_soft_bounce=True)),
        (SmtpReply(550, "5.2.3 message too long", True), 0, GiveUp("refused 5.2.3")),
        (SmtpReply(552, "message size exceeds the limit", is_final=True), 0, GiveUp("refused 552")),
    ],
)
def test_what_a_refusal_means(reply: SmtpReply, deferrals: int, expected: object) -> None:
    assert after_refusal(reply, deferrals=deferrals, age=timedelta(hours=1), lane=Lane.COURSE) == expected


@pytest.mark.parametrize(
    ("lane", "hours"), [(Lane.TRANSACTIONAL, 24), (Lane.COURSE, 72), (Lane.CAMPAIGN, 48)]
)
def test_a_mail_that_is_too_old_is_given_up(lane: Lane, hours: int) -> None:
    reply = SmtpReply(451, "4.3.0 later")
    young, old = timedelta(hours=hours - 1), timedelta(hours=hours)
    assert isinstance(after_refusal(reply, deferrals=4, age=young, lane=lane), RetryAt)
    assert after_refusal(reply, deferrals=4, age=old, lane=lane) == GiveUp(f"refused for {hours} h")


@pytest.mark.parametrize(
    ("text", "is_soft"),
    [
        ("4.2.2 mailbox full", True),
        ("4.2.1 disabled", True),
        ("4.1.1 unverified address", True),
        ("4.1.2 Domain not found", True),
        ("mailbox full", True),
        ("host not found", True),
        ("4.1.8 <us@sender.example>: Sender address rejected: Domain not found", False),  # that is ours
        ("<mail.sender.example>: Helo command rejected: Host not found", False),  # and so is that
        ("4.2.0 something", False),
        ("4.7.1 greylisted, mailbox full or not", False),
        ("try again", False),
    ],
)
def test_a_mail_that_is_too_old_is_a_soft_bounce_when_its_mailbox_was_the_reason(
    text: str, is_soft: bool
) -> None:
    reply = SmtpReply(450, text, at_recipient=True)
    decided = after_refusal(reply, deferrals=9, age=timedelta(days=4), lane=Lane.COURSE)
    assert isinstance(decided, GiveUp)
    assert decided.is_soft_bounce is is_soft


def test_after_a_long_outage_of_ours_the_first_greylisting_is_not_the_last_word() -> None:
    reply = SmtpReply(451, "4.7.1 greylisted")
    decided = after_refusal(reply, deferrals=0, age=timedelta(days=5), lane=Lane.COURSE)
    assert isinstance(decided, RetryAt)
