"""Series from a feed, against a real web server: each item is mailed once, a feed that lies not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import select

from mailer.db import session_scope
from mailer.errors import Refused
from mailer.fetch import Fetcher
from mailer.launch.series import skip_items
from mailer.launch.series_look import look_at_feed
from mailer.launch.series_make import as_if_due, due_now
from mailer.launch.series_preview import preview
from mailer.models import Campaign, Outcome, Series, SeriesItem
from tests.support.cast import ADA, join
from tests.support.feeds import (
    FETCHER,
    NEWS,
    Site,
    add,
    days_on,
    due,
    item,
    make_all,
    make_one,
    occurrences,
    report,
    rss,
    running_site,
    series_of,
    write_series,
)
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONDAY = "Mon, 02 Mar 2026 07:30:00 +0100"
JANUARY = "Mon, 05 Jan 2026 10:00:00 +0100"


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        running.publish(item(2), item(1))
        yield running


@pytest.fixture
def nine(house: House) -> datetime:
    """The next 09:00 in Berlin."""
    return house.at + HOUR


@pytest.fixture
def reading(house: House) -> House:
    with session_scope(house.sessions) as session:
        join(session, ADA, house.at)
    return house


@pytest.fixture
def file(site: Site, tmp_path: Path) -> Path:
    return write_series(tmp_path, NEWS.replace("URL", site.url), "news.md")


@pytest.fixture
def news(reading: House, file: Path) -> House:
    """The series, added while two stories were in its feed."""
    assert add(reading, file).old_items == 2
    return reading


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def page(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def campaigns(house: House) -> list[str]:
    with session_scope(house.sessions) as session:
        return list(session.execute(select(Campaign.slug).order_by(Campaign.id)).scalars())


def test_what_is_new_since_the_last_mail_goes_out_in_one_mail(
    news: House, site: Site, nine: datetime, server: ScriptedSmtp
) -> None:
    site.publish(item(4, title="Tea &amp;amp; time"), item(3), item(2), item(1))
    (made,) = days_on(news, nine, 1)
    assert (made.outcome, made.campaign) == (Outcome.MADE, "news-2026-03-02")
    news.send()
    (mail,) = server.mails
    assert str(mail["Subject"]) == "The Reading Room: Tea & time"
    for words in ("Tea & time", "What story 4 tells.", "Story 3", "What story 3 tells."):
        assert words in plain(mail)
    assert "Story 2" not in plain(mail)
    assert "Story 1" not in plain(mail)
    assert f'href="{site.url.removesuffix("feed")}stories/4"' in page(mail)
    found = report(news, "news")
    assert [one.items for one in found.past] == [2]
    assert found.row.subject == "{{ feed.title }}: {{ feed.first }}"
    with session_scope(news.sessions) as session:
        assert session.execute(select(Campaign.subject)).scalar() == "The Reading Room: Tea & time"


def test_the_first_look_takes_no_old_items_unless_it_is_told_how_many(
    reading: House, file: Path, nine: datetime, server: ScriptedSmtp, tmp_path: Path
) -> None:
    text = file.read_text(encoding="utf-8").replace("every:", "first: 1\nevery:")
    assert add(reading, write_series(tmp_path, text, "news.md")).old_items == 1
    assert [made.outcome for made in days_on(reading, nine, 2)] == [Outcome.MADE, Outcome.NOTHING_NEW]
    reading.send()
    assert [str(mail["Subject"]) for mail in server.mails] == ["The Reading Room: Story 2"]


def test_nothing_new_means_no_mail_and_is_said(news: House, nine: datetime, site: Site) -> None:
    (made,) = days_on(news, nine, 1)
    assert made.outcome == Outcome.NOTHING_NEW
    assert occurrences(news) == [("2026-03-02", "nothing-new")]
    # The site was told what is known, and said "not modified".
    assert site.asked[-1]["if-none-match"] == site.headers["ETag"]
    assert campaigns(news) == []


def test_one_by_hand_that_finds_nothing_new_leaves_the_day_to_come(
    news: House, site: Site, nine: datetime
) -> None:
    with session_scope(news.sessions) as session:
        early = due_now(session, "news", news.at)
    assert make_one(news, early).outcome == Outcome.NOTHING_NEW
    assert occurrences(news) == []
    site.publish(item(3), item(2), item(1))
    assert [made.campaign for made in days_on(news, nine, 1)] == ["news-2026-03-02"]


def test_an_item_is_mailed_once_also_under_another_title_or_in_another_order(
    news: House, site: Site, nine: datetime
) -> None:
    site.publish(item(3), item(2), item(1))
    days_on(news, nine, 1)
    site.publish(item(1), item(3, title="Story 3, corrected", link="/moved"), item(2))
    assert [made.outcome for made in days_on(news, nine + DAY, 1)] == [Outcome.NOTHING_NEW]


def test_items_that_met_an_empty_list_are_mailed_when_somebody_is_there(
    house: House, file: Path, site: Site, nine: datetime
) -> None:
    add(house, file)
    site.publish(item(3), item(2), item(1))
    assert [made.outcome for made in days_on(house, nine, 1)] == [Outcome.NOBODY]
    with session_scope(house.sessions) as session:
        join(session, ADA, house.at)
    # The feed has not changed, and all the same it has to be read in full.
    assert [made.outcome for made in days_on(house, nine + DAY, 1)] == [Outcome.MADE]


def test_what_a_feed_says_arrives_as_text_and_nothing_of_it_is_markup(
    news: House, site: Site, nine: datetime, server: ScriptedSmtp
) -> None:
    evil = "&lt;img src=x onerror=alert(1)&gt; {{ email }} {% raw %} # [x](javascript:y) &amp;lt;b&amp;gt;"
    site.publish(item(3, title=evil, summary=evil, link="javascript:alert(1)"), item(2), item(1))
    assert [made.outcome for made in days_on(news, nine, 1)] == [Outcome.MADE]
    assert news.send() == {"accepted": 1}
    (mail,) = server.mails
    assert "{{ email }} {% raw %} # [x](javascript:y) <b>" in plain(mail)
    assert "[x](javascript:y) &lt;b&gt;" in page(mail)
    assert "onerror" not in page(mail)
    assert 'href="javascript' not in page(mail)
    assert ADA not in plain(mail)
    assert "1 item without a web link" in report(news, "news").row.notice


@pytest.mark.parametrize(
    ("content", "status", "headers", "what"),
    [
        (b"<html><body>Hi</body></html>", 200, {}, "is a web page, not a feed"),
        (b"<rss><channel><item><title>cut", 200, {}, "is not well-formed XML"),
        (b"x" * 2_100_000, 200, {}, "answers with more than 2,000 kB"),
        (rss(*(item(number) for number in range(1_500))), 200, {}, "has 1,500 items"),
        (b"", 404, {}, "There is no feed at"),
        (b"", 503, {}, "answers 503 instead of a feed"),
        (b"", 302, {"Location": "http://169.254.1.1/feed"}, "which is not a public address"),
        (b"", 302, {"Location": "file:///etc/hostname"}, "does not begin with http"),
        (rss(*(item(number) for number in range(100, 160))), 200, {}, "has 60 new items at once"),
    ],
)
def test_a_feed_that_lies_is_told_and_nothing_is_half_done(
    news: House,
    site: Site,
    nine: datetime,
    content: bytes,
    status: int,
    headers: dict[str, str],
    what: str,
) -> None:
    site.content, site.status, site.headers = content, status, headers
    (made,) = days_on(news, nine, 1)
    assert what in made.trouble
    assert report(news, "news").row.trouble == made.trouble
    assert (campaigns(news), occurrences(news)) == ([], [])
    with session_scope(news.sessions) as session:
        assert len(session.execute(select(SeriesItem)).all()) == 2
    # Asked again after an hour; once it is well, the mail of that day is made.
    news.go_to(nine + HOUR - timedelta(seconds=1))
    assert make_all(news) == []
    site.status = 200
    site.publish(item(3), item(2), item(1))
    news.go_to(nine + HOUR)
    assert [one.campaign for one in make_all(news)] == ["news-2026-03-02"]
    assert report(news, "news").row.trouble == ""


def test_a_site_that_is_slow_is_not_waited_for(news: House, nine: datetime, site: Site) -> None:
    news.go_to(nine)
    (one,) = due(news)
    began = time.monotonic()
    made = make_one(news, one, Fetcher(("127.0.0.1/32",), most_seconds=0.0001))
    assert "did not answer within" in made.trouble
    assert time.monotonic() - began < 10


def test_a_private_address_is_refused_when_it_is_added_and_nothing_is_written(
    reading: House, file: Path
) -> None:
    with pytest.raises(Refused, match="which is not a public address"):
        add(reading, file, fetcher=Fetcher())
    with session_scope(reading.sessions) as session:
        assert session.execute(select(Series)).all() == []


def test_a_rebuilt_site_can_be_skipped(news: House, site: Site, nine: datetime) -> None:
    site.publish(*(item(number) for number in range(100, 160)))
    (made,) = days_on(news, nine, 1)
    assert "`steadypost campaign series skip news` takes them as known" in made.trouble
    with session_scope(news.sessions) as session:
        one = as_if_due(session, "news", news.at)
    look = look_at_feed(one.feed_url, one.marks, FETCHER, news.at)
    with session_scope(news.sessions) as session:
        assert skip_items(session, "news", look, news.at, who="ann") == 60
    assert [one.outcome for one in make_all(news)] == [Outcome.NOTHING_NEW]


def test_another_feed_begins_anew_and_a_mended_file_does_not(
    news: House, file: Path, site: Site, nine: datetime, tmp_path: Path
) -> None:
    site.publish(item(3), item(2), item(1))
    text = file.read_text(encoding="utf-8")
    add(news, write_series(tmp_path, text.replace("No summary.", "No words."), "news.md"))
    assert [made.outcome for made in days_on(news, nine, 1)] == [Outcome.MADE]
    site.publish(item(5), item(4))
    moved = add(news, write_series(tmp_path, text.replace("/feed", "/other"), "news.md"))
    assert moved.old_items == 2
    assert [made.outcome for made in days_on(news, nine + DAY, 1)] == [Outcome.NOTHING_NEW]


def test_an_old_look_changes_nothing(news: House, site: Site, nine: datetime) -> None:
    site.publish(item(3), item(2), item(1))
    news.go_to(nine)
    (one,) = due(news)
    assert make_one(news, one).outcome == Outcome.MADE
    assert make_one(news, one).outcome is None
    assert campaigns(news) == ["news-2026-03-02"]


def test_two_looks_at_once_ask_the_site_once_and_a_lost_worker_is_made_up_for(
    news: House, site: Site, nine: datetime
) -> None:
    site.publish(item(3), item(2), item(1))
    news.go_to(nine)
    (lost,) = due(news)
    assert due(news) == []
    news.go_to(nine + timedelta(minutes=5))
    assert [made.outcome for made in make_all(news)] == [Outcome.MADE]
    # It was only slow, and comes after all.
    assert make_one(news, lost).outcome is None
    assert campaigns(news) == ["news-2026-03-02"]


def test_a_site_that_gives_its_items_new_ids_and_links_does_not_have_them_mailed_again(
    news: House, site: Site, nine: datetime
) -> None:
    site.publish(item(3, date=MONDAY), item(2), item(1))
    days_on(news, nine, 1)
    new_ids = [item(3, date=MONDAY, guid="n3", link="/2026/story-3"), item(2, guid="n2"), item(1, guid="n1")]
    site.publish(*new_ids)
    (made,) = days_on(news, nine + DAY, 1)
    assert (made.outcome, made.words) == (Outcome.NOTHING_NEW, "3 items have a new id; not mailed again.")
    # From now on they are known by the new ids, whatever they are called.
    site.publish(item(4), item(3, guid="n3", title="Story 3, corrected"), *new_ids[1:])
    (made,) = days_on(news, nine + 2 * DAY, 1)
    assert (made.outcome, made.words) == (Outcome.MADE, "")
    assert [one.items for one in report(news, "news").past] == [1, 0, 1]


def test_old_stories_under_new_ids_and_titles_wait_as_a_draft_for_somebody_to_look(
    news: House, site: Site, nine: datetime, server: ScriptedSmtp
) -> None:
    # Both are older than the moment at which the feed was first read.
    site.publish(item(2, guid="n2", title="The second", date=JANUARY), item(1, guid="n1", date=JANUARY))
    (made,) = days_on(news, nine, 1)
    assert made.outcome == Outcome.ASKS
    assert "the site may have given its old items new ids" in made.words
    news.send()
    assert server.mails == []
    # Nobody has to be told twice.
    assert [made.outcome for made in days_on(news, nine + DAY, 1)] == [Outcome.NOTHING_NEW]


def test_a_feed_that_empties_and_fills_again_mails_nothing_twice(
    news: House, site: Site, nine: datetime
) -> None:
    site.publish()
    assert [made.outcome for made in days_on(news, nine, 1)] == [Outcome.NOTHING_NEW]
    assert "no items at all" in report(news, "news").row.notice
    site.publish(item(2), item(1))
    assert [made.outcome for made in days_on(news, nine + DAY, 1)] == [Outcome.NOTHING_NEW]
    assert report(news, "news").row.notice == ""


def test_a_short_feed_that_has_turned_over_is_mailed_and_what_may_be_missed_is_said(
    news: House, site: Site, nine: datetime
) -> None:
    site.publish(item(9), item(8))
    (made,) = days_on(news, nine, 1)
    assert made.outcome == Outcome.MADE
    assert "some items may have come and gone unseen" in made.words


def test_a_preview_writes_nothing(news: House, site: Site, nine: datetime) -> None:
    site.publish(item(3, title="Fresh bread"), item(2), item(1))
    with session_scope(news.sessions) as session:
        one = as_if_due(session, "news", news.at)
    look = look_at_feed(one.feed_url, one.marks, FETCHER, news.at)
    with session_scope(news.sessions) as session:
        found = preview(session, one, look, news.at, signer=news.post.signer, base_url="http://mail.test")
        assert not session.new
        assert not session.dirty
    assert (found.campaign, found.items) == ("news-2026-03-02", 1)
    assert found.mails[0].subject == "The Reading Room: Fresh bread"
    assert "Hello Ada," in found.mails[0].text
    assert series_of(news, "news").looked_at == news.at
    assert campaigns(news) == []
    assert [made.outcome for made in days_on(news, nine, 1)] == [Outcome.MADE]


def test_fifty_stories_full_of_signs_make_one_mail(
    news: House, site: Site, nine: datetime, server: ScriptedSmtp
) -> None:
    odd = "-a b- " * 60
    site.publish(*(item(number, title=f"№ {number} — “x”?", summary=odd) for number in range(100, 150)))
    began = time.process_time()
    assert [made.outcome for made in days_on(news, nine, 1)] == [Outcome.MADE]
    assert time.process_time() - began < 10
    assert news.send() == {"accepted": 1}
    assert plain(server.mails[0]).count("—") == 50


def test_stories_too_many_for_one_mail_wait_until_the_series_says_less_of_each(
    reading: House, site: Site, file: Path, nine: datetime, server: ScriptedSmtp
) -> None:
    short = file.read_text(encoding="utf-8")
    # With one story, as it is looked at when it is added, this is well; 50 of them are more than 102 kB.
    file.write_text(
        short.replace("{% endfor %}", f"{'And so on. ' * 200}\n\n{{% endfor %}}"), encoding="utf-8"
    )
    add(reading, file)
    site.publish(*(item(number) for number in range(100, 150)))
    (made,) = days_on(reading, nine, 1)
    assert "Gmail" in made.trouble
    assert "`steadypost campaign series preview news`" in report(reading, "news").row.trouble
    assert (campaigns(reading), reading.send()) == ([], {})
    file.write_text(short, encoding="utf-8")
    add(reading, file)
    (made,) = make_all(reading)
    assert (made.outcome, made.campaign) == (Outcome.MADE, "news-2026-03-02")
    assert reading.send() == {"accepted": 1}
    assert plain(server.mails[0]).count("Story 1") == 50
