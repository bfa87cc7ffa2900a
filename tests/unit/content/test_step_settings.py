"""When a step leaves and to whom, as its author writes it; and every mistake with its line."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path

import pytest

from mailer.content.course_folder import read_draft
from mailer.content.course_source import TimingSource
from mailer.models import StepKind
from tests.support.course_folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A course of two lessons and a week."""
    folder = Folder(tmp_path)
    folder.course()
    folder.step("01-hello", "day: 1")
    folder.step("02-rest", "day: 4")
    folder.step("03-week", "day: 8\nkind: protocol\nweek: 1")
    return folder


def test_a_step_may_have_a_window_weekdays_a_first_date_and_quiet_dates(folder: Folder) -> None:
    folder.step(
        "02-rest",
        "day: 4\nwindow: 08:00-10:00\nweekdays: mon-fri\nnot_before: 2027-01-04\nquiet: [12-25, 12-26]",
    )
    rest = folder.steps()["rest"]
    assert rest.send_time == time(8)
    assert rest.timing == TimingSource(time(10), 0b11111, date(2027, 1, 4), ("12-25", "12-26"))
    assert rest.timing.as_values() == {
        "until": "10:00",
        "weekdays": 31,
        "not_before": "2027-01-04",
        "quiet": ["12-25", "12-26"],
    }


def test_what_a_step_does_not_say_is_not_kept(folder: Folder) -> None:
    assert folder.steps()["rest"].timing.as_values() == {}


def test_the_courses_hours_are_those_of_every_step_that_has_none(folder: Folder) -> None:
    folder.course('window = "08:00-10:00"\nweekdays = "mon-fri"\nquiet = ["12-25", 2027-04-01]')
    folder.step("01-hello", "day: 1\nweekdays: sat, sun\nquiet: none")
    folder.step("02-rest", 'day: 4\nsend_time: "09:00"')
    folder.step("03-week", 'day: 8\nsend_time: "18:00"')
    hello, rest, week = folder.read().steps
    assert hello.timing == TimingSource(time(10), 0b1100000)
    assert hello.send_time == time(8)
    # Within the course's window it only opens later; outside of it the window is not meant.
    assert (rest.send_time, rest.timing.until) == (time(9), time(10))
    assert (week.send_time, week.timing.until) == (time(18), None)
    assert rest.timing.quiet == ("12-25", "2027-04-01")
    assert rest.timing.weekdays == 0b11111


def test_a_wait_counts_from_the_step_of_the_file_before(folder: Folder) -> None:
    folder.step("01-hello", "wait: 1 day")  # after the welcome, which is day 0
    folder.step("02-rest", "wait: 3 days")
    folder.step("03-week", "wait: 1 week")
    assert [(step.key, step.day) for step in folder.read().steps] == [("hello", 1), ("rest", 4), ("week", 11)]


def test_a_variant_shares_the_day_and_the_hours_of_its_original(folder: Folder) -> None:
    folder.step("02-rest", "day: 4\nwindow: 18:00-20:00\nweekdays: mon-fri")
    folder.step("02b-short", 'when: tag "busy"\ninstead_of: rest\nweekdays: mon')
    hello, short, rest, week = folder.read().steps
    assert [step.key for step in (hello, short, rest, week)] == ["hello", "short", "rest", "week"]
    assert (short.day, short.send_time, short.instead_of) == (4, time(18), "rest")
    assert short.timing == TimingSource(time(20), 0b1)
    assert short.condition == 'tag "busy"'


def test_a_gentler_version_is_of_the_same_week(folder: Folder) -> None:
    folder.step("09-gentle", "easier_than: week")
    gentle = folder.read().steps[-1]
    assert (gentle.key, gentle.day, gentle.week, gentle.kind) == ("gentle", 8, 1, StepKind.PROTOCOL)
    assert not gentle.is_plain


def test_a_wait_after_a_variant_counts_from_its_original(folder: Folder) -> None:
    folder.step("02b-short", 'when: tag "busy"\ninstead_of: rest')
    folder.step("03-week", "wait: 2 days")
    assert folder.steps()["week"].day == 6


