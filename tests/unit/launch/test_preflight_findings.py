"""What the preflight finds in one mail, each with the smallest mail that has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailer.content.course_source import Problem
from mailer.launch.ahead import ahead
from mailer.launch.contrast import faint_texts, ratio
from mailer.launch.mailing import Draft
from mailer.launch.rendered import findings_of_mail, findings_of_text, read_page, subject_findings
from mailer.render.personalize import Rendered, Templates

LEAVE = "https://news.example.org/m/x/unsubscribe"
HTML = f'<h1>Rest</h1><p><a href="{LEAVE}">Unsubscribe</a></p>'
TEXT = f"REST\n====\n\nUnsubscribe: {LEAVE}"


def _draft(body: str = "") -> Draft:
    return Draft("01.md", "en", Templates("", "", ""), body, 8, lesson=(2, 5), week=(1, 4), day=(3, 30))


def _found(html: str = HTML, text: str = TEXT) -> list[Problem]:
    page = read_page(Rendered("Rest", html, text))
    return list(findings_of_mail(_draft(), page, LEAVE, "Ada"))


def test_a_mail_that_is_in_order_has_no_findings() -> None:
    assert _found() == []


@pytest.mark.parametrize(
    ("html", "text", "what", "is_warning"),
    [
        (HTML + "x" * 61_000, TEXT, "more than 60 kB", True),
        (HTML + "x" * 103_000, TEXT, "Gmail cuts it off", False),
        ("<h1>Rest</h1>", TEXT, "The HTML of the mail has no link to unsubscribe", False),
        (HTML + '<img src="https://a.example/b.png">', TEXT, "no alternative text", False),
        (HTML + '<a href="https://a.example/b">b</a>', TEXT, "lacks the link https://a.example/b", True),
        (HTML + "<h2>Why sleep</h2>", TEXT, "lacks the heading “Why sleep”", True),
    ],
)
def test_what_is_found_in_a_rendered_mail(html: str, text: str, what: str, is_warning: bool) -> None:
    (problem,) = _found(html, text)
    assert what in problem.what
    assert problem.is_warning == is_warning


def test_a_text_part_without_the_unsubscribe_link_is_an_error() -> None:
    errors = [problem.what for problem in _found(text="Rest") if not problem.is_warning]
    assert errors == ["The text of the mail has no link to unsubscribe."]


@pytest.mark.parametrize(
    ("subject", "count"),
    [("Rest well", 0), ("", 1), ("x" * 70, 0), ("x" * 71, 1), (", rest well", 1), ("Dear None", 1)],
)
def test_subjects(subject: str, count: int) -> None:
    assert len(list(subject_findings(_draft(), subject, "Ada", may_be_long=False))) == count


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("As we saw in lesson 1, rest helps.", 0),
        ("As we saw in lesson 4, rest helps.", 1),
        ("In lesson 4 you may read more.", 0),
        ("In lesson 9 you may read more.", 1),  # there are five
        ("Wie in Woche 3? Was Sie gelernt haben in Woche 3, hilft.", 1),
    ],
)
def test_what_a_reader_cannot_know_yet(sentence: str, count: int) -> None:
    found = list(findings_of_text(_draft(f"# Rest\n\n{sentence}")))
    assert [problem.line for problem in found] == [10] * count  # the text begins on line 8


@pytest.mark.parametrize(
    ("link", "count"),
    [
        ('<a href="https://calm.example/my-course/zinc">zinc</a>', 1),  # the key of a lesson of day 9
        ('<a href="https://calm.example/my-course/06-zinc.html">zinc</a>', 1),  # and its file
        ('<a href="https://my-course.example/zinc">zinc</a>', 1),
        ('<a href="{{ base_url }}/my-course#zinc">zinc</a>', 1),
        ('<a href="https://encyclopedia.example/zinc">zinc</a>', 0),  # somebody else's page
        ('<a href="https://calm.example/letters/how-to-rest">rest</a>', 1),  # no page is called so by chance
        ('<a href="https://calm.example/p/7">What zinc <b>may</b> do</a>', 1),  # its title
        ('<a href="https://calm.example/p/7">Read lesson 4</a>', 1),
        ('<a href="https://calm.example/p/7">Read lesson 1</a>', 0),
        ('<a href="https://calm.example/my-course/hello">hello</a>', 0),  # had on day 1
    ],
)
def test_links_to_what_comes_later_in_the_course(link: str, count: int) -> None:
    later = (
        ahead(9, "zinc", "06-zinc", ["A mineral", "What zinc may do"]),
        ahead(12, "how-to-rest", "07-how-to-rest"),
    )
    draft = replace(_draft(), templates=Templates("", link, ""), course="my-course", ahead=later)
    assert len(list(findings_of_text(draft))) == count


def test_contrast_is_that_of_wcag() -> None:
    assert ratio((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    # #777777 on white is the well-known 4.48 that just fails.
    assert ratio((0x77, 0x77, 0x77), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


def test_faint_colours_are_told_with_their_line() -> None:
    faint = '<mj-text color="#777">x</mj-text>'
    large = '<mj-text color="#777" font-size="24px">x</mj-text>'
    block = f"# A\n\n```mjml\n{faint}\n{large}\n```\n"
    assert [line for line, _, _ in faint_texts(block)] == [3]


def test_a_whole_mail_in_mjml_is_looked_at_with_what_is_behind_each_part() -> None:
    document = """\
<mjml>
  <mj-body background-color="#ffffff">
    <mj-section background-color="#222222">
      <mj-column>
        <mj-text color="#eeeeee">{% if 1 < 2 %}Light on dark{% endif %}</mj-text>
        <mj-text>{{ greeting }}</mj-text>
        <mj-button href="https://a.example">Light on dark by itself</mj-button>
        <mj-button href="https://a.example" background-color="#eeeeee">Light on light</mj-button>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""
    # Lines from 0: black, as text is by itself, on #222222; and white, as a button's is, on #eeeeee.
    assert [line for line, _, _ in faint_texts(document)] == [5, 7]
