"""Which refusals say that we are too fast."""

from __future__ import annotations

import pytest

from mailer.delivery.retry import SmtpReply, is_throttling


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (454, "Throttling failure: Maximum sending rate exceeded.", True),  # Amazon SES
        (454, "Throttling failure: Daily message quota exceeded.", True),
        (421, "4.7.0 try again later", True),
        (450, "4.7.1 too many messages, slow down", True),
        (451, "4.7.1 greylisted, come back in 5 minutes", False),
        (450, "4.2.1 the user you are trying to contact is receiving mail at a rate too fast", False),
        (452, "4.2.2 mailbox full", False),
        (452, "mailbox quota exceeded, too many messages in it", False),
        (550, "5.7.1 rate exceeded", False),  # for good: not a matter of pace
        (250, "2.0.0 taken, but slow down", False),
    ],
)
def test_words_about_our_pace_and_not_about_a_mailbox(code: int, text: str, expected: bool) -> None:
    assert is_throttling(SmtpReply(code, text, at_recipient=True)) is expected
