"""Whatever characters stand in a guide, the Markdown made of it shows exactly them."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mailer.content.course_folder import read_course
from mailer.content.expressions import find_tags
from mailer.content.guide import import_guide
from mailer.content.guide.markdown_text import blocks_as_markdown, can_link, heading, inline
from mailer.content.guide.model import Bullets, Item, Paragraph, Run, Table, Text, text_of
from mailer.content.guide.steps import literal, preheader_of
from tests.support.guides.samples import body_of, write

ODD = "a b.1)*_#`~>|<&;{}%[]()!\\\"'+=-:x\n /@$^é"
RUNS = st.builds(
    Run,
    st.text(ODD, min_size=1, max_size=12),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "", "", "https://example.org/a_(b)?q={{x}}&amp;c=*"]),
)


def shown(markdown: str) -> str:
    """What a reader sees, on one line."""
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page.replace("<br />", " "))).split())


def bare(text: Text) -> str:
    return " ".join("".join(run.text for run in text).split())


@settings(max_examples=400)
@given(st.lists(RUNS, min_size=1, max_size=4))
def test_a_paragraph_shows_its_words_and_opens_no_tag(runs: list[Run]) -> None:
    text = tuple(runs)
    written = inline(text)
    assert shown(written) == bare(text)
    assert list(find_tags(written)) == []
    assert not re.search(r"^:::", written, re.MULTILINE)


@settings(max_examples=200)
@given(st.text(ODD, min_size=1, max_size=20))
def test_headings_points_and_cells_show_their_words(odd: str) -> None:
    text = text_of(odd)
    assert shown(f"# {heading(text)}") == bare(text)
    item = Item(text, 1, (Bullets((Item(text, 1),), 1),))
    assert shown(blocks_as_markdown([Bullets((item,), 1)])).split() == (bare(text) + " " + bare(text)).split()
    table = Table(((text_of("a"), text_of("b")), (text, text_of("c"))), 1)
    assert shown(blocks_as_markdown([table])).split() == f"a b {bare(text)} c".split()


def test_bold_italics_links_and_line_breaks() -> None:
    text = (
        Run("Sleep "),
        Run("well ", is_bold=True),
        Run("and", is_italic=True),
        Run(" long", href="https://example.org/a"),
        Run("\nor not"),
    )
    assert inline(text) == "Sleep **well** *and* [long](https://example.org/a)\\\nor not"


def test_bold_inside_a_word_that_markdown_cannot_write_becomes_plain() -> None:
    assert inline((Run("a"), Run("(b)", is_bold=True), Run("c"))) == "a(b)c"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("Hello {{ first_name }}", "Hello &#123;{ first_name }}"),
        ("{% if %} {# no #}", "&#123;% if %} &#123;# no #}"),
        ("1. not a list", "1\\. not a list"),
        ("# not a heading", "\\# not a heading"),
        ("- not a point", "\\- not a point"),
        ("::: not a block", "\\::: not a block"),
        ("2 * 3 * 4 and snake_case", "2 \\* 3 \\* 4 and snake_case"),
        ("AT&T and &amp;", "AT&T and \\&amp;"),
    ],
)
def test_what_is_escaped(words: str, written: str) -> None:
    assert inline(text_of(words)) == written


@pytest.mark.parametrize(
    ("href", "can"),
    [
        ("https://example.org", True),
        ("mailto:ada@example.org", True),
        ("tel:+351", True),
        ("/about", False),
        ("#top", False),
        ("page.html", False),
        ("javascript:alert(1)", False),
        ("http://[", False),
    ],
)
def test_which_links_lead_somewhere_from_a_mail(href: str, can: bool) -> None:
    assert can_link(href) is can


def test_braces_in_a_subject_are_written_for_jinja_as_there_is_no_markdown() -> None:
    assert literal("Write {{ name }}") == 'Write {{ "{{" }} name }}'


def test_a_guide_about_templates_survives(tmp_path: Path) -> None:
    guide = "# Templates {{ x }}\n\n## Use {{ name }}: or #1\n\n`{{ code }}` is shown.\n\n"
    guide += "    {{ block }}\n\n## Two\n\nText.\n"
    report = import_guide(write(tmp_path, guide, "g.md"), tmp_path / "course")
    assert body_of(report, "use-name-or-1") == (
        "# Use &#123;{ name }}: or #1\n\n&#123;{ code }} is shown.\n\n&#123;{ block }}\n"
    )
    course, _ = read_course(report.folder)
    assert course is not None
    assert course.title == "Templates {{ x }}"
    assert course.steps[0].subject == 'Use {{ "{{" }} name }}: or #1'


@pytest.mark.parametrize(
    ("sentences", "subject", "preheader"),
    [
        ("Night work is hard. It is.", "Nights", "Night work is hard."),
        ("Nights! They are long.", "Nights", "They are long."),
        ("Nights", "Nights", ""),
        ("See dr. Ada at 8.30 p.m. on Monday.", "Nights", "See dr. Ada at 8.30 p.m. on Monday."),
    ],
)
def test_the_preheader_is_the_first_sentence_that_does_not_repeat_the_subject(
    sentences: str, subject: str, preheader: str
) -> None:
    assert preheader_of([Paragraph(text_of(sentences), 1)], subject) == preheader


def test_a_long_preheader_is_cut_at_a_word() -> None:
    preheader = preheader_of([Paragraph(text_of("word " * 40 + "end."), 1)], "Nights")
    # 22 words of 4 letters with 21 spaces between them are 109 characters; one more would be 114.
    assert preheader == " ".join(["word"] * 22) + "…"
