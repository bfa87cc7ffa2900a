"""A series' text becomes a campaign's, and nothing of a feed becomes markup on the way."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from mailer.content.assemble import CompiledMessage
from mailer.content.feed import Feed, FeedItem
from mailer.content.series_text import HARMLESS, STRINGS, Occasion, baked, fill_in, in_words
from mailer.content.variables import author_environment

MONDAY = date(2026, 12, 7)


def story(title: str, summary: str = "", link: str = "https://reading.example/1") -> FeedItem:
    return FeedItem("f", title, link, summary, datetime(2026, 12, 6, 23, 30, tzinfo=UTC))


def occasion(*items: FeedItem) -> Occasion:
    return Occasion(MONDAY, 3, Feed("Letters", "https://reading.example/", items), items, "Europe/Berlin")


def filled(text: str, *items: FeedItem) -> str:
    faults: list[tuple[int, str, str]] = []
    done = fill_in(text, occasion(*items), "en", lambda *fault: faults.append(fault))
    assert faults == []
    return done


def as_sent(text: str) -> str:
    """What is left of it for a reader called Ada, as far as Jinja2 is concerned."""
    return author_environment(autoescape=False).from_string(text).render({"first_name": "Ada"})


def faults_of(text: str, of: Occasion) -> list[str]:
    told: list[str] = []
    fill_in(text, of, "en", lambda line, what, _: told.append(f"{line}: {what}"))
    return told


def test_what_is_about_the_series_is_filled_in_and_what_is_about_the_reader_stays() -> None:
    text = filled("Number {{ series.number }} of {{ series.date }}: {{ first_name }}{# note #}")
    assert "{{ first_name }}{# note #}" in text
    assert as_sent(text) == "Number 3 of Monday, December 7, 2026: Ada"


def test_the_loop_writes_its_part_once_for_each_item() -> None:
    text = "{% for item in items %}* {{ item.title }} ({{ item.published }})\n{% endfor %}"
    done = as_sent(filled(text, story("One"), story("Two")))
    # 23:30 UTC on the 6th is the 7th in the series' zone.
    assert done == "* One (Monday, December 7, 2026)\n* Two (Monday, December 7, 2026)\n"


def test_an_if_about_the_feed_is_decided_and_one_about_the_reader_stays() -> None:
    text = "{% if feed.new > 1 %}many{% else %}one{% endif %} {% if first_name %}Hi{% endif %}"
    assert filled(text, story("One")) == "one {% if first_name %}Hi{% endif %}"
    loop = "{% for item in items %}{% if item.summary %}{{ item.summary }}{% endif %};{% endfor %}"
    assert filled(loop, story("One", "Words"), story("Two")) == "Words;;"


@pytest.mark.parametrize(
    "evil",
    [
        "{{ email }}",
        "{% if x %}{% endif %}{% raw %}",
        '" }}{{ 7 * 7 }}{{ "',
        "\\x7b\\x7b email }}",
        "{# gone #}",
        "}} }} }} }} }} }} }} }} }} }} }} }} {{",
        "<b>bold</b> & <script>",
        "# a title",
        "1. a list",
        "![x](https://evil.example/pixel.png)",
        "[link](javascript:alert(1))",
        "`code` *stars* _lines_ ~~gone~~",
        "::: button https://evil.example Click",
        "```mjml",
    ],
)
def test_nothing_that_a_feed_says_is_read_as_a_tag_or_as_markup(evil: str) -> None:
    done = filled("{{ item.title }}".join(["{% for item in items %}", "{% endfor %}"]), story(evil))
    assert as_sent(done) == evil
    in_the_open = STRINGS.sub("", done)
    assert all(HARMLESS.fullmatch(word) for word in in_the_open.split())


def test_plain_words_stay_in_the_open_so_that_lines_can_be_broken() -> None:
    assert filled("{{ feed.first }}", story("A quiet, slow week: it's 2026.")) == (
        'A quiet, slow week: {{ "it\\x27s 2026\\x2e" }}'
    )


def test_a_link_is_an_address_behind_a_bracket_and_text_elsewhere() -> None:
    loop = "{{% for item in items %}}{}{{% endfor %}}"
    one = story("One", link="https://reading.example/a?b=1&c=2")
    assert filled(loop.format("[x]({{ item.link }})"), one) == "[x](https://reading.example/a?b=1&amp;c=2)"
    assert (
        filled(loop.format('href="{{ item.link }}"'), one) == 'href="https://reading.example/a?b=1&amp;c=2"'
    )
    assert as_sent(filled(loop.format("See {{ item.link }}"), one)) == f"See {one.link}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a\n{% for x in items %}{% endfor %}", "1: `{% for x in items %}` is not on offer."),
        ("{% for item in items %}", "0: `{% for … %}` is not closed."),
        ("{% endfor %}", "0: `{% endfor %}` closes no loop."),
        ("{{ item.title }}", "0: There is no variable `item.title`."),
        ("{% for item in items %}{{ item.author }}{% endfor %}", "0: There is no variable `item.author`."),
        ("{% for item in items %}{% else %}{% endfor %}", "0: `{% else %}` has no if inside the loop."),
        ("{% if first_name %}{% for item in items %}{% endfor %}{% endif %}", "0: The loop stands inside"),
        ("{{ feed.title ~ email }}", "0: `{{ feed.title ~ email }}` asks about the reader and the series"),
        ("{{ feed.title.__class__ }}", "0: There is no variable `feed.title.__class__`."),
        ("{% if first_name %}{% elif feed.new %}{% endif %}", "0: An `elif` asks about the feed"),
    ],
)
def test_a_mistake_in_the_tags_is_told_with_its_line(text: str, fault: str) -> None:
    assert faults_of(text, occasion(story("One")))[0].startswith(fault)


def test_without_a_feed_there_are_no_items() -> None:
    without = Occasion(MONDAY, 1)
    assert faults_of("{{ feed.title }}", without) == ["0: The series has no feed."]
    assert faults_of("{% for item in items %}{% endfor %}", without) == [
        "0: The series has no feed, so it has no items."
    ]


def test_what_was_filled_in_is_not_made_again_for_each_reader() -> None:
    said = '{{ "it\\x27s \\x3cb\\x3e" }} {{ first_name }} {{ "\\x7b\\x7b" }}'
    done = baked(CompiledMessage("en", said, "", said, said))
    assert done.text == done.subject == 'it\'s <b> {{ first_name }} {{ "\\x7b\\x7b" }}'
    assert done.html == 'it&#39;s &lt;b&gt; {{ first_name }} {{ "\\x7b\\x7b" }}'


def test_a_subject_is_shown_in_plain_words() -> None:
    assert in_words(filled("{{ feed.first }} for {{ first_name }}", story("It's {{ new }}"))) == (
        "It's {{ new }} for {{ first_name }}"
    )
