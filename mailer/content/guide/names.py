"""Slugs: the short names of courses, steps and files, made from headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

LONGEST = 60
"""Characters; longer slugs are cut at a hyphen."""
# Letters that Unicode does not take apart into a plain letter and a mark.
SPELLED = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)


def slug_of(words: str) -> str:
    """Small letters, digits and hyphens; empty when no letter of `words` is Latin."""
    decomposed = unicodedata.normalize("NFKD", words.casefold().translate(SPELLED))
    bare = re.sub(r"['’‘ʼ`´\u0300-\u036f]", "", decomposed)
    slug = re.sub(r"[^a-z0-9]+", "-", bare).strip("-")
    return slug if len(slug) <= LONGEST else slug[: LONGEST + 1].rpartition("-")[0] or slug[:LONGEST]


def unique_slug(words: str, taken: Collection[str], fallback: str) -> str:
    """A slug that is not in `taken`; a number is added where needed."""
    slug = slug_of(words) or fallback
    number, unique = 2, slug
    while unique in taken:
        unique = f"{slug}-{number}"
        number += 1
    return unique
