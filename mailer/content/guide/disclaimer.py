"""Which text of a guide is its disclaimer."""

from __future__ import annotations

import re

WORD = (
    r"disclaimer|haftungsausschluss|gesundheitlicher hinweis|avertissement|clause de non-responsabilité"
    r"|descargo de responsabilidad|aviso (legal|médico)|avvertenza|aviso de isenção|ansvarsfriskrivning"
)
OPENING = r"(?:(?:important|medical|health|legal|general|full|our|a|the)\s+)*"
LABEL = re.compile(rf"\s*{OPENING}(?:{WORD})(?:\s+notice)?(?:\s*[:.–—]|\s-)\s*\S", re.IGNORECASE)
HEADING = re.compile(rf"\s*{OPENING}(?:{WORD})(?:\s+notice)?s?\s*[:.]?\s*", re.IGNORECASE)
NAMES_IT = re.compile(rf"\b(?:{WORD})\b", re.IGNORECASE)
SAYS_IT = re.compile(
    r"for (general |purely )?(educational|informational|information)( (and|or) \w+)?( purposes| only| use)"
    r"|(does not|do not|is not|are not|cannot|never|not intended to|not meant to|not a)"
    r".{0,40}(replace|substitute|constitute).{0,60}(advice|diagnosis|treatment|care)"
    r"|ersetzt (keine|nicht).{0,60}(rat|beratung|behandlung|diagnose)",
    re.IGNORECASE,
)


def is_disclaimer(words: str) -> bool:
    """Whether a paragraph calls itself a disclaimer: "Disclaimer: …"."""
    return bool(LABEL.match(words))


def is_disclaimer_heading(words: str) -> bool:
    """Whether a heading says nothing else, so that all below it is the disclaimer."""
    return bool(HEADING.fullmatch(words))


def names_disclaimer(words: str) -> bool:
    """Whether a heading says that a disclaimer is among what follows."""
    return bool(NAMES_IT.search(words))


def sounds_like_disclaimer(words: str) -> bool:
    """Whether a paragraph without a label says what disclaimers say."""
    return bool(SAYS_IT.search(words))
