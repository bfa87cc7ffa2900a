"""Which paragraphs are headings, in a file that does not say so itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailer.content.guide.disclaimer import is_disclaimer
from mailer.content.guide.furniture import why_furniture
from mailer.content.guide.labels import find_label, focus_end
from mailer.content.guide.model import Block, Heading, Paragraph, is_whole_in, plain, raw
from mailer.content.guide.questions import is_faq_heading, is_question

LONGEST_HEADING = 90
MOST_WORDS = 14
LONGEST_TITLE = 200
"""Characters of a title or subtitle, which may be a long line."""
FLAT_LEVEL = 2
"""The level of every heading found here: plain text does not say which is above which."""
SENTENCE_END = re.compile(r"[.,;:…。、،][\"'”’»)\]]*$")


def looks_like_heading(words: str, *, longest: int = LONGEST_HEADING, most_words: int = MOST_WORDS) -> bool:
    """Whether a line standing alone reads as a heading: short, begun as one, not ended as a sentence."""
    letters = [character for character in words if character.isalpha()]
    return bool(
        letters
        and len(words) <= longest
        and len(words.split()) <= most_words
        and not SENTENCE_END.search(words)
        and not letters[0].islower()
        and words[0] not in "-–—>“”\"„«'‘*|[("
        and find_label(words) is None
        and focus_end(words) is None
        and not is_disclaimer(words)
        and not why_furniture(words)
        and "://" not in words
        and "|" not in words
    )


def promote_headings(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with heading-like paragraphs made into headings, all of one level."""
    found: list[Block] = []
    in_faq = False
    is_dense = _is_dense(blocks)
    for at, block in enumerate(blocks):
        if isinstance(block, Paragraph) and _is_heading(blocks, at, found, in_faq=in_faq, is_dense=is_dense):
            words = plain(block.text)
            in_faq = is_faq_heading(words) or (in_faq and is_question(words))
            found.append(Heading(block.text, FLAT_LEVEL, block.line))
        else:
            found.append(block)
    return found


def _is_heading(
    blocks: Sequence[Block], at: int, found: Sequence[Block], *, in_faq: bool, is_dense: bool
) -> bool:
    block = blocks[at]
    if not isinstance(block, Paragraph) or "\n" in raw(block.text):
        return False
    words = plain(block.text)
    # Before anything was read as text this may be the title or the subtitle: these may be long.
    is_first = all(isinstance(other, Heading) or _is_furniture(other) for other in found)
    limits = {"longest": LONGEST_TITLE, "most_words": 40} if is_first else {}
    if not looks_like_heading(words, **limits):
        return False
    if is_first:
        return True
    if block.is_tight and not (_is_furniture(blocks[at - 1]) or is_dense):
        return False
    if in_faq and found and isinstance(found[-1], Heading) and not is_question(words):
        return False  # a short answer, not a heading: it stands right below its question
    return at + 1 == len(blocks) or not _goes_on(blocks[at + 1])


def _goes_on(following: Block) -> bool:
    """Whether the next line is as short as this one and right below it: an address, a verse."""
    return (
        isinstance(following, Paragraph)
        and following.is_tight
        and looks_like_heading(plain(following.text))
        and not is_question(plain(following.text))
    )


def _is_dense(blocks: Sequence[Block]) -> bool:
    """Whether the file has hardly any blank lines, so that they cannot set headings off."""
    paragraphs = [block for block in blocks[1:] if isinstance(block, Paragraph)]
    return sum(block.is_tight for block in paragraphs) * 10 >= len(paragraphs) * 9


def _is_furniture(block: Block) -> bool:
    return isinstance(block, Paragraph) and why_furniture(plain(block.text)) is not None


def promote_bold(blocks: Sequence[Block]) -> list[Block]:
    """Short paragraphs all in bold made into headings, as people write them who use no styles."""
    return [
        Heading(block.text, FLAT_LEVEL, block.line)
        if isinstance(block, Paragraph)
        and is_whole_in(block.text, style="is_bold")
        and looks_like_heading(plain(block.text))
        else block
        for block in blocks
    ]


def has_headings(blocks: Sequence[Block]) -> bool:
    """Whether the file itself says what its headings are: a title alone does not count."""
    return sum(isinstance(block, Heading) for block in blocks) > 1
