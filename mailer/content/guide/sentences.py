"""Where one sentence ends and the next begins."""

from __future__ import annotations

import re

ABBREVIATIONS = (
    "Dr",
    "Mr",
    "Mrs",
    "Ms",
    "Prof",
    "St",
    "No",
    "vs",
    "e.g",
    "i.e",
    "a.m",
    "p.m",
    "z.B",
    "bzw",
    "ca",
)
_WRITTEN = [word for each in ABBREVIATIONS for word in sorted({each, each.lower()})]
_NO_ABBREVIATION = "".join(rf"(?<!\b{re.escape(word)}\.)" for word in _WRITTEN)
SENTENCE_GAP = re.compile(
    rf"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’»)])){_NO_ABBREVIATION}\s+(?=[\"“'«(]?[^\W\da-z_])|(?<=[。！？])(?=\S)"
)
"""The white space between two sentences: a capital follows it, and no abbreviation stands before it."""


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, each as it was written."""
    return [sentence.strip() for sentence in SENTENCE_GAP.split(text) if sentence.strip()]
