"""A sentence that lists what to do, split into points to tick off."""

from __future__ import annotations

import re
from dataclasses import replace

from mailer.content.guide.model import Item, Text, cut, raw
from mailer.content.guide.sentences import SENTENCE_GAP

# A comma parts two things to do only where a verb follows it: "Eat greens, whole grains" is one.
_VERBS = """
add adjust aim allow apply arrange ask avoid balance be begin block book breathe bring build buy
calm care carry change check choose clean clear close consider consult continue cook cool correct
count cover cut darken decide decrease deepen delay dig dim do drink dry earth eat eliminate end
ensure enjoy establish evaluate exercise explore feed feel fertilise fertilize fill find finish fix
focus follow get give go harden harvest have help hydrate identify improve include incorporate
increase introduce invest invite journal keep know lay learn leave let lift limit listen lower
maintain make manage massage measure meet mix monitor move mulch nap notice note nourish observe
open optimise optimize organise organize pack pause pick plan plant practice practise prepare
prioritise prioritize protect prune put raise read reassess rebuild recheck record reduce reflect
refine reintroduce relax remove repeat replace replenish rest restore review rinse rotate run save
schedule see seek set share shift shop sit skip sleep slow soak soften sow speak spend stabilise
stabilize stack stand start stay stop store strengthen stretch support swap switch take talk taper
test thin tidy track train transplant treat try turn use visit wait wake walk warm wash watch water
wear weed wind work write
"""
VERBS = frozenset(_VERBS.split())
ADVERBS = ("also", "always", "gently", "gradually", "never", "not", "slowly", "then")
SEMICOLON = re.compile(r"\s*;\s*")
COMMA = re.compile(r"\s*,\s*(?=\S)")


def split_items(text: Text, line: int) -> tuple[Item, ...]:
    """The points of a paragraph such as "Improve sleep, reduce coffee." Every word stays, in its order.

    Sentences and what semicolons part are points; what commas part only where each part begins with a
    verb. Where this is doubtful the sentence stays one point.
    """
    items: list[Text] = []
    for start, end in _spans(raw(text), SENTENCE_GAP, 0, len(raw(text))):
        for part_start, part_end in _spans(raw(text), SEMICOLON, start, end):
            items += [cut(text, *span) for span in _split_at_commas(raw(text), part_start, part_end)]
    return tuple(Item(_as_point(item), line) for item in items if item)


def _spans(words: str, separator: re.Pattern[str], start: int, end: int) -> list[tuple[int, int]]:
    """The stretches of `words[start:end]` between the separators."""
    spans, begin = [], start
    for match in separator.finditer(words, start, end):
        spans.append((begin, match.start()))
        begin = match.end()
    return [*spans, (begin, end)]


def _split_at_commas(words: str, start: int, end: int) -> list[tuple[int, int]]:
    spans = _spans(words, COMMA, start, end)
    if all(_begins_with_verb(words[first:last]) for first, last in spans):
        return spans
    return [(start, end)]


def _begins_with_verb(part: str) -> bool:
    words = re.findall(r"[^\W\d_]+", part.casefold())
    for skipped in ("and", "then"):
        words = words[1:] if words[:1] == [skipped] else words
    while words and words[0] in ADVERBS:
        words = words[1:]
    return len(words) > 1 and words[0] in VERBS


def _as_point(text: Text) -> Text:
    """The part as a point of a list: a capital first, no full stop at its end."""
    words = raw(text)
    if not any(character.isalnum() for character in words):
        return text
    end = (
        len(words) - 1 if words.endswith(".") and not words.endswith("..") and words.count(".") == 1 else None
    )
    point = cut(text, 0, end)
    first, *rest = point
    is_prose = not (first.is_code or first.href)
    return (replace(first, text=first.text[:1].upper() + first.text[1:]) if is_prose else first, *rest)
