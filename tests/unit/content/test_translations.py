"""A step in several languages: 01-hello.de.md beside 01-hello.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.launch.check import check_course
from tests.support.course_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.course()
    folder.step("01-hello", "day: 1")
    return folder


def test_a_translation_is_compiled_with_the_words_of_its_language(folder: Folder) -> None:
    folder.translation("01-hello.de", 'subject: "Über Ruhe"', "# Ruhe\n\nEin Gedanke.")
    folder.translation("01-hello.ar", 'subject: "هدوء"', "# هدوء\n\nفكرة.")
    compiled, problems = check_course(folder.path)
    assert compiled is not None
    assert problems == []
    ((step, english),) = compiled.steps
    assert [one.language for one in step.translations] == ["ar", "de"]
    arabic, german = (message for _, message in compiled.translations)
    assert (english.language, german.language, arabic.language) == ("en", "de", "ar")
    assert german.subject == "Über Ruhe"
    assert "Lektion 1 von 1" in german.text
    assert "Lesson 1 of 1" in english.text
    assert 'dir="rtl"' in arabic.html
    assert 'dir="rtl"' not in english.html


def test_steps_that_lack_a_language_that_others_have_are_warned_of(folder: Folder) -> None:
    folder.step("02-rest", "day: 2")
    folder.translation("01-hello.de")
    (problem,) = folder.problems()
    assert problem.is_warning
    assert str(problem) == (
        "02-rest.md:1: warning: The step is not translated to German, and others are. "
        "Write 02-rest.de.md; until then its readers get the course's own text."
    )


def test_a_wider_language_covers_a_narrower_one(folder: Folder) -> None:
    folder.step("02-rest", "day: 2")
    folder.translation("01-hello.de-AT")
    folder.translation("02-rest.de")
    # hello still lacks what other Germans read.
    assert folder.wrong() == [("01-hello.md", 1, "The step is not translated to German, and others are.")]


def test_only_the_text_of_a_translation_counts(folder: Folder) -> None:
    folder.translation("01-hello.de", 'key: hello\nsubject: "Worüber"\nday: 3')
    assert folder.wrong() == [
        ("01-hello.de.md", 2, "`key` means nothing in a translation: it is said in the step's own file."),
        ("01-hello.de.md", 4, "`day` means nothing in a translation: it is said in the step's own file."),
    ]
    assert all(problem.is_warning for problem in folder.problems())
    assert folder.path.joinpath("01-hello.de.md").exists()


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("02-rest.de", "There is no step 02-rest.md that this translates."),
        ("01-hello.en", "The course's own language is en, so this translates nothing."),
    ],
)
def test_a_translation_of_nothing(folder: Folder, name: str, what: str) -> None:
    folder.translation(name)
    assert folder.wrong() == [(f"{name}.md", 1, what)]


def test_mistakes_in_a_translation_have_its_own_file_and_line(folder: Folder) -> None:
    folder.translation("01-hello.de", 'preheader: "x"', "# Ruhe\n\n{{ frist_name }}")
    assert [place[:2] for place in folder.wrong()] == [("01-hello.de.md", 1), ("01-hello.de.md", 6)]


def test_a_dot_in_a_name_is_not_always_a_language(folder: Folder) -> None:
    (folder.path / "01-hello.md").rename(folder.path / "01-hello.v2.md")
    assert folder.wrong() == []
