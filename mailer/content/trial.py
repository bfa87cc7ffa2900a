"""A campaign's variants, and the test that finds out which of them the rest of the audience gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from math import ceil
from typing import Any

from mailer.content.amounts import share_words, wait_words

FIRST = "a"
"""The variant that the file itself is."""
OTHERS = ("b", "c", "d")

SHARE = 0.2
AT_LEAST = 1
WAIT = timedelta(hours=4)
"""Most of those who will ever click have done so by then; see docs/campaigns.md."""


class Measure(StrEnum):
    """By what a test is decided. Fewest people leaving wins, otherwise most wins; ask: a person decides."""

    CLICKS = "clicks"
    OPENS = "opens"
    UNSUBSCRIBES = "unsubscribes"
    ASK = "ask"


@dataclass(frozen=True)
class TestPlan:
    """How the variants are tested: on a share of the audience, each on `at_least` so many, for how long."""

    __test__ = False  # pytest would take it for a test

    measure: Measure
    share: float = SHARE
    at_least: int = AT_LEAST
    wait: timedelta = WAIT

    def size_of(self, audience: int, variants: int) -> int:
        """How many people of an audience take part, as many for each variant; never more than there are."""
        each = max(self.at_least, ceil(self.share * audience / variants))
        return min(audience, each * variants)


@dataclass(frozen=True)
class Variant:
    """One variant as it was published: `messages` by language; no `sender_id` means the campaign's own."""

    name: str
    subject: str
    messages: Mapping[str, int]
    sender_id: int | None = None

    @property
    def letter(self) -> str:
        """How people call it."""
        return self.name.upper()


@dataclass(frozen=True)
class Trial:
    """The variants of a campaign, A before all others, and how they are tested."""

    plan: TestPlan
    variants: tuple[Variant, ...]

    def get(self, name: str) -> Variant | None:
        """The variant of this letter, large or small."""
        return next((one for one in self.variants if one.name == name.strip().lower()), None)

    def of_message(self, message_id: int) -> Variant | None:
        """Which variant a mail is, by its message: no two have one in common."""
        return next((one for one in self.variants if message_id in one.messages.values()), None)

    def words(self) -> str:
        """For a sentence: "A/B test of 2 variants on 20 % by clicks, decided after 4 hours"."""
        by = "you decide" if self.plan.measure is Measure.ASK else f"by {self.plan.measure}"
        when = "" if self.plan.measure is Measure.ASK else f", decided after {wait_words(self.plan.wait)}"
        return f"A/B test of {len(self.variants)} variants on {share_words(self.plan.share)}, {by}{when}"

    def as_values(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "measure": self.plan.measure,
            "share": self.plan.share,
            "at_least": self.plan.at_least,
            "wait_minutes": round(self.plan.wait / timedelta(minutes=1)),
            "variants": [asdict(variant) for variant in self.variants],
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Trial | None:
        """What was stored; None when there was nothing."""
        if not values:
            return None
        wait = timedelta(minutes=values["wait_minutes"])
        plan = TestPlan(Measure(values["measure"]), values["share"], values["at_least"], wait)
        return cls(plan, tuple(Variant(**one) for one in values["variants"]))


@dataclass(frozen=True)
class VariantSource:
    """A variant as its author wrote it: what differs from the file. Nothing said, nothing differs."""

    name: str
    subject: str = ""
    preheader: str = ""
    sender: str = ""
    file: str = ""

    @property
    def differs(self) -> bool:
        """Whether anything is said of it at all."""
        return self != VariantSource(self.name)
