"""Whether every bit of a guide's text turned up somewhere."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from mailer.content.guide.model import Piece
from mailer.content.guide.numbering import NUMBER

# A list's number and the letter before a question are marks, not words.
MARK = re.compile(r"^\W*(?:\d{1,3}|[A-Za-z]|Question|Answer|Frage|Antwort|Réponse)\s*\d{0,2}[.):]\s+")
# Headings lose theirs: "Chapter 3:", "1.2".
HEADING_NUMBER = re.compile(rf"^\W*{NUMBER}", re.IGNORECASE)
LINK_TARGET = re.compile(r"\]\([^)\s]*\)|\]\[[^\]]*\]")
LINK_DEFINITION = re.compile(r"\s*\[[^\]]+\]:\s*\S+")
WORD = re.compile(r"[^\W_]+")
MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|^\s*(?:```|~~~)\w*|\[[ xX]\](?=\s)")


def words_of(text: str) -> str:
    """The words of a text in small letters, each between single spaces; marks and escapes are none."""
    return f" {' '.join(WORD.findall(html.unescape(text).casefold()))} "


def unplaced(pieces: Iterable[Piece], texts: Sequence[str]) -> list[Piece]:
    """The pieces whose words stand in none of `texts`, in their order."""
    targets = [words_of(text) for text in texts]
    return [piece for piece in pieces if not _is_placed(piece.text, targets)]


def _is_placed(text: str, targets: Sequence[str]) -> bool:
    if LINK_DEFINITION.fullmatch(text):
        return True
    visible = MARKUP.sub(" ", LINK_TARGET.sub("] ", text))
    forms = [
        words_of(form) for form in (text, visible, MARK.sub("", visible), HEADING_NUMBER.sub("", visible))
    ]
    if any(not form.strip() or form in target for form in forms for target in targets):
        return True
    # A table's row and a label cut off its text stay in order, but not side by side.
    return any(_is_in_order(form.split(), target.split()) for form in forms[1:] for target in targets)


def _is_in_order(words: Sequence[str], target: Sequence[str]) -> bool:
    remaining = iter(target)
    return all(word in remaining for word in words)
