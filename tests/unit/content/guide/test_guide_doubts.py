"""A guide whose structure is lost says so; pages, old line ends and capitals are read as they were meant."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailer.content.guide import import_guide
from tests.support.guides.samples import write

TEXT = "You sleep better in a dark and quiet room, and the clock in you is set by the light that you see. "
WEEK = "A Four-Week Plan\n\nWeek 1:\n\n- Sleep\n- Rest\n"
PORTUGUESE = "O sono é uma necessidade do corpo e da mente, e quem dorme bem vive melhor todos os dias. "


def guide_of(*headings: str, between: str = "\n\n", text: str = TEXT) -> str:
    return between.join(["A Guide to Sleep", *(part for each in headings for part in (each, text.strip()))])


@pytest.mark.parametrize("end", ["\f", "\n\f", "\f\n", "\n\f\n"])
def test_a_new_page_ends_the_paragraph(tmp_path: Path, end: str) -> None:
    guide = write(tmp_path, guide_of("Light", "Food", "Naps", between=end))
    report = import_guide(guide, tmp_path / "course")
    assert [step.key for step in report.steps] == ["light", "food", "naps"]
    assert report.left_out == ()


def test_a_new_page_in_markdown_hides_no_heading(tmp_path: Path) -> None:
    text = "# A\n\n## Light\n\nText.\f## Food\n\nText.\n\n\f## Naps\n\nText.\n"
    report = import_guide(write(tmp_path, text, "g.md"), tmp_path / "course")
    assert [step.key for step in report.steps] == ["light", "food", "naps"]


@pytest.mark.parametrize("ending", ["txt", "md"])
def test_lines_may_end_as_on_old_macs(tmp_path: Path, ending: str) -> None:
    mark = "## " if ending == "md" else ""
    path = tmp_path / f"g.{ending}"
    words = guide_of(*(f"{mark}{each}" for each in ("Light", "Food", "Naps")))
    path.write_bytes(f"{mark[1:]}{words}".replace("\n", "\r").encode())
    report = import_guide(path, tmp_path / "course")
    assert [step.key for step in report.steps] == ["light", "food", "naps"]


def test_a_single_lesson_names_the_lines_that_look_like_headings(tmp_path: Path) -> None:
    words = guide_of("Chapter: Light:", "Chapter: Food:", "Chapter: Naps:")
    report = import_guide(write(tmp_path, f"{words}\n\n{WEEK}"), tmp_path / "course")
    (note,) = report.doubtful
    assert note.why == (
        "this is the only lesson found; if it should be several, make headings of the lines "
        "3 “Chapter: Light:”, 7 “Chapter: Food:”, 11 “Chapter: Naps:”"
    )


def test_a_lesson_longer_than_all_others_together_is_doubtful(tmp_path: Path) -> None:
    long = f"Light\n\n{TEXT * 40}\n\nMore light:\n\n{TEXT * 30}"
    words = f"A Guide to Sleep\n\n{long}\n\nFood\n\n{TEXT}\n\nNaps\n\n{TEXT}\n"
    report = import_guide(write(tmp_path, words), tmp_path / "course")
    # TEXT has 22 words: 70 times with "More light:", of 72 times and these two.
    assert [(note.line, note.text, note.why) for note in report.doubtful] == [
        (
            3,
            "Light",
            "this is 1,542 of the lessons' 1,586 words; if it should be several, "
            "make headings of the lines 7 “More light:”",
        )
    ]


@pytest.mark.parametrize(("text", "count"), [(TEXT, 0), (PORTUGUESE, 1)])
def test_a_guide_that_does_not_read_as_english_is_doubtful(tmp_path: Path, text: str, count: int) -> None:
    guide = write(tmp_path, guide_of("Um", "Dois", text=text * 5))
    report = import_guide(guide, tmp_path / "course")
    assert [note.why for note in report.doubtful] == [
        "the language was taken as en, but this does not read as English; set language in course.toml"
    ] * count


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("THE BODY CLOCK AND THE LIGHT: A GUIDE", "The Body Clock and the Light: A Guide"),
        ("DON’T LOSE SLEEP", "Don’t Lose Sleep"),
        ("ADHD", "ADHD"),
        ("Living with ADHD", "Living with ADHD"),
    ],
)
def test_a_title_in_capitals_is_written_as_titles_are(tmp_path: Path, typed: str, written: str) -> None:
    guide = write(tmp_path, f"# {typed}\n\n## B\n\nText.\n\n## C\n\nText.\n", "g.md")
    import_guide(guide, tmp_path / "course")
    course = tomllib.loads((tmp_path / "course" / "course.toml").read_text(encoding="utf-8"))
    assert course["title"] == written
