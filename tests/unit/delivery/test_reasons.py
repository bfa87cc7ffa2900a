"""What servers say, as one of few words."""

from __future__ import annotations

import pytest

from mailer.delivery.reasons import MEANING, ReasonKind, kind_of_reply
from mailer.delivery.retry import SmtpReply


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (550, "5.1.1 The email account that you tried to reach does not exist", ReasonKind.NO_MAILBOX),
        (550, "No such user here", ReasonKind.NO_MAILBOX),
        (550, "5.1.2 Host unknown", ReasonKind.NO_DOMAIN),
        (556, "5.1.10 Recipient address has null MX", ReasonKind.NO_DOMAIN),
        (552, "5.2.2 The recipient's inbox is out of storage space", ReasonKind.FULL),
        (550, "5.2.1 The account is disabled", ReasonKind.DISABLED),
        (451, "4.7.1 Greylisting in action, please come back later", ReasonKind.GREYLISTED),
        (421, "4.7.0 Our system has detected an unusual rate of mail", ReasonKind.TOO_FAST),
        (454, "Throttling failure: Maximum sending rate exceeded", ReasonKind.TOO_FAST),
        (550, "5.7.26 This mail has been blocked because the sender is unauthenticated", ReasonKind.UNSIGNED),
        (554, "5.7.1 Relay access denied", ReasonKind.RELAYING),
        (554, "5.7.1 Message blocked: spam score too high", ReasonKind.REPUTATION),
        (550, "5.7.1 Go away", ReasonKind.REPUTATION),
        (501, "5.1.7 Bad sender address", ReasonKind.SENDER),
        (552, "5.3.4 Message too big for system", ReasonKind.CONTENT),
        (451, "Something is not right", ReasonKind.LATER),
        (554, "Transaction failed", ReasonKind.REFUSED),
    ],
)
def test_what_an_answer_is_about(code: int, text: str, kind: ReasonKind) -> None:
    assert kind_of_reply(SmtpReply(code, text)) == kind


def test_every_kind_has_words_for_people() -> None:
    assert set(MEANING) == set(ReasonKind)
