"""A course folder, read: what is there, and every mistake in it at once with its file, line and fix."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from mailer.content.course_folder import Problem, StepKind, read_course, read_draft
from mailer.errors import Refused
from mailer.launch.check import check_course

TOML = """\
slug = "calm"
title = "A calm week"
zone = "Europe/London"
days = 7
send_time = "08:00"

[sender]
name = "The Reading Room"
email = "course@steadypost.example"
postal_address = "12 Quiet Lane, Bristol"
"""
STEP = """\
---
key: hello
subject: "About hello"
kind: lesson
day: 1
---
# Hello

One idea.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A course in which nothing is wrong."""
    (tmp_path / "course.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "01-hello.md").write_text(STEP, encoding="utf-8")
    return tmp_path


def problems_of(folder: Path) -> list[Problem]:
    """All that `course check` would name, in its order."""
    return check_course(folder)[1]


def places(folder: Path) -> list[tuple[str, int, str]]:
    return [(problem.path, problem.line, problem.what) for problem in problems_of(folder)]


def edit(path: Path, *changes: tuple[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_a_folder_in_order_has_no_problems_and_sensible_defaults(folder: Path) -> None:
    course, problems = read_course(folder)
    assert problems == []
    assert course is not None
    assert (course.list_slug, course.list_title, course.opt_in) == ("calm", "A calm week", "double")
    assert (course.language, course.subtitle, course.disclaimer) == ("en", "", "")
    (step,) = course.steps
    assert (step.key, step.kind, step.day, step.send_time) == ("hello", StepKind.LESSON, 1, time(8))
    assert step.body.startswith("# Hello")
    assert step.body_line == 7


def test_everything_wrong_is_named_at_once_with_its_line(folder: Path) -> None:
    edit(
        folder / "course.toml",
        ('zone = "Europe/London"', 'zone = "Europe/Bristol"'),
        ("days = 7", 'days = "a week"\nlanguge = "en"'),
        ('postal_address = "12 Quiet Lane, Bristol"', 'postal_adress = "12 Quiet Lane"'),
        ('email = "course@steadypost.example"', 'email = "course at steadypost"'),
    )
    (folder / "02-rest.md").write_text(
        STEP.replace("One idea.", "A <b>bold idea.").replace("kind: lesson", "kind: poem\nmood: good"),
        encoding="utf-8",
    )
    assert places(folder) == [
        ("02-rest.md", 2, "The key 'hello' is also that of 01-hello.md."),
        ("02-rest.md", 4, "`kind` is 'poem'."),
        ("02-rest.md", 5, "`mood` is not a setting of a step."),
        ("02-rest.md", 6, "Day 1 already has 01-hello.md."),
        ("02-rest.md", 10, "`<b>` is opened and never closed."),
        ("course.toml", 3, "'Europe/Bristol' is not a time zone."),
        ("course.toml", 4, "`days` is 'a week', not a whole number from 1 to 3660."),
        ("course.toml", 5, "`languge` is not a setting of a course."),
        ("course.toml", 8, "The sender's postal_address is missing."),
        ("course.toml", 10, "'course at steadypost' is not an email address."),
        ("course.toml", 11, "`postal_adress` is not a setting of a sender."),
    ]
    assert all(problem.fix.endswith((".", "?")) for problem in problems_of(folder))


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("slug = Calm", "Invalid value.", "Mend the TOML: one `name = value` a line, text in quotes."),
        (
            'slug = "Calm Week"',
            "`slug` is 'Calm Week'.",
            "Use small letters, digits and hyphens, as in my-course.",
        ),
        ("slug = 7", "`slug` is not text.", 'Write slug = "…".'),
        ("", "`slug` is missing.", 'Write slug = "…".'),
    ],
)
def test_what_is_said_of_a_setting(folder: Path, line: str, what: str, fix: str) -> None:
    edit(folder / "course.toml", ('slug = "calm"', line))
    (problem,) = problems_of(folder)
    assert (problem.path, problem.line, problem.what, problem.fix) == ("course.toml", 1, what, fix)
    assert read_course(folder)[0] is None


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ('opt_in = "triple"', "`opt_in` is 'triple'."),
        ('send_time = "8 o\'clock"', '"8 o\'clock" is not a time of day.'),
        ("days = 0", "`days` is 0, not a whole number from 1 to 3660."),
        ("days = true", "`days` is True, not a whole number from 1 to 3660."),
        ('language = "English"', "'English' is not a language."),
        ('language = "xx"', "'xx' is not a language."),
        ('zone = ""', "'' is not a time zone."),
        ('list = "Calm letters"', "`list` is 'Calm letters'."),
        ('subtitle = "a\\nb"', "`subtitle` has a line break."),
        ('disclaimer = "a\\u0000b"', "`disclaimer` has a control character (U+0000)."),
        ('sender = "me"', "`sender` is not a section."),
    ],
)
def test_a_wrong_value_in_course_toml(folder: Path, setting: str, what: str) -> None:
    name = setting.partition(" ")[0]
    kept = [line for line in TOML.splitlines() if not line.startswith(f"{name} =")]
    if name == "sender":
        kept = kept[: kept.index("[sender]")]
    (folder / "course.toml").write_text("\n".join([setting, *kept]), encoding="utf-8")
    assert places(folder) == [("course.toml", 1, what)]


@pytest.mark.parametrize("name", ["name", "email", "postal_address"])
def test_a_sender_needs_a_name_an_address_and_a_place(folder: Path, name: str) -> None:
    lines = [line for line in TOML.splitlines() if not line.startswith(name)]
    (folder / "course.toml").write_text("\n".join(lines), encoding="utf-8")
    assert places(folder) == [("course.toml", 7, f"The sender's {name} is missing.")]


def test_a_header_cannot_be_smuggled_in(folder: Path) -> None:
    edit(folder / "course.toml", ('"The Reading Room"', '"Room\\r\\nBcc: all@example.org"'))
    edit(folder / "01-hello.md", ('"About hello"', '"Hello\\nBcc: all@example.org"'))
    assert places(folder) == [
        ("01-hello.md", 3, "`subject` has a line break."),
        ("course.toml", 8, "The sender's name has a line break."),
    ]


def test_a_line_is_not_looked_for_inside_a_long_text(folder: Path) -> None:
    edit(
        folder / "course.toml",
        ("days = 7", 'disclaimer = """\nzone = "not this one"\n"""\ndays = 7'),
        ('zone = "Europe/London"\n', ""),
        ('send_time = "08:00"', 'send_time = "08:00"\nzone = "Nowhere"'),
    )
    assert places(folder) == [("course.toml", 8, "'Nowhere' is not a time zone.")]


@pytest.mark.parametrize(
    ("written", "send_time"),
    [("send_time: 18:30", time(18, 30)), ('send_time: "06:05"', time(6, 5)), ("week: 2", time(8))],
)
def test_a_steps_hour_may_stand_without_quotes(folder: Path, written: str, send_time: time) -> None:
    edit(folder / "01-hello.md", ("day: 1", f"day: 1\n{written}"), ("lesson", "protocol"))
    course, problems = read_course(folder)
    assert problems == []
    assert course is not None
    assert course.steps[0].send_time == send_time


def test_toml_may_write_the_hour_its_own_way(folder: Path) -> None:
    edit(folder / "course.toml", ('"08:00"', "07:15:00"))
    course, problems = read_course(folder)
    assert problems == []
    assert course is not None
    assert course.steps[0].send_time == time(7, 15)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("key: hello\n", "", 1, "`key` is missing."),
        ("key: hello", "key: Hello There", 2, "`key` is 'Hello There'."),
        ("key: hello", "key: [hello]", 2, "`key` is not plain text."),
        ("day: 1", "day: 1\n? [mood]: good", 6, "`this` is not a setting of a step."),
        ('subject: "About hello"\n', "", 1, "`subject` is missing."),
        ("day: 1", "day: first", 5, "`day` is 'first'."),
        ("day: 1", "day: 0", 5, "`day` is '0'."),
        ("day: 1", "day: 9", 5, "Day 9 is after the course's last day, 7."),
        ("day: 1\n", "", 1, "`day` is missing."),
        ("day: 1", "day: 1\nday: 2", 6, "`day` stands here twice."),
        ("day: 1", "day: 1\nsend_time: 8:00", 6, "'8:00' is not a time of day."),
        ("day: 1", "day: 1\nweek: two", 6, "`week` is 'two'."),
        ("kind: lesson", "kind: lesson\nsubjekt: x", 5, "`subjekt` is not a setting of a step."),
        (
            '"About hello"',
            "About: hello",
            3,
            "The front matter cannot be read (mapping values are not allowed here).",
        ),
        (
            '"About hello"',
            "a\x01b",
            1,
            "The front matter cannot be read (special characters are not allowed).",
        ),
        ("---\n# Hello", "# Hello", 1, "The front matter is not closed."),
        ("---\nkey", "key", 1, "There is no front matter."),
        ("One idea.", "One\x0bidea.", 9, "The text has a control character (U+000B)."),
        ("# Hello\n\nOne idea.\n", "", 7, "The step has no text."),
    ],
)
def test_a_mistake_in_a_step_is_one_problem(folder: Path, old: str, new: str, line: int, what: str) -> None:
    edit(folder / "01-hello.md", (old, new))
    assert places(folder) == [("01-hello.md", line, what)]


def test_a_broken_day_does_not_clash_with_another(folder: Path) -> None:
    edit(folder / "01-hello.md", ("day: 1", "day: one"))
    (folder / "02-rest.md").write_text(STEP.replace("hello", "rest"), encoding="utf-8")
    (folder / "03-walk.md").write_text(
        STEP.replace("hello", "walk").replace("day: 1", "day: two"), encoding="utf-8"
    )
    assert [what for _, _, what in places(folder)] == ["`day` is 'one'.", "`day` is 'two'."]


def test_the_texts_are_checked_although_course_toml_is_broken(folder: Path) -> None:
    (folder / "course.toml").write_text('slug = "calm"\ntitle = "A calm', encoding="utf-8")
    edit(folder / "01-hello.md", ("One idea.", "{{ frist_name }}"), ("day: 1", "day: 45"))
    assert [place[:2] for place in places(folder)] == [("01-hello.md", 9), ("course.toml", 2)]


@pytest.mark.parametrize("name", ["course.toml", "01-hello.md"])
def test_a_file_in_another_encoding_is_named_with_the_line(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_bytes(
        text.replace("Reading", "Café").replace("One idea", "Één idee").encode("latin-1")
    )
    line = {"course.toml": 8, "01-hello.md": 9}[name]
    assert places(folder) == [(name, line, "The file is not UTF-8 text.")]


@pytest.mark.parametrize("name", ["course.toml", "01-hello.md"])
def test_windows_editors_are_welcome(folder: Path, name: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert places(folder) == []


def test_a_course_without_steps_is_none_also_when_more_is_wrong(folder: Path) -> None:
    (folder / "01-hello.md").unlink()
    edit(folder / "course.toml", ("days = 7", "days = 0"))
    assert [what for _, _, what in places(folder)] == [
        "The course has no steps.",
        "`days` is 0, not a whole number from 1 to 3660.",
    ]


def test_a_step_file_is_not_overlooked_for_its_name(folder: Path) -> None:
    (folder / "notes.MD").write_text("A note to myself.", encoding="utf-8")
    (folder / ".draft.md").write_text("Hidden files are nobody's business.", encoding="utf-8")
    assert places(folder) == [("notes.MD", 1, "There is no front matter.")]


def test_a_week_on_a_lesson_is_only_a_warning(folder: Path) -> None:
    edit(folder / "01-hello.md", ("day: 1", "day: 1\nweek: 1"))
    (problem,) = problems_of(folder)
    assert problem.is_warning
    assert str(problem) == (
        "01-hello.md:6: warning: `week` means nothing for a lesson. Delete it, or write `kind: protocol`."
    )
    assert check_course(folder)[0] is not None


def test_a_picture_needs_its_file_and_an_alternative_text(folder: Path) -> None:
    edit(folder / "01-hello.md", ("One idea.", "![](media/dusk.png)"))
    assert [what for _, _, what in places(folder)] == [
        "The picture media/dusk.png has no alternative text.",
        "There is no picture media/dusk.png (.gif, .jpeg, .jpg, .png).",
    ]


@pytest.mark.parametrize("name", ["nowhere", "course.toml"])
def test_what_is_no_course_folder_is_one_sentence(folder: Path, name: str) -> None:
    with pytest.raises(Refused, match="make a course folder with"):
        read_draft(folder / name)


def test_steps_that_cannot_be_used_are_left_out_of_a_course(folder: Path) -> None:
    (folder / "02-rest.md").write_text(STEP.replace("hello", "rest").replace("day: 1", ""), encoding="utf-8")
    course, problems = read_course(folder)
    assert course is not None
    assert [step.key for step in course.steps] == ["hello"]
    assert [problem.path for problem in problems] == ["02-rest.md"]
