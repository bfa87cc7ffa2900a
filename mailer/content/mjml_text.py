"""What an author's MJML says, for the text part of a mail: paragraphs, lists, rows on lines of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lxml import etree

from mailer.content.mjml_check import COMPONENTS

BREAK = "\0"
"""A new line; two of them a new paragraph. No XML can hold this character."""
OWN_LINES = frozenset(
    {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table", "ul"}
)


def said_in(root: etree._Element, is_control: Callable[[str], bool]) -> Iterator[str]:
    """What each component below `root` says, with the address behind each link.

    A line that `is_control`, an if or its end, stays with the line before: so it leaves no gap.
    """
    for element in root.iter(*COMPONENTS):
        said = _in_lines(_said(element), is_control)
        if element.tag == "mj-image":
            said = f"[{element.get('alt', '')}]"
        if element.tag == "mj-button":
            said = f"{said}: {element.get('href', '')}"
        if said:
            yield said


def _said(element: etree._Element) -> str:
    inside = element.text or ""
    for child in element:
        before = child.getprevious()
        # Two links side by side are two words.
        is_stuck = child.tag == "a" and before is not None and before.tag == "a" and not before.tail
        inside += (" " if is_stuck else "") + _said(child) + (child.tail or "")
    if element.tag in OWN_LINES:
        return f"{BREAK}{BREAK}{inside}{BREAK}{BREAK}"
    if element.tag == "a":
        return f"{inside} <{element.get('href', '')}>"
    if element.tag in {"td", "th"}:
        return f"{inside} "
    if element.tag == "li":
        return f"{BREAK}- {inside.strip(BREAK + ' ')}"
    return {"br": BREAK, "tr": f"{BREAK}{inside}"}.get(str(element.tag), inside)


def _in_lines(said: str, is_control: Callable[[str], bool]) -> str:
    lines: list[str] = []
    for line in (re.sub(r"\s+", " ", one).strip() for one in said.split(BREAK)):
        if line and any(lines) and is_control(line):
            last = max(at for at, one in enumerate(lines) if one)
            lines[last] += line
        else:
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
