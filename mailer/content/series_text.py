"""A series' text becomes a campaign's: what is known of this occurrence and of its feed is filled in.

Values of a feed come from strangers. They are written word by word: letters as they are, anything else as a
string inside a tag, which Markdown, MJML and HTML never see; so nothing of it is read as markup or as a tag.
Tags about a reader stay as they are, for the campaign's own compiler to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from markupsafe import escape

from mailer.clock import local_date
from mailer.content.assemble import CompiledMessage
from mailer.content.expressions import (
    Fault,
    Tag,
    TagKind,
    faults_beside,
    find_tags,
    is_bare,
    is_url_safe,
    names_in,
)
from mailer.content.feed import Feed, FeedItem
from mailer.content.variables import CANNOT_RENDER, AuthorEnvironment, author_environment
from mailer.i18n import format_date

OF_SERIES = ("series.date", "series.number")
OF_FEED = ("feed.title", "feed.link", "feed.new", "feed.first")
OF_ITEM = ("item.title", "item.link", "item.summary", "item.published")
HEADS = frozenset({"series", "feed", "item", "items"})
LINKS = frozenset({"feed.link", "item.link"})
LOOP = re.compile(r"for\s+item\s+in\s+items")
BEFORE_ADDRESS = re.compile(r"(?:\]\(<?|href=[\"']|:::[ \t]*button[ \t]+)$")
"""Behind these a link is an address; elsewhere it is text."""
HARMLESS = re.compile(r"[^\W_]+[,;:?!]?|[^\W\d_]+\.")
"""A word that no markup begins with: `1.` would be a list. Behind a letter a full stop ends a sentence."""
LONGEST_RUN = 100
MOST_TAGS = 9_000
"""The placeholders of one mail are counted in four digits."""
STRINGS = re.compile(r'\{\{ "((?:[^"\\{}]|\\x[0-9a-f]{2})*)" \}\}')

OnFault = Callable[[int, str, str], None]


class TooMuch(ValueError):
    """The text would hold more than a mail can."""


@dataclass(frozen=True)
class Occasion:
    """What is known when an occurrence is made: its day, its number, and what is new in its feed."""

    day: date
    number: int
    feed: Feed | None = None
    items: tuple[FeedItem, ...] = ()
    zone: str = "Etc/UTC"

    def context(self, language: str) -> dict[str, Any]:
        """The values that a template may name."""
        context: dict[str, Any] = {"series": {"date": format_date(self.day, language), "number": self.number}}
        if self.feed is not None:
            first = self.items[0].title if self.items else ""
            context["feed"] = {
                "title": self.feed.title,
                "link": self.feed.link,
                "new": len(self.items),
                "first": first,
            }
            context["items"] = [self._item(item, language) for item in self.items]
        return context

    def _item(self, item: FeedItem, language: str) -> dict[str, str]:
        published = self._day(item.published, language) if item.published else ""
        return {"title": item.title, "link": item.link, "summary": item.summary, "published": published}

    def _day(self, moment: datetime, language: str) -> str:
        return format_date(local_date(moment, self.zone), language)


def sample_occasion(day: date, *, has_feed: bool, zone: str = "Etc/UTC") -> Occasion:
    """One for checks: with a single item, so that every line keeps its number."""
    if not has_feed:
        return Occasion(day, 1, zone=zone)
    item = FeedItem("", "A title", "https://example.org/a", "A summary.", None)
    return Occasion(day, 1, Feed("A feed", "https://example.org/", (item,)), (item,), zone)


@dataclass(frozen=True)
class _AsIs:
    """Text that is put in without being looked at."""

    text: str

    def __str__(self) -> str:
        return self.text


def fill_in(text: str, occasion: Occasion, language: str, on_fault: OnFault) -> str:
    """`text` with the occasion's values; faults are told with their line, from 0.

    Then it has neutral words for its tags, so that nothing else is said of them. Raises TooMuch when the
    values need more tags than a mail can hold.
    """
    build = _Build(occasion.feed is not None)
    build.read(text)
    for start, what, fix in build.faults:
        on_fault(text.count("\n", 0, start), what, fix)
    if build.faults:
        return "".join(build.neutral)
    try:
        filled = (
            _environment()
            .from_string("".join(build.pieces))
            .render(occasion.context(language) | {"kept": build.kept})
        )
    except CANNOT_RENDER as error:
        on_fault(0, f"The series' tags cannot be worked out ({error}).", "Mend the expression.")
        return "".join(build.neutral)
    if filled.count("{{") > MOST_TAGS:
        raise TooMuch("The items hold more signs and symbols than a mail can; name fewer of them.")
    return filled


def _environment() -> AuthorEnvironment:
    environment = author_environment(autoescape=False)
    environment.finalize = _as_words
    environment.filters["as_address"] = _as_address
    return environment


def _as_words(value: Any) -> str:
    if isinstance(value, _AsIs):
        return value.text
    return " ".join(_runs(str(value).split()))


def _runs(words: Iterable[str]) -> Iterable[str]:
    """Harmless words as they are, the others in tags; neighbours share one, up to a length."""
    run = ""
    for word in words:
        if run and (HARMLESS.fullmatch(word) or len(run) + len(word) >= LONGEST_RUN):
            yield _quoted(run)
            run = ""
        if HARMLESS.fullmatch(word):
            yield word
        else:
            run = f"{run} {word}" if run else word
    if run:
        yield _quoted(run)


def _quoted(text: str) -> str:
    """A tag that says `text`, in signs that mean nothing to Jinja2's lexer."""
    signs = (
        f"\\x{ord(sign):02x}" if ord(sign) < 128 and not sign.isalnum() and sign != " " else sign
        for sign in text
    )
    return f'{{{{ "{"".join(signs)}" }}}}'


