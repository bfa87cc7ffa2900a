"""Numbered headings are lessons without their numbers; numbered lists stay lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.course_folder import StepKind
from mailer.content.guide import ImportReport, import_guide
from tests.support.guides.samples import body_of, everything_in, words, write

TITLES = [
    *("Introduction", "Why we sleep", "The body clock", "Caffeine and alcohol", "A dark room", "Naps"),
    *("Shift work", "A Four-Week Plan", "Frequently Asked Questions", "Conclusion"),
]
KEYS = [
    *("introduction", "why-we-sleep", "the-body-clock", "caffeine-and-alcohol", "a-dark-room", "naps"),
    *("shift-work", "frequently-asked-questions", "conclusion"),
]
WEEKS = ["week-1", "week-2", "week-3", "week-4"]
TEXTS = {
    "Why we sleep": "Sleep repairs:\n\n- muscles\n- memory",
    "The body clock": "Three things set it:\n\n1. Light\n\n2. Meals\n\n3. Movement\n\nLight is strongest.",
    "A dark room": "Do this:\n\n1. Hang a curtain\n2. Cover the lamps",
    "A Four-Week Plan": "\n\n".join(f"Week {week}:\n\n- Sleep well {week}\n- Rest" for week in (1, 2, 3, 4)),
    "Frequently Asked Questions": "1. Is it hard?\n\nNo, it is not.\n\n2. Is it long?\n\nFour weeks.",
}


def numbered_guide(number: str, mark: str = "") -> str:
    """A guide with these headings; `number` is a format such as "Chapter {}: "."""
    sections = [
        f"{mark}{number.format(at)}{title}\n\n{TEXTS.get(title, f'This is what to know, part {at}.')}\n"
        for at, title in enumerate(TITLES, start=1)
    ]
    return "\n".join([f"{mark[1:]}Better Sleep\n", *sections])


def lessons_of(report: ImportReport) -> list[str]:
    return [step.key for step in report.steps if step.kind is StepKind.LESSON]


NUMBERS = ["{}. ", "{}) ", "Chapter {}: ", "Section {} - ", "Chapter {} "]


@pytest.mark.parametrize(("ending", "mark"), [("txt", ""), ("md", "## ")])
@pytest.mark.parametrize("number", NUMBERS)
def test_numbered_sections_are_a_lesson_each_and_lose_their_numbers(
    tmp_path: Path, number: str, ending: str, mark: str
) -> None:
    guide = write(tmp_path, numbered_guide(number, mark), f"g.{ending}")
    report = import_guide(guide, tmp_path / "course")
    assert lessons_of(report) == KEYS
    assert [step.key for step in report.steps if step.kind is StepKind.PROTOCOL] == WEEKS
    assert body_of(report, "caffeine-and-alcohol").startswith("# Caffeine and alcohol\n")
    assert "Conclusion" not in body_of(report, "week-4")
    assert "1. Light\n2. Meals\n3. Movement" in body_of(report, "the-body-clock")
    assert body_of(report, "frequently-asked-questions").count("::: question Is it") == 2
    assert not [str(note) for note in report.left_out if "could not be placed" in note.why]


def test_a_section_put_in_between_changes_no_other_key(tmp_path: Path) -> None:
    before = "# A\n\n## 1. Light\n\nText.\n\n## 2. Food\n\nText.\n"
    after = "# A\n\n## 1. Light\n\nText.\n\n## 2. Naps\n\nText.\n\n## 3. Food\n\nText.\n"
    first = import_guide(write(tmp_path, before, "g.md"), tmp_path / "first")
    second = import_guide(write(tmp_path, after, "g.md"), tmp_path / "second")
    assert lessons_of(first) == ["light", "food"]
    assert lessons_of(second) == ["light", "naps", "food"]


@pytest.mark.parametrize("number", ["1.1 ", "1.1. "])
def test_numbers_of_two_parts_go_too(tmp_path: Path, number: str) -> None:
    text = f"# A\n\n## {number}Light\n\nText.\n\n## {number.replace('1.1', '1.2')}Food\n\nText.\n"
    report = import_guide(write(tmp_path, text, "g.md"), tmp_path / "course")
    assert lessons_of(report) == ["light", "food"]
    assert report.left_out == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [("7 Habits", "8 Hours"), ("2. Woche", "3. Woche"), ("5. One only", "None"), ("9", "10")],
)
def test_a_number_that_is_part_of_the_name_stays(tmp_path: Path, first: str, second: str) -> None:
    guide = write(tmp_path, f"# A\n\n## {first}\n\nText.\n\n## {second}\n\nText.\n", "g.md")
    assert [step.subject for step in import_guide(guide, tmp_path / "course").steps] == [first, second]


def test_the_lines_of_a_list_with_blank_lines_between_are_no_lessons(tmp_path: Path) -> None:
    text = "A\n\nLight\n\nText here.\n\n1. Eat\n\n2. Drink\n\n3. Rest\n\nThat is all.\n\nFood\n\nText.\n"
    report = import_guide(write(tmp_path, text), tmp_path / "course")
    assert lessons_of(report) == ["light", "food"]
    assert "1. Eat\n2. Drink\n3. Rest" in body_of(report, "light")


def test_every_numbered_heading_is_in_a_mail(tmp_path: Path) -> None:
    guide = write(tmp_path, numbered_guide("{}. "))
    report = import_guide(guide, tmp_path / "course")
    made = everything_in(report).values()
    for title in TITLES:
        assert any(words(title) in text for text in made), title
