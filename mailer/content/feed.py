"""An RSS or Atom feed as what a mail may show of it: titles, links and summaries as plain text.

Whoever runs the site wrote it, and it is read by a program that mails: what is not surely a feed is refused.
"""

from __future__ import annotations

import hashlib
import re
import time
import unicodedata
import warnings
from calendar import timegm
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import feedparser
import httpx
from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning
from lxml import etree, html

from mailer.errors import MailerError

MOST_ITEMS = 1_000
MOST_ELEMENTS = 100_000
"""Both are far beyond any feed that people read, and read in a second or two."""
LONGEST_TITLE = 120
LONGEST_SUMMARY = 300
LONGEST_LINK = 1_000
READ_OF_TEXT = 20_000
"""Characters of an item's HTML that are looked at for its summary."""
MOST_AHEAD = timedelta(days=1)
"""So far may a site's clock be wrong; a later date is none."""
FEED_TYPES = ("application/rss+xml", "application/atom+xml")
# Joiners: Persian, Hindi and emoji are written with them. Other format characters steer how text is shown.
JOINERS = "\u200c\u200d"


class BadFeed(MailerError):
    """Nothing of it was mailed; ask whoever runs the site, or name another feed in the series' file."""


@dataclass(frozen=True)
class FeedItem:
    """One item, as text. `fingerprint` stands for its id (else its link); `link` is a web address.

    `twin` stands for what it says: sites that are rebuilt give old items new ids, and often new links. It
    is empty when another item of the feed says the same.
    """

    fingerprint: str
    title: str
    link: str
    summary: str
    published: datetime | None
    twin: str = ""


@dataclass(frozen=True)
class Feed:
    """A feed and its items, the newest first. `notices` are sentences on what is odd about it."""

    title: str
    link: str
    items: tuple[FeedItem, ...]
    notices: tuple[str, ...] = ()


def read_feed(content: bytes, url: str, now: datetime) -> Feed:
    """The feed that `url` answered with; raises BadFeed with what is wrong."""
    _refuse_what_is_no_feed(content, url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # As a stream: a text would be taken for an address, and asked.
        parsed = feedparser.parse(
            BytesIO(content),
            response_headers={"content-type": "application/xml"},
            resolve_relative_uris=False,
            sanitize_html=False,  # no HTML of it is kept
        )
    if not parsed.get("version"):
        raise BadFeed(f"{url} is XML, but neither RSS nor Atom.")
    head = parsed.get("feed", {})
    home = web_link(head.get("link"), url) or web_link(url, url) or url
    reader = _Reader(url, home, now)
    items = _told_apart([item for entry in parsed.entries if (item := reader.item(entry)) is not None])
    if items and all(item.published for item in items):
        items.sort(key=lambda item: item.published or now, reverse=True)
    title = _text(head, "title", LONGEST_TITLE) or httpx.URL(url).host
    return Feed(title, home, tuple(items), reader.notices(bool(parsed.entries)))


def _told_apart(items: list[FeedItem]) -> list[FeedItem]:
    """The items with their twins."""
    twins = [_twin(item) for item in items]
    number = Counter(twins)
    return [
        replace(item, twin=twin if number[twin] == 1 else "") for item, twin in zip(items, twins, strict=True)
    ]


def _twin(item: FeedItem) -> str:
    """Its title and moment; without one its summary, and where it is within its site."""
    if item.published is not None:
        return _fingerprint(f"{item.title}\n{item.published.isoformat()}")
    return _fingerprint(f"{item.title}\n{item.summary}\n{urlsplit(item.link).path}")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _refuse_what_is_no_feed(content: bytes, url: str) -> None:
    """Raises BadFeed. libxml2 reads strictly: no entities, no DTD, no other file, and no deep nesting."""
    if not content.strip():
        raise BadFeed(f"{url} answers with nothing.")
    strict = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, strict)
    except (etree.XMLSyntaxError, ValueError) as error:
        if re.search(rb"<(?:!doctype\s+html|html|head|body)\b", content[:2_000], re.IGNORECASE):
            raise BadFeed(_a_page(content, url)) from None
        raise BadFeed(f"{url} is not well-formed XML ({_reason(error)}).") from None
    if root.getroottree().docinfo.internalDTD is not None and b"!ENTITY" in content.replace(b"\0", b""):
        raise BadFeed(f"{url} declares entities, which no feed needs and which can hide what it says.")
    names = [etree.QName(one).localname.lower() for one in root.iter(etree.Element)]
    if names[0] == "html":
        raise BadFeed(_a_page(content, url))
    items = names.count("item") + names.count("entry")
    if items > MOST_ITEMS or len(names) > MOST_ELEMENTS:
        raise BadFeed(
            f"{url} has {items:,} items in {len(names):,} elements; at most {MOST_ITEMS:,} are read."
        )