def _as_address(value: Any) -> _AsIs:
    # Both Markdown and MJML read the ampersand back.
    return _AsIs(str(value).replace("&", "&amp;"))


@dataclass
class _Build:
    """Reads a text into a template: only its own tags are code in it, all else is put in as it is."""

    has_feed: bool
    pieces: list[str] = field(default_factory=list)
    kept: dict[str, _AsIs] = field(default_factory=dict)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    neutral: list[str] = field(default_factory=list)
    # What is open: the loop, an `if` of ours, or one about the reader.
    open: list[str] = field(default_factory=list)

    def read(self, text: str) -> None:
        position = 0
        for found in find_tags(text):
            if isinstance(found, Fault):
                continue  # the campaign's compiler tells of it
            self._keep(text[position : found.start])
            position = found.end
            self._take(found, text[: found.start])
        self._keep(text[position:])
        if self.open:
            last = "for" if "for" in self.open else "if"
            self._fault(len(text), f"`{{% {last} … %}}` is not closed.", f"Write `{{% end{last} %}}`.")

    def _keep(self, text: str) -> None:
        if text:
            name = f"k{len(self.kept)}"
            self.kept[name] = _AsIs(text)
            self.neutral.append(text)
            self.pieces.append(f"{{{{ kept.{name} }}}}")

    def _fault(self, start: int, what: str, fix: str) -> None:
        self.faults.append((start, what, fix))

    def _take(self, tag: Tag, before: str) -> None:
        if tag.kind is TagKind.COMMENT:
            self._keep(tag.source)
        elif tag.kind is TagKind.CONTROL:
            self._control(tag)
        elif names_in(tag) & HEADS:
            self._expression(tag, before)
        else:
            self._keep(tag.source)

    def _expression(self, tag: Tag, before: str) -> None:
        self._check(tag)
        is_address = is_bare(tag, LINKS) and BEFORE_ADDRESS.search(before[-40:])
        self.neutral.append("https://example.org/" if is_address else "word")
        if is_address or is_url_safe(tag):
            self.pieces.append(f"{{{{ {tag.inside} | as_address }}}}")
        else:
            self.pieces.append(tag.source)

    def _control(self, tag: Tag) -> None:
        if tag.word in {"for", "endfor"}:
            self._loop(tag)
        elif tag.word == "if":
            is_ours = bool(names_in(tag) & HEADS)
            self.open.append("if" if is_ours else "if of a reader")
            self._if(tag, is_ours)
        elif tag.word in {"elif", "else", "endif"}:
            is_ours = bool(self.open) and self.open[-1] == "if"
            if self.open and self.open[-1] == "for":
                self._fault(tag.start, f"`{{% {tag.word} %}}` has no if inside the loop.", "Mend the order.")
            self._if(tag, is_ours)
            if tag.word == "endif" and self.open and self.open[-1] != "for":
                self.open.pop()
        else:
            self._keep(tag.source)

    def _if(self, tag: Tag, is_ours: bool) -> None:
        if is_ours and tag.word in {"if", "elif"}:
            self._check(tag)
        elif names_in(tag) & HEADS and tag.word == "elif":
            self._fault(
                tag.start, "An `elif` asks about the feed, its `if` about the reader.", "Write two ifs."
            )
        if is_ours:
            self.pieces.append(tag.source)
        else:
            self._keep(tag.source)

    def _loop(self, tag: Tag) -> None:
        if tag.word == "endfor":
            if not self.open or self.open[-1] != "for":
                self._fault(tag.start, "`{% endfor %}` closes no loop.", "Mend the order of the tags.")
                return
            self.open.pop()
            self.pieces.append("{% endfor %}")
            return
        if not LOOP.fullmatch(tag.inside):
            self._fault(tag.start, f"`{tag.source}` is not on offer.", "Write `{% for item in items %}`.")
        elif not self.has_feed:
            self._fault(tag.start, "The series has no feed, so it has no items.", "Write `feed: https://…`.")
        elif self.open:
            what = "The loop stands inside another tag."
            self._fault(tag.start, what, "Put the `if` inside of the loop, or close it before.")
        self.open.append("for")
        self.pieces.append("{% for item in items %}")

    def _check(self, tag: Tag) -> None:
        names = names_in(tag)
        if names - HEADS:
            what = f"`{tag.source}` asks about the reader and the series at once."
            self._fault(tag.start, what, "Write two tags: one is filled in for all readers, one for each.")
            return
        if not self.has_feed and names & {"feed", "item", "items"}:
            self._fault(tag.start, "The series has no feed.", "Write `feed: https://…` in the front matter.")
            return
        paths = (*OF_SERIES, *OF_FEED, *(OF_ITEM if "for" in self.open else ()))
        for fault in faults_beside(tag, paths):
            self._fault(fault.start, fault.what, fault.fix)


def in_words(text: str) -> str:
    """A filled-in text as a list of campaigns shows it: its strings in tags as what they say."""
    return STRINGS.sub(lambda found: _said(found[1]), text)


def baked(message: CompiledMessage) -> CompiledMessage:
    """The same with its strings in tags as the text that they are: they need not be made for each reader."""
    return replace(
        message,
        subject=STRINGS.sub(_bake, message.subject),
        preheader=STRINGS.sub(_bake, message.preheader),
        html=STRINGS.sub(lambda found: _bake(found, is_html=True), message.html),
        text=STRINGS.sub(_bake, message.text),
    )


def _said(quoted: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda sign: chr(int(sign[1], 16)), quoted)


def _bake(found: re.Match[str], *, is_html: bool = False) -> str:
    said = _said(found[1])
    # Braces stay in their tag: in the open they could begin another one.
    if set(said) & set("{}"):
        return found[0]
    return str(escape(said)) if is_html else said
