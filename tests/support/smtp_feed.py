"""Mails for a pool of SMTP conversations, and what became of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from mailer.delivery.transports.base import Answered, Broke, Cut, Email, NotSent, Result
from mailer.delivery.transports.smtp_pool import SmtpPool
from tests.support.scripted_smtp import ScriptedSmtp

TEXT = b"Subject: Hello\r\n\r\nDear reader,\r\n.a line with a dot\r\nbye\r\n"
ADA, BEN, CLEO = "ada@reader.example", "ben@reader.example", "cleo@reader.example"

MakePool = Callable[..., SmtpPool]


class Feed:
    """Gives mails in order and keeps what became of them; each may end only once."""

    def __init__(self, *recipients: str, text: bytes = TEXT) -> None:
        self.emails = [Email("a@steadypost.example", recipient, text) for recipient in recipients]
        self.results: dict[str, Result] = {}
        self.given = 0
        self.most_in_hand = 0
        self.dots: Counter[str] = Counter()
        self.tended: list[float] = []
        self.withheld: set[str] = set()

    def next(self) -> tuple[int, Email] | None:
        if self.given == len(self.emails):
            return None
        self.given += 1
        self.most_in_hand = max(self.most_in_hand, self.given - len(self.results))
        return self.given - 1, self.emails[self.given - 1]

    def before_dot(self, key: int) -> bool:
        recipient = self.emails[key].recipient
        self.dots[recipient] += 1
        return recipient not in self.withheld

    def done(self, key: int, result: Result) -> None:
        recipient = self.emails[key].recipient
        assert recipient not in self.results, "a mail ended twice"
        self.results[recipient] = result

    def tend(self) -> None:
        self.tended.append(time.monotonic())

    def kinds(self) -> dict[str, str]:
        """Each mail's end by name; taken and refused told apart."""
        return {recipient.partition("@")[0]: kind(result) for recipient, result in self.results.items()}

    def count(self) -> Counter[str]:
        return Counter(self.kinds().values())


def kind(result: Result) -> str:
    if isinstance(result, Answered):
        return "taken" if result.reply.is_taken else "refused"
    return {Broke: "broke", Cut: "cut", NotSent: "not sent"}[type(result)]


def readers(count: int) -> list[str]:
    return [f"reader{number}@reader.example" for number in range(count)]


def nobody_has_it_twice(server: ScriptedSmtp) -> bool:
    return all(count == 1 for count in Counter(server.recipients).values())
