"""The protocol: the forms in which people write weeks, and the steps these give."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.content.course_folder import StepKind
from mailer.content.guide import ImportReport, import_guide
from mailer.content.guide.checklist import split_items
from mailer.content.guide.labels import find_heading_label, find_label, focus_end, names_plan, weeks_of_cell
from mailer.content.guide.model import plain, text_of
from tests.support.guides.samples import body_of, words, write


@pytest.mark.parametrize(
    ("line", "weeks", "rest"),
    [
        ("Week 1–2: Drink more.", (1, 2), "Drink more."),
        ("Week 1-2: Drink more.", (1, 2), "Drink more."),
        ("Weeks 1 — 2: Drink more.", (1, 2), "Drink more."),
        ("Weeks 3 and 4", (3, 4), ""),
        ("Weeks 3 & 4: Rest", (3, 4), "Rest"),
        ("Weeks 1, 2 and 4: Rest", (1, 2, 4), "Rest"),
        ("Weeks 1 to 3 - Rest", (1, 2, 3), "Rest"),
        ("Weeks 1 through 3: Rest", (1, 2, 3), "Rest"),
        ("Week 1 – Week 2: Rest", (1, 2), "Rest"),
        ("WEEK 1:", (1,), ""),
        ("Week one: Rest", (1,), "Rest"),
        ("Week two", (2,), ""),
        ("First week: Rest", (1,), "Rest"),
        ("The second week: Rest", (2,), "Rest"),
        ("3rd week: Rest", (3,), "Rest"),
        ("Week 1. Rest", (1,), "Rest"),
        ("(Week 1) – Rest", (1,), "Rest"),
        ("[Week 1]: Rest", (1,), "Rest"),
        ("Wk 2: Rest", (2,), "Rest"),
        ("Week #2: Rest", (2,), "Rest"),
        ("Phase 1 (Weeks 1–2): Rest", (1, 2), "Rest"),
        ("Phase one: Weeks 1–2: Rest", (1, 2), "Rest"),
        # Days 8 to 14 are the second week; day 10 is in it, day 15 begins the third.
        ("Days 8–14: Rest", (2,), "Rest"),
        ("Days 1–14: Rest", (1, 2), "Rest"),
        ("Day 1-10: Rest", (1, 2), "Rest"),
        ("Day 15: Rest", (3,), "Rest"),
        ("Woche 1–2: Ruhe", (1, 2), "Ruhe"),
        ("Wochen 3 und 4: Ruhe", (3, 4), "Ruhe"),
        ("Tage 8 bis 14: Ruhe", (2,), "Ruhe"),
        ("Semaines 1 et 2 : repos", (1, 2), "repos"),
        ("Semana 1: descanso", (1,), "descanso"),
        ("Week 1 – 3 glasses of water", (1,), "3 glasses of water"),
    ],
)
def test_what_a_label_names(line: str, weeks: tuple[int, ...], rest: str) -> None:
    label = find_label(line)
    assert label is not None
    assert (label.weeks, line[label.end :]) == (weeks, rest)


@pytest.mark.parametrize(
    "line",
    [
        "Week 1 is the hardest of all.",
        "Weeks go by.",
        "This week: rest",
        "Weekend plans: rest",
        "A week of rest",
        "Week 4–2: backwards",
        "Week 2024: the year",
        "Week 0: nothing",
        "Daylight: 8 hours",
        "In week 1: rest",
    ],
)
def test_what_is_no_label(line: str) -> None:
    assert find_label(line) is None


@pytest.mark.parametrize(
    ("heading", "weeks", "title"),
    [
        ("Week 1: Foundation", (1,), "Foundation"),
        ("Week 1 Foundation", (1,), "Foundation"),
        ("Week 3", (3,), ""),
        ("Foundation (Weeks 1–2)", (1, 2), "Foundation (Weeks 1–2)"),
        ("Phase 2: Growing, Weeks 3–4", (3, 4), "Phase 2: Growing, Weeks 3–4"),
        ("Foundation – Week 1", (1,), "Foundation – Week 1"),
    ],
)
def test_what_a_heading_is_about(heading: str, weeks: tuple[int, ...], title: str) -> None:
    label = find_heading_label(heading)
    assert label is not None
    assert (label.weeks, label.title) == (weeks, title)


def test_a_table_names_its_weeks_in_a_column() -> None:
    in_column = weeks_of_cell("1–2", "Week")
    assert in_column is not None
    assert in_column.weeks == (1, 2)
    assert weeks_of_cell("1–2", "Glasses") is None
    by_itself = weeks_of_cell("Week 3", "When")
    assert by_itself is not None
    assert by_itself.weeks == (3,)


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("Daily focus: water", "water"),
        ("Your daily focus – water", "water"),
        ("DAILY FOCUS", ""),
        ("Every day: water", "water"),
        ("Daily: water", "water"),
        ("Daily habits (all weeks): water", "water"),
        ("Täglicher Fokus: Wasser", "Wasser"),
    ],
)
def test_what_opens_a_daily_focus(line: str, rest: str) -> None:
    end = focus_end(line)
    assert end is not None
    assert line[end:] == rest


def test_daily_life_is_no_daily_focus() -> None:
    assert focus_end("Every day counts.") is None
    assert focus_end("Daily life is busy: here is why") is None


@pytest.mark.parametrize(
    ("heading", "is_plan"),
    [
        ("A 30-Day Plan", True),
        ("Your Four-Week Programme", True),
        ("What to Expect", False),
        ("Plants", False),
    ],
)
def test_which_headings_announce_a_plan(heading: str, is_plan: bool) -> None:
    assert names_plan(heading) is is_plan


@pytest.mark.parametrize(
    ("sentence", "points"),
    [
        ("Improve sleep, reduce coffee, add a walk.", ["Improve sleep", "Reduce coffee", "Add a walk"]),
        ("Walk at noon; read at night", ["Walk at noon", "Read at night"]),
        ("Go to bed at ten. Keep the room dark.", ["Go to bed at ten", "Keep the room dark"]),
        ("Sleep early, and then walk slowly.", ["Sleep early", "And then walk slowly"]),
        # Doubtful: "whole grains" is nothing to do, so the sentence stays one point.
        ("Eat more greens, whole grains, fresh fruit.", ["Eat more greens, whole grains, fresh fruit"]),
        ("Reduce sugar, salt, coffee", ["Reduce sugar, salt, coffee"]),
        ("Add 1,000 steps, walk slowly", ["Add 1,000 steps, walk slowly"]),
        ("Rest", ["Rest"]),
    ],
)
def test_a_sentence_becomes_points_to_tick_off(sentence: str, points: list[str]) -> None:
    assert [plain(item.text) for item in split_items(text_of(sentence), 1)] == points


def course(tmp_path: Path, plan: str, name: str = "guide.md") -> ImportReport:
    guide = f"# A Calm Month\n\n## Why\n\nBecause a calm month is a good month.\n\n{plan}\n"
    return import_guide(write(tmp_path, guide, name), tmp_path / "course", days=60)


def weeks_of(report: ImportReport) -> list[tuple[str, str]]:
    return [(step.key, step.subject) for step in report.steps if step.kind is StepKind.PROTOCOL]


def test_a_heading_for_each_week_with_a_name(tmp_path: Path) -> None:
    report = course(tmp_path, "## Plan\n\n### Week 1: Water\n\n- drink\n\n### Weeks 2–3: Walk\n\n- walk\n")
    assert weeks_of(report) == [
        ("week-1", "Week 1: Water"),
        ("week-2", "Week 2: Walk"),
        ("week-3", "Week 3: Walk"),
    ]
    assert body_of(report, "week-2") == "# Week 2: Walk\n\n**Weeks 2–3**\n\n::: checklist\n- walk\n:::\n"
    # The plan's own heading is in no subject now, so the first week's mail bears it.
    assert body_of(report, "week-1") == "# Week 1: Water\n\nPlan\n\n::: checklist\n- drink\n:::\n"


def test_a_heading_for_each_week_on_the_sections_own_level(tmp_path: Path) -> None:
    plan = "## The Programme\n\nTake it slowly.\n\n## Week 1\n\n- drink\n\n## Week 2\n\n- walk\n\n"
    report = course(tmp_path, f"{plan}## Every day\n\nBreathe.\n\n## After\n\nKeep on going.\n")
    assert weeks_of(report) == [("week-1", "Week 1: The Programme"), ("week-2", "Week 2: The Programme")]
    assert "Take it slowly." in body_of(report, "week-1")
    for week in ("week-1", "week-2"):
        assert body_of(report, week).endswith("::: callout\n**Every day**\n\nBreathe.\n:::\n")
    assert [step.key for step in report.steps if step.kind is StepKind.LESSON] == ["why", "after"]


def test_weeks_without_a_plan_above_them(tmp_path: Path) -> None:
    report = course(tmp_path, "## Week 1\n\n- drink\n\n## Week 2\n\n- walk\n")
    assert weeks_of(report) == [("week-1", "Week 1"), ("week-2", "Week 2")]
    assert "calm month" in body_of(report, "why")


def test_a_table_of_weeks(tmp_path: Path) -> None:
    plan = "## Plan\n\n| Week | Morning | Evening |\n|---|---|---|\n| 1 | walk | read |\n| 2–3 | run | |\n"
    report = course(tmp_path, plan)
    assert [key for key, _ in weeks_of(report)] == ["week-1", "week-2", "week-3"]
    assert "- Morning: walk\n- Evening: read\n" in body_of(report, "week-1")
    assert "**Week 2–3**\n\n::: checklist\n- Morning: run\n:::" in body_of(report, "week-3")


def test_points_that_are_weeks(tmp_path: Path) -> None:
    plan = (
        "## Plan\n\n- **Week 1:** drink\n  - water\n- **Week 2:** walk\n- and rest\n- Daily focus: breathe\n"
    )
    report = course(tmp_path, plan)
    assert [key for key, _ in weeks_of(report)] == ["week-1", "week-2"]
    assert "- water" in body_of(report, "week-1")
    assert "- and rest" in body_of(report, "week-2")
    assert "**Daily focus:** breathe" in body_of(report, "week-1")


def test_lines_that_are_weeks_in_plain_text(tmp_path: Path) -> None:
    plan = "The Plan\n\nWeek one\n• drink\n• rest\n\nWeek two: Walking\n• walk\n\nThat is all.\n"
    guide = f"A Calm Month\n\nWhy\n\nBecause a calm month is a good month.\n\n{plan}"
    report = import_guide(write(tmp_path, guide), tmp_path / "course")
    assert weeks_of(report) == [("week-1", "Week 1: The Plan"), ("week-2", "Week 2: Walking")]
    assert "- drink\n- rest" in body_of(report, "week-1")
    assert "That is all." in body_of(report, "week-2")


def test_days_that_cut_across_weeks_keep_their_labels(tmp_path: Path) -> None:
    report = course(tmp_path, "## Plan\n\nDays 1–10: Drink water.\n\nDays 11–14: Walk slowly.\n")
    assert [key for key, _ in weeks_of(report)] == ["week-1", "week-2"]
    body = body_of(report, "week-2")
    assert body.index("**Days 1–10**") < body.index("Drink water") < body.index("**Days 11–14**")
    assert "Days 11–14" not in body_of(report, "week-1")


def test_a_long_text_before_the_first_week_is_a_lesson_of_its_own(tmp_path: Path) -> None:
    reasons = "Sleep is the ground on which all else stands, so we begin with it and stay with it for long."
    report = course(
        tmp_path, f"## How It Began\n\n{reasons}\n\nWeek 1: Sleep early.\n\nWeek 2: Walk early.\n"
    )
    assert reasons in body_of(report, "how-it-began")
    assert weeks_of(report) == [("week-1", "Week 1"), ("week-2", "Week 2")]


def test_what_to_expect_by_weeks_is_a_lesson_beside_the_plan(tmp_path: Path) -> None:
    expect = "## What to Expect\n\n- Week 1: little\n- Week 2: more\n- Week 3: much\n"
    report = course(tmp_path, f"{expect}\n## My Plan\n\nWeek 1: Walk early.\n\nWeek 2: Walk far.\n")
    assert [key for key, _ in weeks_of(report)] == ["week-1", "week-2"]
    assert "- Week 3: much" in body_of(report, "what-to-expect")
    assert [(note.line, note.text) for note in report.doubtful] == [(7, "What to Expect")]


def test_one_remark_on_a_week_makes_no_protocol(tmp_path: Path) -> None:
    report = course(tmp_path, "## Results\n\nWeek 1: nothing to see yet.\n\nBe patient.\n")
    assert weeks_of(report) == []
    assert "Week 1: nothing to see yet." in body_of(report, "results")


def test_a_week_with_nothing_to_tick_off_is_named(tmp_path: Path) -> None:
    long = "This week has so much to say that it " + "goes on and on, " * 12 + "and then it ends."
    report = course(tmp_path, f"## Plan\n\n### Week 1\n\n{long}\n\n### Week 2\n\n- walk\n")
    assert "checklist" not in body_of(report, "week-1")
    assert words("goes on and on") in words(body_of(report, "week-1"))
    assert [note.why for note in report.doubtful] == [
        "this week has nothing short enough to tick off, so it got no checklist"
    ]


def test_what_hangs_below_a_focus_before_the_first_week_stays(tmp_path: Path) -> None:
    text = (
        "A\n\nFirst\n\nText.\n\nPlan\n\n- Daily focus: water\n  - a glass\n- Week 1: walk\n- Week 2: read\n"
    )
    report = import_guide(write(tmp_path, text), tmp_path / "course")
    assert "a glass" in body_of(report, "week-1")
    assert report.left_out == ()
