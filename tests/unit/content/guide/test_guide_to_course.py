"""A guide becomes a course: which steps it gives, on which days, and what stands in them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mailer.content.course_folder import StepKind, read_course
from mailer.content.guide import Fate, ImportReport, default_folder, import_guide
from mailer.errors import Refused
from tests.support.guides.samples import (
    ENDINGS,
    FACTS,
    SHARED,
    SLEEP,
    body_of,
    seen,
    sleep_guide,
    words,
    write,
)

SLEEP_KEYS = [
    "introduction",
    "why-nights-feel-so-long",
    "the-myth-you-just-get-used-to-it",
    "light-is-the-strongest-signal",
    "a-bedroom-for-daytime",
    "food-and-caffeine",
    "naps-that-help",
    "signs-that-you-need-more-rest",
    "talking-with-your-family",
    "frequently-asked-questions",
    "final-thoughts-disclaimer",
]


@pytest.fixture
def sleep(tmp_path: Path) -> ImportReport:
    return import_guide(SLEEP, tmp_path / "course")


def lessons_of(report: ImportReport) -> list[str]:
    return [step.key for step in report.steps if step.kind is StepKind.LESSON]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_guide_gives_the_same_course_from_every_kind_of_file(tmp_path: Path, ending: str) -> None:
    report = import_guide(sleep_guide(ending, tmp_path), tmp_path / "course")
    assert lessons_of(report) == SLEEP_KEYS
    weeks = [(step.key, step.day) for step in report.steps if step.kind is StepKind.PROTOCOL]
    assert weeks == [("week-1", 2), ("week-2", 9), ("week-3", 16), ("week-4", 23)]
    assert report.title == "Sleeping Better on Shift Work"
    for key, fact in FACTS.items():
        assert words(fact) in seen(body_of(report, key))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_imported_lacks_nothing_but_the_sender(tmp_path: Path, ending: str) -> None:
    report = import_guide(sleep_guide(ending, tmp_path), tmp_path / "course")
    course, problems = read_course(report.folder)
    assert course is not None
    assert [problem.what for problem in problems] == [
        "The sender's name is missing.",
        "The sender's email is missing.",
        "The sender's postal_address is missing.",
    ]
    assert [(step.key, step.day, step.subject) for step in course.steps] == [
        (step.key, step.day, step.subject) for step in report.steps
    ]


def test_the_first_lesson_is_on_day_1_the_last_on_the_last_day_and_no_day_has_two(
    sleep: ImportReport,
) -> None:
    days = [step.day for step in sleep.steps]
    assert days[0] == 1
    assert days[-1] == 30
    assert len(set(days)) == len(days)


def test_the_course_file_bears_title_subtitle_and_disclaimer(sleep: ImportReport) -> None:
    course = tomllib.loads((sleep.folder / "course.toml").read_text(encoding="utf-8"))
    assert course["slug"] == course["list"] == "sleeping-better-on-shift-work"
    assert course["title"] == "Sleeping Better on Shift Work"
    assert course["subtitle"].startswith("A Kind and Practical Guide for People Who Work")
    assert course["disclaimer"].startswith("Disclaimer: This guide is for general information only")
    assert "“Sleeping Better on Shift Work”" in course["consent"]
    assert (course["days"], course["send_time"], course["zone"]) == (30, "08:00", "Etc/UTC")
    assert (course["opt_in"], course["language"]) == ("double", "en")
    assert course["sender"] == {"name": "", "email": "", "postal_address": "", "reply_to": ""}


def test_only_a_page_can_say_what_language_it_is_in(tmp_path: Path) -> None:
    import_guide(sleep_guide("html", tmp_path), tmp_path / "course")
    assert 'language = "en-GB"' in (tmp_path / "course" / "course.toml").read_text(encoding="utf-8")


def test_a_lesson_begins_with_its_heading_and_keeps_its_lists(sleep: ImportReport) -> None:
    assert body_of(sleep, "light-is-the-strongest-signal") == (
        "# Light Is the Strongest Signal\n\n"
        "Light tells the clock what time it is.\n\n"
        "Two rules cover most of it:\n\n"
        "- Bright light early in the shift\n"
        "  - Ceiling lights on full\n"
        "  - A short walk under lamps\n"
        "- Dim light on the way home\n"
        "  - Sunglasses help, even in winter\n\n"
        "Do not wear them while driving in the dark.\n"
    )


def test_tables_and_quotations_stay_what_they_are(sleep: ImportReport) -> None:
    assert (
        "| Drink | Caffeine | Last one before bed |\n| --- | --- | --- |\n| Filter coffee | high |"
        in body_of(sleep, "food-and-caffeine")
    )
    assert "> “I worked nights for nine years and my body never believed me.”\n>\n> — Ben, baker" in body_of(
        sleep, "the-myth-you-just-get-used-to-it"
    )


def test_a_week_of_the_protocol_is_a_checklist_with_the_daily_focus(sleep: ImportReport) -> None:
    assert body_of(sleep, "week-3") == (
        "# Week 3: A Gentle 30-Day Sleep Plan\n\n"
        "**Weeks 3 and 4**\n\n"
        "::: checklist\n"
        "- Add a short nap before the first night\n"
        "- Plan the free days\n"
        "- Talk with your family about quiet hours\n"
        ":::\n\n"
        "::: callout\n"
        "**Daily focus:** Daylight after waking, one proper meal, a little movement, and a fixed hour "
        "without screens.\n"
        ":::\n"
    )


def test_the_questions_are_one_mail(sleep: ImportReport) -> None:
    body = body_of(sleep, "frequently-asked-questions")
    assert body.count("::: question ") == 4
    assert (
        "::: question Why am I awake after only four hours?\n"
        "Because daylight and noise pull you up.\n\n"
        "Earplugs and a darker room often win back an hour.\n"
        ":::\n"
    ) in body


def test_the_disclaimer_is_in_no_step_because_it_is_under_every_mail(sleep: ImportReport) -> None:
    for step in sleep.steps:
        assert "does not replace medical advice" not in body_of(sleep, step.key)


def test_front_matter_has_what_a_marketer_may_change(sleep: ImportReport) -> None:
    path = next(step.path for step in sleep.steps if step.key == "week-1")
    assert path is not None
    assert path.name == "02-week-1.md"
    assert path.read_text(encoding="utf-8").split("---\n")[1] == (
        "key: week-1\n"
        'subject: "Week 1: A Gentle 30-Day Sleep Plan"\n'
        'preheader: "Darken the bedroom, move the last coffee forward, write down when you slept."\n'
        "kind: protocol\n"
        "day: 2\n"
        'send_time: "08:00"\n'
        "week: 1\n"
    )


def test_a_new_import_says_that_everything_is_new(sleep: ImportReport) -> None:
    assert {step.fate for step in sleep.steps} == {Fate.NEW}
    assert sleep.differences == ""


def test_a_guide_with_more_steps_than_days_says_how_many_days_would_do(tmp_path: Path) -> None:
    # 11 lessons and 4 weeks are 15 steps, but week 4 begins on day 7 * 3 + 2 = 23.
    with pytest.raises(Refused, match="use --days 23 or more"):
        import_guide(SLEEP, tmp_path / "course", days=14)
    assert list(tmp_path.iterdir()) == []
    assert len(import_guide(SLEEP, tmp_path / "course", days=23).steps) == 15


def test_a_course_goes_into_a_folder_named_after_its_title(tmp_path: Path) -> None:
    assert default_folder(SLEEP) == Path("sleeping-better-on-shift-work")
    other = write(tmp_path, "# 夜勤の睡眠\n\n## 一\n\n本文。\n\n## 二\n\n本文。\n", "guide.md")
    assert default_folder(other) == Path("course")


def test_sections_whose_headings_have_no_latin_letters_are_numbered(tmp_path: Path) -> None:
    guide = write(tmp_path, "# 夜勤の睡眠\n\n## 光\n\n本文。\n\n## 食事\n\n本文。\n", "guide.md")
    assert [step.key for step in import_guide(guide, tmp_path / "course").steps] == ["lesson-1", "lesson-2"]


def test_two_sections_of_one_name_get_keys_of_their_own(tmp_path: Path) -> None:
    guide = write(tmp_path, "# Ä Guide\n\n## Übung\n\nOne.\n\n## Übung\n\nTwo.\n", "guide.md")
    assert [step.key for step in import_guide(guide, tmp_path / "course").steps] == ["ubung", "ubung-2"]


@pytest.mark.skipif(not SHARED.is_file(), reason="the shared guide is not on this machine")
class TestTheSharedGuide:
    @pytest.fixture
    def report(self, tmp_path: Path) -> ImportReport:
        return import_guide(SHARED, tmp_path / "course")

    def test_it_gives_18_lessons_and_4_weeks_in_30_days(self, report: ImportReport) -> None:
        assert len(report.steps) == 22
        assert len(lessons_of(report)) == 18
        weeks = [(step.key, step.day) for step in report.steps if step.kind is StepKind.PROTOCOL]
        assert weeks == [("week-1", 2), ("week-2", 9), ("week-3", 16), ("week-4", 23)]
        assert [report.steps[0].day, report.steps[-1].day] == [1, 30]

    def test_its_four_questions_and_its_closing_are_a_mail_each(self, report: ImportReport) -> None:
        questions, closing = lessons_of(report)[-2:]
        assert body_of(report, questions).count("::: question ") == 4
        assert closing == "final-thoughts-disclaimer"

    def test_the_cross_and_the_teasers_are_named_as_left_out(self, report: ImportReport) -> None:
        assert [note.line for note in report.left_out] == [
            *(1, 204, 206, 208, 210, 212, 213, 215, 217, 219, 220, 222, 224, 226, 227, 229, 231, 233)
        ]
        assert report.left_out[0].text == "×"
        assert report.doubtful == ()
