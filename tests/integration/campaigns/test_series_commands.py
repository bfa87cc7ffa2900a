"""`steadypost campaign series` as somebody types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.db import session_scope
from tests.integration.cli_delivery.conftest import Run
from tests.support.cast import ADA, join
from tests.support.feeds import NEWS, WEEKLY, Site, item, make_all, running_site, write_series
from tests.support.house import House

SERIES = ("campaign", "series")


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        running.publish(item(1))
        yield running


@pytest.fixture
def reading(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("STEADYPOST_FETCH_ALLOW", "127.0.0.1/32")
    with session_scope(house.sessions) as session:
        join(session, ADA, house.at)
    return house


def test_a_series_by_the_calendar_from_its_file_to_its_end(
    steadypost: Run, reading: House, tmp_path: Path
) -> None:
    path = write_series(tmp_path)
    assert "`steadypost campaign series add FILE`" in steadypost(*SERIES, "list").stdout
    told = steadypost(*SERIES, "add", path).stdout
    assert told.startswith("letter is added: every week on Monday at 09:00 (Europe/Berlin).\n")
    assert "next 2026-03-02, at 2026-03-02 08:00 UTC" in told
    assert steadypost(*SERIES, "add", path).stdout.startswith("letter is as it is here.\n")
    shown = json.loads(steadypost(*SERIES, "show", "letter", "--next", "5", "--json").stdout)
    assert [one["day"] for one in shown["coming"]] == [
        *("2026-03-02", "2026-03-09", "2026-03-16", "2026-03-23", "2026-03-30"),
    ]
    # Berlin is on summer time from the 29th on.
    assert shown["coming"][4]["at"] == "2026-03-30T07:00:00+00:00"
    assert "A letter of Monday, March 2, 2026" in steadypost(*SERIES, "preview", "letter").stdout

    refused = steadypost(*SERIES, "run", "letter", ends=1)
    assert refused.stderr.startswith("Make letter of 2026-03-02 now, for 1 person?")
    assert "letter-2026-03-02 is on its way" in steadypost(*SERIES, "run", "letter", "--yes").stdout
    assert reading.send() == {"accepted": 1}
    assert "Paused: letter" in steadypost(*SERIES, "pause", "letter").stdout
    assert "is paused, so nothing of it is to come" in steadypost(*SERIES, "run", "letter", ends=1).stderr
    # What is still to come of this week is the next Monday: today's was made by hand.
    assert "It comes next on 2026-03-09" in steadypost(*SERIES, "resume", "letter").stdout
    show = steadypost(*SERIES, "show", "letter").stdout
    assert "letter-2026-03-02" in show
    (row,) = json.loads(steadypost(*SERIES, "list", "--json").stdout)
    assert (row["slug"], row["made"], row["trouble"]) == ("letter", 1, "")
    assert "Removed: letter" in steadypost(*SERIES, "remove", "letter", "--yes").stdout
    assert steadypost(*SERIES, "show", "letter", ends=1).stderr == (
        "There is no series 'letter'; `steadypost campaign series list` shows them all.\n"
    )
    assert "letter-2026-03-02" in steadypost("campaign", "list").stdout


def test_a_series_from_a_feed(steadypost: Run, reading: House, site: Site, tmp_path: Path) -> None:
    path = write_series(tmp_path, NEWS.replace("URL", site.url))
    told = steadypost(*SERIES, "add", path).stdout
    assert "Of its feed 1 item is old, and not mailed." in told
    assert "There is nothing new in its feed" in steadypost(*SERIES, "preview", "news").stdout
    site.publish(item(2, title="Fresh bread"), item(1))
    preview = json.loads(steadypost(*SERIES, "preview", "news", "--json").stdout)
    assert (preview["items"], preview["mails"][0]["subject"]) == (1, "The Reading Room: Fresh bread")
    html = tmp_path / "preview.html"
    steadypost(*SERIES, "preview", "news", "--html", html)
    assert "Fresh bread" in html.read_text(encoding="utf-8")
    assert "cannot be written" in steadypost(*SERIES, "preview", "news", "--html", html, ends=1).stderr
    assert "1 new item is known now" in steadypost(*SERIES, "skip", "news", "--yes").stdout
    assert (
        "nothing new in its feed, so there is no mail" in steadypost(*SERIES, "run", "news", "--yes").stdout
    )
    site.status, site.headers = 500, {}
    assert "answers 500 instead of a feed" in steadypost(*SERIES, "run", "news", "--yes", ends=1).stderr
    assert "Trouble: " in steadypost(*SERIES, "show", "news").stdout
    assert make_all(reading) == []


def test_a_feed_that_is_none_is_not_added(
    steadypost: Run, reading: House, site: Site, tmp_path: Path
) -> None:
    site.content = b"<html><head><link rel='alternate' type='application/rss+xml' href='/rss'></head></html>"
    refused = steadypost(*SERIES, "add", write_series(tmp_path, NEWS.replace("URL", site.url)), ends=1)
    assert f"is a web page, not a feed. It names {site.url.removesuffix('feed')}rss" in refused.stderr
    assert json.loads(steadypost(*SERIES, "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"every": "fortnight"}, "`every` is 'fortnight'. Write day, week or month"),
        ({"every": ""}, "`every` is missing."),
        ({"every": "0 weeks"}, "Write a number from 1 to 52 before weeks."),
        ({"on": "[mooday]"}, "'mooday' is not a weekday."),
        ({"every": "month", "on": "[32]"}, "'32' is not a day of a month."),
        ({"at": "25:00"}, "`at` is '25:00'."),
        ({"zone": "Europe/Berlyn"}, "'Europe/Berlyn' is not a time zone. Did you mean Europe/Berlin?"),
        ({"local": "maybe"}, "`local` is 'maybe'."),
        ({"until": "2026-02-30"}, "'2026-02-30' is not a date of the calendar."),
        ({"until": "2026-03-01"}, "It falls on no day that is still to come."),
        ({"times": "many"}, "`times` is 'many'."),
        ({"first": "3"}, "`first` says how many items of a feed, and there is none."),
        ({"feed": "feed.xml"}, "`feed` is 'feed.xml'. Write its address"),
        ({"evry": "week"}, "`evry` is not a setting of a series. Did you mean every?"),
        ({"lists": "[clam]"}, "There is no list 'clam'. Did you mean calm?"),
        ({"subject": '"{{ feed.title }}"'}, "The series has no feed."),
        ({"subject": '"{{ item.title }}"'}, "The series has no feed."),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(
    steadypost: Run, reading: House, tmp_path: Path, changes: dict[str, str], problem: str
) -> None:
    refused = steadypost(*SERIES, "add", write_series(tmp_path, WEEKLY, **changes), ends=1)
    assert problem in refused.stderr
    assert refused.stderr.startswith("series.md:")
    assert "The series has 1 error; mend the lines named above." in refused.stderr


def test_a_mistake_in_the_text_is_told_with_its_own_line(
    steadypost: Run, reading: House, site: Site, tmp_path: Path
) -> None:
    path = write_series(tmp_path, NEWS.replace("URL", site.url).replace("item.summary |", "item.body |"))
    line = (
        path.read_text(encoding="utf-8")
        .splitlines()
        .index(next(line for line in path.read_text(encoding="utf-8").splitlines() if "item.body" in line))
    )
    refused = steadypost(*SERIES, "add", path, ends=1)
    assert f"series.md:{line + 1}: error: There is no variable `item.body`." in refused.stderr


def test_the_preflight_asks_before_a_series_is_added(steadypost: Run, reading: House, tmp_path: Path) -> None:
    path = write_series(tmp_path, subject='"' + "A very long subject that telephones cut " * 3 + '"')
    refused = steadypost(*SERIES, "add", path, ends=1)
    assert "Add letter all the same? There is no terminal to ask on; say --yes." in refused.stderr
    assert "letter is added" in steadypost(*SERIES, "add", path, "--yes").stdout


def test_a_series_in_mjml(steadypost: Run, reading: House, site: Site, tmp_path: Path) -> None:
    head = NEWS.partition("# {{ feed.title }}")[0].replace("URL", site.url)
    body = """<mjml><mj-body><mj-section><mj-column>
{% for item in items %}
<mj-text><a href="{{ item.link }}">{{ item.title }}</a></mj-text>
{% endfor %}
<mj-text>{{ greeting }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
<mj-text>{{ sender.postal_address }}</mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
    path = write_series(tmp_path, head + body, "news.mjml")
    steadypost(*SERIES, "add", path, "--yes")
    site.publish(
        item(2, title="Salt &amp;amp; &amp;lt;b&amp;gt; 1 &amp;lt; 2", link="/a?b=1&amp;c=2"), item(1)
    )
    html = tmp_path / "preview.html"
    steadypost(*SERIES, "preview", "news", "--html", html)
    written = html.read_text(encoding="utf-8")
    assert "Salt &amp; &lt;b&gt; 1 &lt; 2" in written
    assert f'href="{site.url.removesuffix("feed")}a?b=1&amp;c=2"' in written
