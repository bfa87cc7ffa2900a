"""Test mails that a program asks for: each is handed over by itself, and told how it went."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from mailer.delivery.one_mail import OneMail
from mailer.errors import MailerError
from mailer.launch.send_test import MOST_TESTS
from mailer.web.api.told import Told
from mailer.web.deps import Parts


class Testing(Told):
    """To whom a test goes, and as whom (a subscriber's address)."""

    to: list[str] = Field(min_length=1, max_length=MOST_TESTS, examples=[["me@example.org"]])
    as_email: str = Field(default="", max_length=320)


class NotSent(BaseModel):
    """A test that was not sent: its place in `to`, from 0, and why."""

    place: int
    why: str = Field(examples=["The mail server refused it: 550 5.1.1 no such user"])


class Tested(BaseModel):
    """How many tests were sent, and which were not."""

    sent: int
    refused: list[NotSent] = Field(examples=[[]])


def send_each(parts: Parts, mails: Sequence[OneMail]) -> Tested:
    """Hand them over, each whatever became of the others. Takes seconds: hold no session."""
    refused = []
    for place, mail in enumerate(mails):
        try:
            parts.send_at_once(mail)
        except MailerError as error:
            # The answer is kept, and what is kept names nobody.
            refused.append(NotSent(place=place, why=str(error).replace(mail.email.recipient, "the address")))
    return Tested(sent=len(mails) - len(refused), refused=refused)
