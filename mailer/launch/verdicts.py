"""Which variant wins, and whether a canary passes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mailer.content.amounts import share_words
from mailer.content.canary import Sign
from mailer.content.trial import Measure
from mailer.reports.phases import Score, Signs

LEAST_PEOPLE = 10
"""A test in which fewer people did what is counted, over all variants, says nothing."""

LEAST_EVENTS = 2
"""One bounce, complaint or deferral is nobody's pattern, however small the slice; one error is enough."""

AT_THE_END = frozenset({Sign.DEFERRALS})
"""What is judged when the waiting time is over: greylisting puts off many mails that are taken minutes later
(RFC 6647), and what is still put off by then is not that."""


@dataclass(frozen=True)
class Winner:
    """The variant that the rest of the audience gets, and why, as a sentence without its full stop."""

    name: str
    why: str


def decide(measure: Measure, scores: Sequence[Score]) -> Winner:
    """The variant with the largest share of people who count (the smallest, where they leave).

    Shares are of the mails that servers took. Too little to go by, or a tie for the first place, gives the
    first of the variants, or of those in the tie.
    """
    first = scores[0]
    told = ", ".join(score.words(measure) for score in scores)
    people = sum(score.of(measure) for score in scores)
    if people < LEAST_PEOPLE or any(not score.accepted for score in scores):
        why = f"too little to go by ({told}; it takes {LEAST_PEOPLE} people): {first.name.upper()} it is"
        return Winner(first.name, why)
    sign = -1 if measure is Measure.UNSUBSCRIBES else 1
    shares = {score.name: sign * Fraction(score.of(measure), score.accepted) for score in scores}
    best = [name for name, share in shares.items() if share == max(shares.values())]
    by = "fewest people leaving" if measure is Measure.UNSUBSCRIBES else str(measure)
    if len(best) > 1:
        tied = " and ".join(name.upper() for name in best)
        return Winner(best[0], f"{tied} did equally well by {by} ({told}): {best[0].upper()} it is")
    return Winner(best[0], f"{best[0].upper()} won by {by}: {told}")


def passed_limits(most: Mapping[Sign, float], signs: Signs, *, is_over: bool) -> tuple[str, ...]:
    """Which limits a canary has passed, each in words: "bounces 6.2 % (31 of 500), more than 5 %".

    Shares are of the whole slice, so that the first few answers stop nothing. `is_over`: its waiting time.
    """
    return tuple(
        f"{sign} {share_words(signs.of(sign) / signs.size)} ({signs.of(sign):,} of {signs.size:,}), "
        f"more than {share_words(limit)}"
        for sign, limit in most.items()
        if (is_over or sign not in AT_THE_END)
        and signs.of(sign) >= (1 if sign is Sign.ERRORS else LEAST_EVENTS)
        and signs.of(sign) > limit * signs.size
    )
