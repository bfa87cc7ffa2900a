"""Links of a mail to what its course has only later: its reader at this point has not had that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from lxml import html as lxml_html

NUMBERED = re.compile(r"^\d+[-_]")
LINK = re.compile(
    r"<a\b[^>]*?\shref=[\"'](?:https?://|\{\{[^}]*\bbase_url\b[^}]*\}\}/).*?</a>", re.IGNORECASE | re.DOTALL
)
"""A link of the author's: to another site, or to a page below ours."""


@dataclass(frozen=True)
class Ahead:
    """A mail of the same course that comes later: how addresses may name it, and how its links may say it."""

    day: int
    names: frozenset[str]
    titles: frozenset[str] = field(default=frozenset())


def ahead(day: int, key: str, stem: str = "", titles: Sequence[str] = ()) -> Ahead:
    """The step `key` of this course day, whose file is called `stem`."""
    names = frozenset({key, NUMBERED.sub("", stem) or key})
    return Ahead(day, names, frozenset(filter(None, map(letters, titles))))


def letters(text: str) -> str:
    """Only what is read of a title, however it is set."""
    return "".join(filter(str.isalnum, text)).casefold()


def leads_to(address: str, words: str, course: str, steps: Sequence[Ahead]) -> Ahead | None:
    """The one of these steps that a link with these words leads to, by its words or its address.

    A step's key of one word may well be another page's ("zinc"), so it counts only below the course's slug.
    """
    places = _segments(address)
    last = places[-1] if places else ""
    is_courses = course in places[:-1] or course in (urlsplit(address).hostname or "").split(".")
    for step in steps:
        if letters(words) in step.titles or (last in step.names and (is_courses or "-" in last)):
            return step
    return None


def named_links(html: str) -> Iterator[tuple[str, str]]:
    """(address, words) of each link to a page."""
    for match in LINK.finditer(html):
        # An author's own HTML may put anything inside a link; only the first element is the link.
        link = lxml_html.fragment_fromstring(match[0], create_parent="div").find("a")
        if link is not None:
            yield str(link.get("href")), " ".join("".join(link.itertext()).split())


def _segments(address: str) -> list[str]:
    """The parts of an address's path, without an ending such as .html, and behind them what follows a #."""
    parts = urlsplit(address)
    places = [unquote(part) for part in parts.path.split("/") if part]
    if places:
        places[-1] = re.sub(r"\.\w{1,5}$", "", places[-1])
        places[-1] = NUMBERED.sub("", places[-1])
    return [*places, unquote(parts.fragment)] if parts.fragment else places
