"""The HTML part: what every mail program and every reader can rely on."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mailer.content.compile import Progress
from mailer.content.course_folder import StepKind
from tests.support.mails import EVERY_BLOCK, POSITION, Write


class Elements(HTMLParser):
    """(tag, attributes) of every element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_a_mail_has_its_language_one_h1_and_a_title(write: Write) -> None:
    elements = Elements(write(EVERY_BLOCK, language="de-AT").html())
    assert elements.named("html")[0]["lang"] == "de-AT"
    assert elements.named("html")[0]["dir"] == "ltr"
    assert len(elements.named("h1")) == 1
    assert len(elements.named("title")) == 1


def test_nothing_is_fetched_but_the_courses_own_pictures(write: Write) -> None:
    html = write(EVERY_BLOCK).html()
    assert Elements(html).named("link") == []
    assert "@import" not in html
    assert "@font-face" not in html
    assert "url(" not in html
    assert re.findall(r'src="([^"]*)"', html) == []


def test_layout_tables_are_said_to_be_for_layout_and_data_tables_are_not(write: Write) -> None:
    tables = Elements(write(EVERY_BLOCK).html()).named("table")
    by_role = [(table.get("class"), table.get("role")) for table in tables]
    assert ("data", None) in by_role
    assert {role for css_class, role in by_role if css_class != "data"} == {"presentation"}


def test_styles_are_inlined_and_media_queries_stay(write: Write) -> None:
    html = write(EVERY_BLOCK).html()
    assert re.search(r'<h1 style="[^"]*font-family:Georgia', html)
    assert "@media (prefers-color-scheme: dark)" in html
    assert "data-css-inline" not in html
    assert '<meta name="color-scheme" content="light dark">' in html


def test_outlook_keeps_its_tables(write: Write) -> None:
    """Word draws Outlook's mails and knows no max-width: MJML gives it tables in conditional comments."""
    html = write(EVERY_BLOCK).html()
    assert html.count("<!--[if mso | IE]>") >= 6
    assert '<!--[if mso | IE]><table border="0" cellpadding="0" cellspacing="0" role="presentation"' in html
    assert html.count("<![endif]-->") == html.count("<!--[if")


def test_a_button_is_a_table_cell_with_a_link(write: Write) -> None:
    html = write(EVERY_BLOCK).html()
    assert re.search(r'<td[^>]*bgcolor="#2f6b5e"[^>]*><a href="https://a.example/x\?b=1&amp;c=2"', html)


@pytest.mark.parametrize("language", ["ar", "fa", "he", "ur", "ar-EG"])
def test_right_to_left_is_mirrored(write: Write, language: str) -> None:
    html = write(EVERY_BLOCK, language=language).html()
    assert Elements(html).named("html")[0]["dir"] == "rtl"
    assert "border-right:4px solid" in html  # the action card's mark stands where lines begin
    assert "border-left:4px" not in html
    assert "text-align:left;color" not in html


def test_a_step_says_how_far_the_reader_is(write: Write) -> None:
    lesson = write("Text").html()
    assert "Lesson 5 of 18 · day 9 of 30" in lesson
    assert (lesson.count('class="dot-on"'), lesson.count('class="dot"')) == (5, 13)
    protocol = write("Text", kind=StepKind.PROTOCOL).html()
    assert "Week 2 of 4 · day 9 of 30" in protocol
    assert (protocol.count('class="bar-on"'), protocol.count('class="bar"')) == (2, 2)
    assert "Check-in · day 9 of 30" in write("Text", kind=StepKind.CHECK_IN).html()


@pytest.mark.parametrize(
    ("lesson", "lessons", "filled", "drawn"),
    [
        (1, 1, 1, 1),
        (1, 60, 1, 20),  # a third of a dot is rounded up
        (30, 60, 10, 20),
        (59, 60, 19, 20),  # the last dot waits for the last lesson
        (60, 60, 20, 20),
    ],
)
def test_a_long_course_still_fits_a_phone(
    write: Write, lesson: int, lessons: int, filled: int, drawn: int
) -> None:
    position = replace(POSITION, lesson=lesson, lessons=lessons)
    html = write("Text", position=position).html()
    assert (html.count('class="dot-on"'), html.count('class="dot')) == (filled, drawn + drawn - 1)


def test_a_protocol_step_without_a_week_counts_days(write: Write) -> None:
    position = Progress(lesson=1, lessons=1, day=3, days=10, week=None, weeks=0)
    html = write("Text", kind=StepKind.PROTOCOL, position=position).html()
    assert "Day 3 of 10" in html
    assert (html.count('class="bar-on"'), html.count('class="bar"')) == (3, 7)


def test_the_foot_says_who_why_and_how_to_leave(write: Write) -> None:
    html = write("Text").html()
    for words in (
        "No medical advice.",
        "You receive this because you asked for “Evening walks”.",
        "3 Garden Row",
    ):
        assert words in html
    links = {link["href"] for link in Elements(html).named("a")}
    assert links == {
        "https://mail.example.org/m/sample",
        "https://mail.example.org/m/sample/manage",
        "https://mail.example.org/m/sample/pace",
        "https://mail.example.org/m/sample/unsubscribe",
    }


def test_the_foot_speaks_the_courses_language(write: Write) -> None:
    written = write(EVERY_BLOCK, language="de")
    for part in (written.html(), written.text()):
        assert "Lektion 5 von 18 · Tag 9 von 30" in part
        assert "Checkliste für diese Woche" in part
        assert "Abbestellen" in part
        assert "Unsubscribe" not in part


def test_code_keeps_its_indentation(write: Write) -> None:
    html = write("```\nif walking:\n    smile()\n```").html()
    assert "if walking:\n    smile()" in html


def test_the_preheader_is_there_and_hidden(write: Write) -> None:
    html = write("Text", preheader="A line for the inbox & no more").html()
    assert re.search(r'<div style="display:none;[^"]*">A line for the inbox &amp; no more', html)