def _reason(error: Exception) -> str:
    reason = " ".join(str(error).split()).removesuffix(" (<string>, line 0)")
    return re.sub(r" \(<string>, line \d+\)$", "", reason)[:200]


def _a_page(content: bytes, url: str) -> str:
    """What to say of a web page: it often names its feed."""
    what = f"{url} is a web page, not a feed."
    try:
        page = html.fromstring(content)
    except (etree.ParserError, ValueError):
        return what
    for one in page.iter("link"):
        if one.get("type") in FEED_TYPES and (link := web_link(one.get("href"), url)):
            return f"{what} It names {link} as its feed: try that."
    return what


@dataclass
class _Reader:
    """Makes items of entries, and notes what is odd."""

    url: str
    home: str
    now: datetime

    def __post_init__(self) -> None:
        self._seen: set[str] = set()
        self._odd: dict[str, int] = {}

    def item(self, entry: Mapping[str, Any]) -> FeedItem | None:
        """The item, or None for one that cannot be told apart or says nothing."""
        link = web_link(entry.get("link"), self.url)
        name = str(entry.get("id") or "").strip() or link or ""
        summary = _text(entry, "summary", LONGEST_SUMMARY)
        title = _text(entry, "title", LONGEST_TITLE) or _shortened(summary, 60)
        if not name or not title:
            self._note("without an id or a title left out")
            return None
        fingerprint = _fingerprint(name)
        if fingerprint in self._seen:
            self._note("left out, as another one has the same id")
            return None
        self._seen.add(fingerprint)
        published = self._published(entry)
        if link is None:
            self._note("without a web link, shown with the site's own")
        return FeedItem(fingerprint, title, link or self.home, summary, published)

    def _published(self, entry: Mapping[str, Any]) -> datetime | None:
        stated = entry.get("published_parsed") or entry.get("updated_parsed")
        if not isinstance(stated, time.struct_time):
            return None
        try:
            moment = datetime.fromtimestamp(timegm(stated), UTC)
        except (ValueError, OverflowError, OSError):
            return None
        if moment > self.now + MOST_AHEAD:
            self._note("dated in the future, shown without a date")
            return None
        return moment

    def _note(self, what: str) -> None:
        self._odd[what] = self._odd.get(what, 0) + 1

    def notices(self, has_entries: bool) -> tuple[str, ...]:
        """What was odd, as sentences."""
        if not has_entries:
            return ("The feed has no items at all; look whether it is the right one.",)
        return tuple(
            f"{number:,} {'item' if number == 1 else 'items'} {what}." for what, number in self._odd.items()
        )


def web_link(link: object, base: str) -> str | None:
    """`link` as a whole web address without any sign that could end it early; None when it is none.

    No names and passwords: they make an address look like another's.
    """
    if not isinstance(link, str) or not link.strip():
        return None
    try:
        address = httpx.URL(urljoin(base, link.strip()))
    except (httpx.InvalidURL, ValueError):
        return None
    if address.scheme not in {"http", "https"} or not address.host or address.userinfo:
        return None
    # Brackets are left in addresses of IPv6 alone.
    if ":" in address.host or len(str(address)) > LONGEST_LINK:
        return None
    return quote(str(address), safe="/:?#@!$&+,;=%-._~")


def _text(values: Mapping[str, Any], name: str, longest: int) -> str:
    """A value as one line of plain text, cut at a word."""
    value = values.get(name)
    if not isinstance(value, str):
        return ""
    value = value[:READ_OF_TEXT]
    # Whatever type it says to be of: RSS does not say whether a title is HTML, and sites get it wrong.
    if "<" in value or "&" in value:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
            soup = BeautifulSoup(value, "html.parser")
        for hidden in soup(["script", "style", "template"]):
            hidden.decompose()
        value = soup.get_text(" ")
    return _shortened(_plain(value), longest)


def _plain(value: str) -> str:
    """Without control, private, unassigned and direction-steering characters; single spaces."""
    kept = (
        sign if sign in JOINERS or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Co", "Cn"} else " "
        for sign in value
    )
    words = " ".join("".join(kept).split())
    return re.sub(r" ([.,;:!?])(?= |$)", r"\1", words)  # a tag before a comma became a space


def _shortened(value: str, longest: int) -> str:
    if len(value) <= longest:
        return value
    cut = value[: longest - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"
