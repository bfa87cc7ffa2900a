"""One look at a series' feed, with no database and no transaction: another machine is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailer.content.feed import BadFeed, Feed, read_feed
from mailer.errors import MailerError
from mailer.fetch import CannotFetch, Fetched, Fetcher

NOT_MODIFIED = 304
LONGEST_MARK = 500


class FeedTrouble(MailerError):
    """Nothing of it was mailed; look at the address in the series' file, or ask whoever runs the site."""


@dataclass(frozen=True)
class Look:
    """What a look found: the feed, None when it says that nothing is new; or the `trouble`, as sentences.

    `etag` and `modified` are what the site wants to be told at the next look.
    """

    url: str
    feed: Feed | None = None
    etag: str = ""
    modified: str = ""
    trouble: str = ""


def look_at_feed(url: str, known: Mapping[str, str], fetcher: Fetcher, now: datetime) -> Look:
    """Ask for the feed, by the `etag` and `modified` that are known. Whatever is wrong is a Look, too."""
    asked = {"accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.5"}
    if known.get("etag"):
        asked["if-none-match"] = known["etag"]
    if known.get("modified"):
        asked["if-modified-since"] = known["modified"]
    try:
        answer = fetcher.fetch(url, asked)
        if answer.status == NOT_MODIFIED and len(asked) > 1:
            return Look(url, None, known.get("etag", ""), known.get("modified", ""))
        _refuse_status(url, answer)
        feed = read_feed(answer.content, answer.url, now)
    except (CannotFetch, BadFeed, FeedTrouble) as error:
        return Look(url, trouble=str(error))
    return Look(url, feed, _mark(answer, "etag"), _mark(answer, "last-modified"))


def _refuse_status(url: str, answer: Fetched) -> None:
    if answer.status in {404, 410}:
        raise FeedTrouble(f"There is no feed at {url} (any more): the site answers {answer.status}.")
    if answer.status in {401, 403}:
        raise FeedTrouble(f"{url} does not let us in: the site answers {answer.status}.")
    if answer.status != 200:
        raise FeedTrouble(f"{url} answers {answer.status} instead of a feed.")


def _mark(answer: Fetched, name: str) -> str:
    """A header to give back later; one that is odd is not kept, and then the feed is read in full."""
    value = answer.headers.get(name, "")
    return value if len(value) <= LONGEST_MARK and value.isascii() and value.isprintable() else ""
