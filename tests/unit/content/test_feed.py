"""What is read of a feed, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailer.content.feed import BadFeed, Feed, read_feed, web_link
from tests.support.feeds import item, rss

NOW = datetime(2026, 12, 1, tzinfo=UTC)
URL = "https://reading.example/feed"


def read(content: bytes | str) -> Feed:
    return read_feed(content.encode() if isinstance(content, str) else content, URL, NOW)


def atom(entry: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Letters</title>{entry}</feed>'


def test_an_rss_feed_gives_titles_links_and_summaries_as_plain_text() -> None:
    found = read(
        rss(
            item(
                1,
                title="Tea &amp;amp; &lt;b&gt;time&lt;/b&gt;",
                summary="&lt;p&gt;One &lt;a href='x'&gt;link&lt;/a&gt;.&lt;script&gt;x()&lt;/script&gt;",
                date="Mon, 23 Nov 2026 09:00:00 +0100",
            )
        )
    )
    (one,) = found.items
    assert (found.title, found.link) == ("The Reading Room", "https://reading.example/")
    assert (one.title, one.summary) == ("Tea & time", "One link.")
    assert one.link == "https://reading.example/stories/1"
    assert one.published == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert found.notices == ()


def test_an_atom_feed_is_read_as_well() -> None:
    entry = """<entry><id>urn:1</id><title type="html">A &lt;i&gt;letter&lt;/i&gt;</title>
        <link href="https://reading.example/1"/><updated>2026-11-30T10:00:00Z</updated>
        <summary>2 &lt; 3</summary></entry>"""
    (one,) = read(atom(entry)).items
    assert (one.title, one.summary, one.link) == ("A letter", "2 < 3", "https://reading.example/1")


def test_items_come_newest_first_when_all_have_a_date() -> None:
    old, new = "Mon, 02 Nov 2026 09:00:00 GMT", "Mon, 09 Nov 2026 09:00:00 GMT"
    dated, undated = rss(item(1, date=old), item(2, date=new)), rss(item(1, date=old), item(2))
    assert [one.title for one in read(dated).items] == ["Story 2", "Story 1"]
    assert [one.title for one in read(undated).items] == ["Story 1", "Story 2"]


def test_an_item_is_known_by_its_id_also_under_another_title_or_link() -> None:
    before, after = item(1), item(1, title="Renamed", link="/elsewhere")
    assert read(rss(before)).items[0].fingerprint == read(rss(after)).items[0].fingerprint
    assert read(rss(before)).items[0].fingerprint != read(rss(item(2))).items[0].fingerprint


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://bank.example@evil.example/",
        "ftp://reading.example/1",
        "https://[::1]/",
        "https://reading.example/" + "x" * 1_000,
    ],
)
def test_a_link_that_is_no_plain_web_address_gives_way_to_the_sites_own(link: str) -> None:
    found = read(rss(item(1, link=link)))
    assert found.items[0].link == "https://reading.example/"
    assert found.notices == ("1 item without a web link, shown with the site's own.",)


def test_a_link_holds_no_sign_that_could_end_it() -> None:
    assert web_link("/a(b)'c\"<d>[e]{f} g", URL) == (
        "https://reading.example/a%28b%29%27c%22%3Cd%3E%5Be%5D%7Bf%7D%20g"
    )


def test_signs_that_steer_how_text_is_shown_are_taken_out() -> None:
    assert read(rss(item(1, title="gnp.\u202ephoto \u2066x\u200b"))).items[0].title == "gnp. photo x"


def test_an_item_under_another_id_and_link_has_the_same_twin() -> None:
    dated = "Mon, 02 Mar 2026 07:30:00 +0100"
    before, after = item(1, date=dated), item(1, date=dated, guid="new", link="https://moved.example/1")
    assert read(rss(before)).items[0].twin == read(rss(after)).items[0].twin
    # Without a date it is its words, and where it is within its site.
    before, after = item(1, link="http://a.example/1"), item(1, guid="new", link="https://www.a.example/1")
    assert read(rss(before)).items[0].twin == read(rss(after)).items[0].twin
    assert read(rss(before)).items[0].twin != read(rss(item(1, summary="Today's.", link="/1"))).items[0].twin


def test_items_that_say_the_same_are_told_apart_by_their_ids_alone() -> None:
    same = [item(1, guid=guid, title="A quote", summary="For today.", link="/quote") for guid in ("a", "b")]
    assert [one.twin for one in read(rss(*same)).items] == ["", ""]


def test_a_long_summary_is_cut_at_a_word() -> None:
    summary = read(rss(item(1, summary="word " * 100))).items[0].summary
    assert len(summary) <= 300
    assert summary.endswith("word…")


def test_what_is_odd_is_said_and_the_rest_is_read() -> None:
    found = read(
        rss(
            item(1),
            item(2, guid="story-1", title="The same id"),
            item(3, date="Fri, 01 Jan 2099 09:00:00 GMT"),
            "<item><description>Nothing but words.</description></item>",
        )
    )
    assert [one.title for one in found.items] == ["Story 1", "Story 3"]
    assert found.items[1].published is None
    assert found.notices == (
        "1 item left out, as another one has the same id.",
        "1 item dated in the future, shown without a date.",
        "1 item without an id or a title left out.",
    )


def test_a_feed_without_items_is_one_and_says_so() -> None:
    found = read(rss())
    assert found.items == ()
    assert found.notices == ("The feed has no items at all; look whether it is the right one.",)


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss version="2.0"><channel><title>&b;</title></channel></rss>"""
FILE = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r [<!ENTITY f SYSTEM "file:///etc/hostname">]><rss/>'


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "answers with nothing"),
        (b"hello", "is not well-formed XML"),
        (b"\x00\xff\xfe\x01", "is not well-formed XML"),
        (rss(item(1))[:-40], "is not well-formed XML"),  # cut in the middle of an item
        (b"<rss>" + b"<a>" * 100_000, "is not well-formed XML"),
        (b"<opml version='2.0'><body/></opml>", "neither RSS nor Atom"),
        (b"<!DOCTYPE html><html><body><p>Hi<br></body></html>", "is a web page, not a feed"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>", "is a web page, not a feed"),
        (BOMB.encode(), "declares entities"),
        (FILE.encode("utf-16"), "declares entities"),
        (rss(*(item(number) for number in range(10_000))), "has 10,000 items"),
    ],
)
def test_what_is_no_feed_is_refused_with_a_sentence(content: bytes, what: str) -> None:
    with pytest.raises(BadFeed, match=what) as refused:
        read(content)
    assert "Nothing of it was mailed; ask whoever runs the site" in str(refused.value)


def test_a_web_page_that_names_its_feed_helps() -> None:
    page = "<html><head><link rel='alternate' type='application/rss+xml' href='/rss.xml'></head></html>"
    with pytest.raises(BadFeed, match=r"It names https://reading.example/rss.xml as its feed: try that."):
        read(page)
