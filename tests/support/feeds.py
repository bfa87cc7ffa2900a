"""A site with a feed on this machine, which a test changes; and series for it and for the calendar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from sqlalchemy import select

from mailer.db import session_scope
from mailer.fetch import Fetcher
from mailer.launch.series import Added, add_series, is_first_look
from mailer.launch.series_look import look_at_feed
from mailer.launch.series_make import Due, Made, claim_due, make
from mailer.launch.series_template import check_series
from mailer.links import Signer
from mailer.models import Series, SeriesOccurrence
from mailer.reports.series import SeriesReport, describe_series
from tests.support.house import House

FETCHER = Fetcher(("127.0.0.1/32",), most_seconds=2.0)
SIGNER = Signer(("s" * 32,))
BASE = "https://news.example.org"

WEEKLY = """\
---
slug: letter
subject: "A letter, number {{ series.number }}"
lists: [calm]
every: week
on: [monday]
at: "09:00"
zone: Europe/Berlin
---
# A letter of {{ series.date }}

{{ greeting }}

The windows are open again.
"""

NEWS = """\
---
slug: news
subject: "{{ feed.title }}: {{ feed.first }}"
lists: [calm]
every: day
at: "09:00"
zone: Europe/Berlin
feed: URL
---
# {{ feed.title }}

{{ greeting }}

{% for item in items %}
## [{{ item.title }}]({{ item.link }})

{% if item.published %}{{ item.published }}:{% endif %} {{ item.summary | default("No summary.", true) }}

{% endfor %}
"""


def item(
    number: int, *, title: str = "", guid: str = "", summary: str = "", link: str = "", date: str = ""
) -> str:
    """An item of RSS; its values are put in as they are, so markup has to be escaped."""
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    return (
        f"<item><title>{title or f'Story {number}'}</title><link>{link or f'/stories/{number}'}</link>"
        f"<guid>{guid or f'story-{number}'}</guid>{dated}"
        f"<description>{summary or f'What story {number} tells.'}</description></item>"
    )


def rss(*items: str, title: str = "The Reading Room") -> bytes:
    """A feed of these items."""
    head = f"<title>{title}</title><link>https://reading.example/</link>"
    return f'<rss version="2.0"><channel>{head}{"".join(items)}</channel></rss>'.encode()


@dataclass
class Site:
    """What it answers at /feed; the rest of its pages are fixed. `asked` are the requests' headers."""

    url: str = ""
    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def publish(self, *items: str) -> None:
        """Another state of the feed, with an ETag of its own."""
        self.content = rss(*items)
        self.headers = {"ETag": f'"{hash(self.content)}"'}


@contextmanager
def running_site() -> Iterator[Site]:
    """The site, on a port that the system picks."""
    site = Site()

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append({name.lower(): value for name, value in self.headers.items()})
            etag = site.headers.get("ETag")
            is_known = etag is not None and self.headers.get("If-None-Match") == etag
            body = b"" if is_known else site.content
            self.send_response(304 if is_known else site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    Thread(target=server.serve_forever, daemon=True).start()
    site.url = f"http://127.0.0.1:{server.server_port}/feed"
    yield site
    server.shutdown()
    server.server_close()


def write_series(folder: Path, text: str = WEEKLY, name: str = "series.md", **changes: str) -> Path:
    """A series' file; `changes` are lines of its front matter by their setting, empty to leave one out."""
    for setting, value in changes.items():
        lines = [line for line in text.split("\n") if not line.startswith(f"{setting.rstrip('_')}:")]
        if value:
            lines.insert(1, f"{setting.rstrip('_')}: {value}")
        text = "\n".join(lines)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def add(house: House, *paths: Path, fetcher: Fetcher = FETCHER) -> Added:
    """Check and add; an error in the files is the test's own mistake."""
    with session_scope(house.sessions) as session:
        checked, problems = check_series(session, paths, house.at)
        assert checked is not None, problems
        needs_look = is_first_look(session, checked)
    look = look_at_feed(checked.repeats.feed, {}, fetcher, house.at) if needs_look else None
    with session_scope(house.sessions) as session:
        return add_series(session, checked, look, house.at, who="ann")


def due(house: House) -> list[Due]:
    with session_scope(house.sessions) as session:
        return claim_due(session, house.at)


def make_one(house: House, one: Due, fetcher: Fetcher = FETCHER) -> Made:
    """What the worker's task does with one that is due."""
    look = look_at_feed(one.feed_url, one.marks, fetcher, one.at) if one.feed_url else None
    with session_scope(house.sessions) as session:
        asked = session, one, look, house.at
        return make(*asked, who="tick", signer=SIGNER, base_url=BASE)


def make_all(house: House) -> list[Made]:
    """One look of the worker at all series."""
    return [make_one(house, one) for one in due(house)]


def days_on(house: House, moment: datetime, days: int) -> list[Made]:
    """The worker's looks at this moment of each of so many days."""
    made = []
    for day in range(days):
        house.go_to(moment + timedelta(days=day))
        made += make_all(house)
    return made


def series_of(house: House, slug: str) -> Series:
    with session_scope(house.sessions) as session:
        return session.execute(select(Series).where(Series.slug == slug)).scalar_one()


def occurrences(house: House) -> list[tuple[str, str]]:
    """Each day that was made, and what became of it."""
    with session_scope(house.sessions) as session:
        rows = session.execute(select(SeriesOccurrence).order_by(SeriesOccurrence.day)).scalars()
        return [(f"{row.day}", row.outcome) for row in rows]


def report(house: House, slug: str, ahead: int = 3) -> SeriesReport:
    with session_scope(house.sessions) as session:
        return describe_series(session, slug, house.at, ahead=ahead)
