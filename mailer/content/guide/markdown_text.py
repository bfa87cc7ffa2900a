"""A guide's blocks written as Markdown that says the same, whatever characters stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from mailer.content.guide.model import (
    BREAK,
    WRAP,
    Block,
    Bullets,
    Code,
    Heading,
    Item,
    Paragraph,
    Quote,
    Run,
    Table,
    Text,
    merged,
    one_line,
    raw,
)

ALWAYS = re.compile(r"[\\`*\[\]<>|]|_(?<![^\W_]_)|_(?![^\W_])|~(?=~)|&(?=#?\w+;)")
AT_LINE_START = re.compile(r"^(?:[#+=-](?=[ #+=-]|$)|:(?=::)|~(?=~~)|-(?=-))")
NUMBER_AT_LINE_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
JINJA = re.compile(r"\{(?=[{%#])")
SCHEMES = ("http", "https", "mailto", "tel")
PARSER = MarkdownIt("commonmark").enable("table")
DEEPEST_HEADING = 6


def inline(text: Text, *, begins_line: bool = True) -> str:
    """A text as Markdown that shows exactly its words, also to Jinja2.

    Where its styles cannot be written (bold inside a word, say), the bare words come back.
    `begins_line` is False for what stands behind a `#` or in a table, where "1." opens no list.
    """
    styled = merged(_spaces_outside(text))
    for written in ("".join(map(_styled, styled)), "".join(_escaped(run.text) for run in text)):
        finished = _line_starts(written) if begins_line else " ".join(written.split())
        # Where two runs meet they may open a tag that neither has.
        is_safe = not JINJA.search(finished)
        if is_safe and _shown(finished if begins_line else f"# {finished}") == _bare(text):
            return finished
    return _line_starts(_escaped(_bare(text)))


def _shown(written: str) -> str:
    """The words that a reader of this Markdown sees."""
    tokens = PARSER.parse(written)
    if len(tokens) != 3 or tokens[1].type != "inline":
        return "\0" if tokens else ""
    shown = "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content
        for child in tokens[1].children or []
    )
    return " ".join(shown.split())


def _bare(text: Text) -> str:
    return " ".join(raw(text).split())


def _styled(run: Run) -> str:
    inside = run.text
    if not inside.strip():
        return _escaped(inside)
    # Entities mean nothing inside a code span, so braces that must be escaped are not written as one.
    if run.is_code and "`" not in inside and not JINJA.search(inside) and BREAK not in inside:
        written = f"`{inside.replace(WRAP, ' ')}`"
    else:
        written = _escaped(inside)
    mark = "*" * (2 * run.is_bold + run.is_italic)
    written = f"{mark}{written}{mark}"
    return f"[{written}]({_target(run.href)})" if run.href else written


def _escaped(words: str) -> str:
    """The escapes that hold anywhere in a line, and hard breaks as Markdown writes them."""
    safe = ALWAYS.sub(lambda match: f"\\{match[0]}", words.replace(WRAP, " "))
    return JINJA.sub("&#123;", safe).replace(BREAK, "\\\n")


def _line_starts(written: str) -> str:
    """The escapes that only a line's beginning needs."""
    lines = [line.strip() for line in written.split("\n")]
    lines = [AT_LINE_START.sub(lambda match: f"\\{match[0]}", line) for line in lines]
    lines = [NUMBER_AT_LINE_START.sub(r"\1\\\2", line) for line in lines]
    return "\n".join(line for line in lines if line)


def _spaces_outside(text: Text) -> Iterable[Run]:
    """Runs whose style begins and ends with a word: `**bold **` is not bold in Markdown."""
    for run in text:
        inside = run.text.strip()
        if not inside or run.text == inside:
            yield run if inside else Run(run.text)
            continue
        start = len(run.text) - len(run.text.lstrip())
        end = start + len(inside)
        yield Run(run.text[:start])
        yield Run(inside, run.is_bold, run.is_italic, run.is_code, run.href)
        yield Run(run.text[end:])


def _target(href: str) -> str:
    """An address as Markdown's link target; braces would be Jinja2's, so they are encoded."""
    safe = href.replace("{", "%7B").replace("}", "%7D").replace(" ", "%20")
    return f"<{safe}>" if re.search(r"[()]", safe) else safe


def can_link(href: str) -> bool:
    """Whether a link leads anywhere from a mail: a page's relative links do not."""
    try:
        return urlsplit(href.strip()).scheme.lower() in SCHEMES and not re.search(r"[<>\"\s]", href.strip())
    except ValueError:
        return False


def blocks_as_markdown(blocks: Iterable[Block], *, top_level: int = 1) -> str:
    """Blocks one after the other. Headings of `top_level` become `##`, the deeper ones deeper."""
    parts: list[str] = []
    for block in blocks:
        parts.append(_block(block, top_level))
    return "\n\n".join(part for part in parts if part)


def _block(block: Block, top_level: int) -> str:
    match block:
        case Heading():
            level = min(max(2, 2 + block.level - top_level), DEEPEST_HEADING)
            return f"{'#' * level} {heading(block.text)}"
        case Paragraph():
            return inline(block.text)
        case Bullets():
            return bullets_as_markdown(block)
        case Table():
            return _table(block)
        case Quote():
            inside = blocks_as_markdown(block.blocks, top_level=top_level)
            return "\n".join(f"> {line}".rstrip() for line in inside.split("\n"))
        case Code():
            return _code(block)


def heading(text: Text) -> str:
    """A text as the words behind `#`: on one line, and a `#` at its end is no closing mark."""
    return re.sub(r"(?<!\\)(#+)$", r"\\\1", inline(one_line(text), begins_line=False))


def bullets_as_markdown(bullets: Bullets) -> str:
    """A list; what hangs below a point is indented under it."""
    lines: list[str] = []
    for number, item in enumerate(bullets.items, start=bullets.start):
        mark = f"{number}. " if bullets.is_ordered else "- "
        inside = "\n".join(part for part in (inline(item.text), _below(item)) if part)
        first, *rest = inside.split("\n")
        lines.append(mark + first)
        lines += [(" " * len(mark) + line).rstrip() for line in rest]
    return "\n".join(lines)


def _below(item: Item) -> str:
    """A nested list follows its point at once; anything else needs a blank line before it."""
    parts = []
    for child in item.children:
        written = _block(child, 1)
        is_nested_list = isinstance(child, Bullets) and not (child.is_ordered and child.start != 1)
        parts.append(written if is_nested_list else f"\n{written}")
    return "\n".join(parts)


def _table(table: Table) -> str:
    rows = [[inline(one_line(cell), begins_line=False) for cell in row] for row in table.rows]
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *body])


def _code(code: Code) -> str:
    if JINJA.search(code.text):
        # Nothing can be escaped inside a code block, so these lines become a paragraph.
        return inline((Run(BREAK.join(line for line in code.text.split("\n") if line.strip())),))
    longest = max((len(match) for match in re.findall(r"`+", code.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{code.text}\n{fence}"