@pytest.mark.parametrize(
    ("settings", "line", "what"),
    [
        ("day: 4\nwindow: 22:00-02:00", 5, "The window 22:00-02:00 goes on over midnight."),
        ("day: 4\nwindow: 08:00-08:00", 5, "The window 08:00-08:00 is empty."),
        ('window: 08:00-10:00\nday: 4\nsend_time: "08:00"', 4, "The step has both a send_time and a window."),
        ("day: 4\nweekdays: mo", 5, "'mo' is not a weekday."),
        ("day: 4\nweekdays:", 5, "No weekday is allowed, so it could never leave."),
        ("day: 4\nnot_before: 2027-02-30", 5, "'2027-02-30' is not a date of the calendar."),
        ("day: 4\nquiet: 12-25, 02-30", 5, "'02-30' is not a date of the calendar."),
        ("day: 4\nwait: 2 days", 5, "The step has both a day and a wait."),
        ("wait: soon", 4, "'soon' is not a wait."),
        ("wait: 40 days", 4, "Day 41 is after the course's last day, 30."),
        ("wait: 7 days", 4, "Day 8 already has 02-rest.md."),
        ("easier_than: week\nweek: 9", 5, "Week 9 is not that of week, which it stands beside"),
        ('when: tag "a"\ninstead_of: week\nweek: 2', 6, "Week 2 is not that of week, which it stands beside"),
        ("day: 4\nkind: protocol\nweek: 1", 6, "Week 1 already has 02-rest.md."),
        ("day: 4\nwhen:", 5, "`when` is empty."),
        ("instead_of: rest", 4, "`instead_of` leads in a circle back to rest."),
        ('when: tag "a"\ninstead_of: helo', 5, "`instead_of` names 'helo', which is no step."),
        ("instead_of: hello", 4, "Nobody would get it: a step that stands for hello needs a rule."),
        ('day: 2\nwhen: tag "a"\ninstead_of: hello', 4, "Day 2 is not that of hello"),
        ("easier_than: hello", 4, "`easier_than` names 'hello', which is a lesson, not a protocol step."),
        ("easier_than: week\ninstead_of: hello", 5, "The step has both instead_of and easier_than."),
        ('day: 4\nwhen: reached step "helo"', 5, "The rule names the step 'helo', which the course does not"),
        ('day: 4\nwhen: answered "done" to week 2', 5, "The rule asks for week 2, which the course does not"),
        ("day: 4\nquiet: 01-01/12-31", 5, "02-rest.md may leave on no day of two years"),
        ("day: 4\nquiet: 2027-01-01/2029-12-31", 5, "02-rest.md may leave on no day of two years"),
    ],
)
def test_a_mistake_is_one_problem_on_its_line(folder: Folder, settings: str, line: int, what: str) -> None:
    folder.step("02-rest", settings)
    (problem,) = folder.problems()
    place = "03-week.md" if "already" in what else "02-rest.md"
    assert (problem.path, problem.line) == (place, line)
    assert problem.what.startswith(what)
    assert problem.fix.endswith((".", "?"))
    assert not problem.is_warning


def test_a_week_means_nothing_for_a_lesson_and_is_not_kept(folder: Folder) -> None:
    folder.step("02-rest", "day: 4\nkind: lesson\nweek: 3")
    (problem,) = folder.problems()
    assert (problem.what, problem.is_warning) == ("`week` means nothing for a lesson.", True)
    course, _ = read_draft(folder.path)
    assert [step.week for step in course.steps] == [None, None, 1]


def test_variants_of_one_step_are_in_the_order_of_their_keys_as_when_published(folder: Folder) -> None:
    folder.step("02b-zeta", 'when: tag "a"\ninstead_of: rest')
    folder.step("02c-alpha", 'when: tag "b"\ninstead_of: rest')
    assert [step.key for step in folder.read().steps][1:4] == ["alpha", "zeta", "rest"]


def test_steps_that_stand_for_each_other_in_a_circle(folder: Folder) -> None:
    folder.step("01-hello", 'when: tag "a"\ninstead_of: rest')
    folder.step("02-rest", 'when: tag "b"\ninstead_of: hello')
    assert folder.wrong() == [
        ("01-hello.md", 5, "`instead_of` leads in a circle back to hello."),
        ("02-rest.md", 5, "`instead_of` leads in a circle back to rest."),
    ]


def test_a_variant_of_a_variant_is_pointed_to_the_step_that_has_the_day(folder: Folder) -> None:
    folder.step("02b-short", 'when: tag "a"\ninstead_of: rest')
    folder.step("02c-shorter", 'when: tag "b"\ninstead_of: short')
    (problem,) = folder.problems()
    assert problem.what == "`instead_of` names 'short', which has no day of its own."
    assert problem.fix == "Name rest instead."


def test_a_week_has_one_gentler_version(folder: Folder) -> None:
    folder.step("08-gentle", "easier_than: week")
    folder.step("09-gentler", "easier_than: week")
    assert folder.wrong() == [("09-gentler.md", 4, "week already has a gentler version, 08-gentle.md.")]


def test_a_rule_that_is_none_is_told_with_its_place(folder: Folder) -> None:
    folder.step("02-rest", "day: 4\nwhen: whenever it suits")
    (problem,) = folder.problems()
    assert (problem.path, problem.line, problem.what) == ("02-rest.md", 5, "`when` is not a rule.")
    assert problem.fix


def test_variants_are_not_counted_as_further_lessons(folder: Folder) -> None:
    folder.step("02b-short", 'when: tag "busy"\ninstead_of: rest', body="{{ course.mails }}")
    assert folder.problems() == []
