"""A canary: a small slice of a campaign's audience that goes first, and what must not happen to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType
from typing import Any

from mailer.content.amounts import read_share, read_wait, share_words, wait_words


class Sign(StrEnum):
    """What a canary is watched for; docs/campaigns.md says what each counts."""

    BOUNCES = "bounces"
    COMPLAINTS = "complaints"
    DEFERRALS = "deferrals"
    ERRORS = "errors"


MOST: Mapping[Sign, float] = MappingProxyType(
    {
        # Amazon SES reviews an account at 5 %: docs.aws.amazon.com/ses, "Reputation metrics".
        Sign.BOUNCES: 0.05,
        # Gmail's and Yahoo's own limit (support.google.com/mail/answer/81126).
        Sign.COMPLAINTS: 0.003,
        # What alarms a warm-up as well (delivery/warmup.py).
        Sign.DEFERRALS: 0.15,
        # A mail that cannot be made is a mistake in it, and nobody else's.
        Sign.ERRORS: 0.0,
    }
)
"""Above which share of the slice a canary stops, unless its campaign says otherwise."""

WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Canary:
    """So many people, or such a share of the audience, go first; the rest waits, and sees how it went."""

    people: int = 0
    share: float = 0.0
    wait: timedelta = WAIT
    most: Mapping[Sign, float] = field(default_factory=lambda: MOST)

    def size_of(self, audience: int) -> int:
        """How many people of an audience the slice is; never more than there are."""
        return min(audience, self.people or ceil(self.share * audience))

    def words(self) -> str:
        """For a sentence: "500 people first, the rest 1 hour later if all is well"."""
        first = f"{self.people:,} people" if self.people else share_words(self.share)
        return f"{first} first, the rest {wait_words(self.wait)} later if all is well"

    def as_values(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "people": self.people,
            "share": self.share,
            "wait_minutes": round(self.wait / timedelta(minutes=1)),
            "most": {str(sign): share for sign, share in self.most.items()},
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Canary | None:
        """What was stored; None when there was nothing."""
        if not values:
            return None
        most = {sign: values["most"].get(sign, MOST[sign]) for sign in Sign}
        wait = timedelta(minutes=values["wait_minutes"])
        return cls(values["people"], values["share"], wait, most)

    @classmethod
    def chosen(cls, values: Mapping[str, Any]) -> Canary | None:
        """The one that counts: `asked` for when the campaign was sent, or else `written` in its file."""
        return cls.of(values.get("asked") or values.get("written") or {})


Tell = Callable[[str, str, str], None]
"""Hears of a setting, what is wrong with it, and what to write."""


def read_canary(written: Mapping[str, str], tell: Tell) -> Canary | None:
    """The canary of these settings (`size`, `wait`, and a share for each sign); None when one is wrong."""
    told: list[str] = []

    def wrong(name: str, what: str, fix: str) -> None:
        told.append(name)
        tell(name, what, fix)

    size = written.get("size", "")
    share = read_share(size)
    people = int(size) if size.isascii() and size.isdigit() and len(size) < 10 else 0
    if not people and not share:
        wrong("size", f"The canary's size is {size!r}.", "Write a number of people, 500, or a share, 2 %.")
    wait = read_wait(written["wait"]) if "wait" in written else WAIT
    if wait is None:
        wrong("wait", f"The canary's wait is {written['wait']!r}.", "Write 30 minutes, 1 hour or 1 day.")
    most = dict(MOST)
    for name, value in written.items():
        if name in ("size", "wait"):
            continue
        limit = read_share(value)
        if name not in tuple(Sign):
            wrong(name, f"`{name}` is nothing that a canary is watched for.", f"Known are {', '.join(Sign)}.")
        elif limit is None:
            wrong(name, f"`{name}` is {value!r}.", "Write a share of the slice, such as 5 %.")
        else:
            most[Sign(name)] = limit
    return None if told or wait is None else Canary(people, share or 0.0, wait, most)
