"""Questions and answers become one mail, in whatever form they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.guide import ImportReport, import_guide
from tests.support.guides.samples import body_of, write

TWO = (
    "::: question Can I nap?\nYes, briefly.\n:::\n\n"
    "::: question When is it too late?\nAfter four, as a rule.\n:::\n"
)


def course(tmp_path: Path, faq: str, name: str) -> ImportReport:
    if name.endswith(".md"):
        before, after = "# Sleep\n\n## Why\n\nBecause you must.\n\n", "\n\n## The End\n\nGood night to you.\n"
    elif name.endswith(".html"):
        before = "<h1>Sleep</h1><h2>Why</h2><p>Because you must.</p>"
        after = "<h2>The End</h2><p>Good night to you.</p>"
    else:
        before, after = "Sleep\n\nWhy\n\nBecause you must.\n\n", "\n\nThe End\n\nGood night to you.\n"
    return import_guide(write(tmp_path, before + faq + after, name), tmp_path / "course")


@pytest.mark.parametrize(
    ("name", "faq"),
    [
        ("a.txt", "FAQ\n\nCan I nap?\nYes, briefly.\n\nWhen is it too late?\nAfter four, as a rule."),
        ("b.txt", "FAQ\n\nCan I nap?\n\nYes, briefly.\n\nWhen is it too late?\n\nAfter four, as a rule."),
        (
            "c.txt",
            "FAQs\n\nQ: Can I nap?\nA: Yes, briefly.\nQ: When is it too late?\nA: After four, as a rule.",
        ),
        ("d.txt", "Q&A\n\n1. Can I nap?\nYes, briefly.\n\n2. When is it too late?\nAfter four, as a rule."),
        (
            "e.md",
            "## FAQ\n\n### Can I nap?\n\nYes, briefly.\n\n### When is it too late?\n\nAfter four, as a rule.",
        ),
        (
            "f.md",
            "## FAQ\n\n**Can I nap?**\nYes, briefly.\n\n**When is it too late?** After four, as a rule.",
        ),
        ("g.md", "## FAQ\n\nCan I nap?\nYes, briefly.\n\nWhen is it too late?\nAfter four, as a rule."),
        (
            "h.md",
            "## FAQ\n\n## Can I nap?\n\nYes, briefly.\n\n## When is it too late?\n\nAfter four, as a rule.",
        ),
        (
            "i.md",
            "## FAQ\n\n1. **Can I nap?**\n   Yes, briefly.\n"
            "2. When is it too late?\n\n   After four, as a rule.",
        ),
        (
            "j.md",
            "## Questions & Answers\n\nCan I nap? Yes, briefly.\n\n"
            "When is it too late? After four, as a rule.",
        ),
        ("k.md", "## FAQ\n\n- Can I nap?\n  - Yes, briefly.\n"),
        (
            "l.html",
            "<h2>FAQ</h2><dl><dt>Can I nap?</dt><dd>Yes, briefly.</dd>"
            "<dt>When is it too late?</dt><dd>After four, as a rule.</dd></dl>",
        ),
        (
            "m.html",
            "<h2>FAQ</h2><p><b>Can I nap?</b><br>Yes, briefly.</p>"
            "<details><summary>When is it too late?</summary>After four, as a rule.</details>",
        ),
    ],
)
def test_two_questions_in_one_mail(tmp_path: Path, name: str, faq: str) -> None:
    report = course(tmp_path, faq, name)
    assert len(report.steps) == 3
    body = body_of(report, report.steps[1].key)
    expected = TWO if name != "k.md" else "::: question Can I nap?\n- Yes, briefly.\n:::\n"
    assert body.partition("\n\n")[2] == expected
    assert report.doubtful == ()


def test_an_answer_may_have_a_list_and_the_section_an_introduction(tmp_path: Path) -> None:
    faq = "FAQ\n\nPeople ask me these.\n\nWhat helps?\nThis:\n• darkness\n• quiet\n\nIs that all?\nIt is."
    body = body_of(course(tmp_path, faq, "a.txt"), "faq")
    assert body.startswith(
        "# FAQ\n\nPeople ask me these.\n\n::: question What helps?\nThis:\n\n- darkness\n- quiet\n:::"
    )


def test_a_question_without_an_answer_is_named(tmp_path: Path) -> None:
    report = course(tmp_path, "## FAQ\n\n### Can I nap?\n\nYes.\n\n### And then?\n", "a.md")
    assert [(note.line, note.text) for note in report.doubtful] == [(13, "And then?")]
    assert "**And then?**" in body_of(report, "faq")


def test_a_section_that_only_sounds_like_questions_stays_a_lesson(tmp_path: Path) -> None:
    report = course(tmp_path, "## Common questions\n\nThere are none.\n", "a.md")
    assert body_of(report, "common-questions") == "# Common questions\n\nThere are none.\n"
    assert [note.why for note in report.doubtful] == ["no questions were found in this section"]
