"""Nothing of a guide disappears: each line is in a step, in course.toml, or named as left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.content.guide import ImportReport, import_guide
from mailer.errors import Refused
from tests.support.guides.samples import ENDINGS, SHARED, SLEEP, everything_in, sleep_guide, words, write

GUIDES = [
    pytest.param(SLEEP, id="our own guide"),
    pytest.param(
        SHARED,
        id="the shared guide",
        marks=pytest.mark.skipif(not SHARED.is_file(), reason="the shared guide is not on this machine"),
    ),
]


def lost_lines(guide: Path, report: ImportReport) -> list[str]:
    """The guide's lines that are neither in a step, nor in course.toml, nor named with their number."""
    made = everything_in(report).values()
    named = {(note.line, words(note.text)) for note in report.left_out}
    lost = []
    for number, line in enumerate(guide.read_text(encoding="utf-8").split("\n"), start=1):
        bare = words(re.sub(r"^\d\. ", "", line.strip()))
        if line.strip() and (number, words(line)) not in named and not any(bare in text for text in made):
            lost.append(f"{number}: {line}")
    return lost


@pytest.mark.parametrize("guide", GUIDES)
def test_every_line_is_accounted_for(tmp_path: Path, guide: Path) -> None:
    report = import_guide(guide, tmp_path / "course")
    assert lost_lines(guide, report) == []
    assert not [note for note in report.left_out if "could not be placed" in note.why]


@pytest.mark.parametrize("guide", GUIDES)
def test_a_sentence_is_in_one_step_unless_it_belongs_to_several_weeks(tmp_path: Path, guide: Path) -> None:
    made = everything_in(import_guide(guide, tmp_path / "course"))
    steps = [text for key, text in made.items() if key != "course.toml"]
    for line in guide.read_text(encoding="utf-8").split("\n"):
        if line.rstrip().endswith(".") and len(line.split()) > 5:
            count = sum(words(line) in text for text in steps)
            expected = 0 if line.startswith("Disclaimer") else 1
            expected = 2 if line.startswith("Week") else 4 if line.startswith("Daily focus") else expected
            assert count == expected, line


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_kind_of_file_has_text_that_could_not_be_placed(tmp_path: Path, ending: str) -> None:
    report = import_guide(sleep_guide(ending, tmp_path), tmp_path / "course")
    assert not [str(note) for note in report.left_out if "could not be placed" in note.why]


def test_what_no_reader_understood_is_still_named(tmp_path: Path) -> None:
    guide = write(
        tmp_path,
        "# A\n\n## B\n\nText.\n\n[^1]: x\n\n<div><svg><text>Odd words</text></svg></div>\n\n## C\n\nText.\n",
        "g.md",
    )
    report = import_guide(guide, tmp_path / "course")
    assert [(note.line, note.text) for note in report.left_out if "could not be placed" in note.why] == [
        (9, "<div><svg><text>Odd words</text></svg></div>")
    ]


CHARACTERS = "ab Z.,:;?!*_#`~>|<&{}[]()\\\"'+=-%•–×1 2é\u00a0\u200b\u202f“”/@"
PHRASES = [
    *("Week 1–2: walk, read and sleep.", "Weeks 3 and 4", "Week 5: Rest", "Days 8–14:", "Daily focus: water"),
    *(
        "Every day:",
        "Frequently Asked Questions",
        "Is it true?",
        "It is.",
        "Q: Why?",
        "A: So.",
        "Disclaimer: none.",
    ),
    *(
        "Disclaimer",
        "A Heading",
        "Another One",
        "A 4-Week Plan",
        "Read More →",
        "Related Articles",
        "×",
        "• a point",
    ),
    *(
        "  ◦ below it",
        "1. first",
        "2) second",
        "a | b",
        "c | d",
        "“A whole sentence in marks.”",
        "— Ben",
        "=====",
    ),
    *("This text is long enough to be a paragraph, and it goes on for a while so that it counts.", "- dash"),
]
LINES = st.one_of(st.text(CHARACTERS, min_size=1, max_size=40), st.sampled_from(PHRASES))
ENDS = st.sampled_from(["\n", "\n\n", "\n\n", "\n  - ", "\n\n1. "])


@settings(max_examples=120, deadline=None)
@given(lines=st.lists(st.tuples(LINES, ENDS), max_size=14))
def test_any_lines_at_all_are_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    middle = "".join(line + end for line, end in lines)
    guide = write(folder, f"A Title\n\nFirst\n\nSome text here.\n\n{middle}\n\nLast\n\nThe end of it.\n")
    try:
        report = import_guide(guide, folder / "course", days=60)
    except Refused:
        return  # what follows "Related Articles" is left out, and then a single section is no guide
    texts = [*everything_in(report).values(), *(words(note.text) for note in report.left_out)]
    for line in guide.read_text(encoding="utf-8").split("\n"):
        bare = re.sub(r"^\W*(?:\d{1,2}|[QA])[.):]\s+", "", line.replace("\u200b", ""))
        # A week's label and what it says may be parted by the plan's heading; nothing else is parted.
        parts = re.split(r"(?<=\d): |(?<=\d\d): ", bare) if re.match(r"\W*(Week|Days)", bare) else [bare]
        for part in parts:
            assert any(words(part) in text for text in texts), line
    assert not [str(note) for note in report.left_out if "could not be placed" in note.why]
