"""What a course does by rules, as course.toml says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.course_flow import POLICIES
from mailer.content.course_rules import rules_of
from mailer.schedule.catchup import Policy
from tests.support.course_folder import Folder

FLOW = """
[[then]]
course = "back"

[[then]]
course = "sleep"
when = 'tag "tired"'

[[triggers]]
when = 'on list "news"'

[catch_up]
policy = "skip-stale"
stale_after_hours = 48
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.course()
    folder.step("01-hello", "day: 1")
    return folder


def test_a_course_may_stop_go_on_enroll_and_catch_up(folder: Folder) -> None:
    folder.course('stop_when = [\'tag "customer"\']\nask_whom = "Ask your doctor."', FLOW)
    assert folder.read().flow.as_values() == {
        "stop_when": ['tag "customer"'],
        "then": [{"course": "back", "when": ""}, {"course": "sleep", "when": 'tag "tired"'}],
        "triggers": [{"when": 'on list "news"', "from": "now"}],
        "catch_up": {"policy": "skip-stale", "stale_after_hours": 48},
        "ask_whom": "Ask your doctor.",
    }


def test_a_course_that_says_none_of_it_keeps_none_of_it(folder: Folder) -> None:
    assert folder.read().flow.as_values() == {}


def test_one_rule_to_stop_needs_no_list(folder: Folder) -> None:
    folder.course("stop_when = 'tag \"customer\"'")
    assert folder.read().flow.stop_when == ('tag "customer"',)


def test_every_rule_is_known_with_its_line(folder: Folder) -> None:
    folder.course("stop_when = 'tag \"customer\"'", FLOW)
    folder.step("01-hello", 'day: 1\nwhen: tag "new"')
    # The section's first line is empty, so [[then]] stands on line 12.
    assert list(rules_of(folder.read())) == [
        ("01-hello.md", 5, 'tag "new"'),
        ("course.toml", 5, 'tag "customer"'),
        ("course.toml", 17, 'tag "tired"'),
        ("course.toml", 20, 'on list "news"'),
    ]


@pytest.mark.parametrize(
    ("sections", "line", "what"),
    [
        ('[[then]]\ncourse = "calm"', 12, "The course follows itself, so it would never end."),
        ('[[then]]\ncourse = "A b"', 12, "The course that follows is 'A b'."),
        ("[[then]]", 11, "It names no course."),
        (
            '[[then]]\ncourse = "x"\n[[then]]\ncurse = "y"\ncourse = "z"',
            14,
            "`curse` is not a setting of `then`.",
        ),
        ('[then]\ncourse = "x"', 11, "`then` is not a list of sections."),
        ("[[triggers]]", 11, "The trigger has no rule."),
        ('[[triggers]]\nwhen = \'tag "a"\'\nfrom = "then"', 13, "`from` is 'then'."),
        ("[[triggers]]\nwhen = ''", 12, "`when` is empty."),
        ('[catch_up]\npolicy = "hurry"', 12, "`policy` is 'hurry'."),
        ("[catch_up]\nstale_after_hours = 0", 12, "`stale_after_hours` is 0"),
        ("[catch_up]\nhours = 1", 12, "`hours` is not a setting of `catch_up`."),
    ],
)
def test_a_mistake_in_a_section(folder: Folder, sections: str, line: int, what: str) -> None:
    folder.course(sections=sections)
    (problem,) = folder.problems()
    assert (problem.path, problem.line) == ("course.toml", line)
    assert problem.what.startswith(what)
    assert problem.fix.endswith((".", "?"))


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ('window = "10:00-08:00"', "The window 10:00-08:00 goes on over midnight."),
        ("window = 8", "`window` is not text."),
        ('window = "08:00-10:00"\nsend_time = "08:00"', "The course has both a send_time and a window."),
        ("weekdays = []", "No weekday is allowed, so it could never leave."),
        ("weekdays = 31", "`weekdays` is not text."),
        ('quiet = ["02-30"]', "'02-30' is not a date of the calendar."),
        (
            'quiet = "01-01/12-31"',
            "01-hello.md may leave on no day of two years: all of its weekdays are quiet.",
        ),
        ("stop_when = [3]", "`stop_when` is not text."),
        ("ask_whom = 3", "`ask_whom` is not text."),
    ],
)
def test_a_mistake_in_a_setting(folder: Folder, setting: str, what: str) -> None:
    folder.course(setting)
    assert folder.wrong() == [("course.toml", 5, what)]


def test_the_policies_are_those_of_the_scheduler() -> None:
    assert set(POLICIES) == set(Policy)
