"""Sections of a changed guide that are new, gone, moved or not to be told apart: which step is which."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.content.course_folder import read_course
from mailer.content.guide import Fate, ImportReport, Tie, TieOption, import_guide
from mailer.errors import Refused
from tests.support.guides.again import Desk, days, fates


@pytest.mark.parametrize(
    "changes",
    [
        [("Naps That Help", "A Short Word on Naps")],  # known by its body
        [("A nap of twenty minutes refreshes", "Twenty minutes refresh")],  # by its heading
        [  # by its place alone
            ("Naps That Help", "Rest in the Afternoon"),
            (
                "A nap of twenty minutes refreshes; a nap of ninety minutes replaces a sleep cycle.",
                "Lie down.",
            ),
            ("Everything between the two leaves you groggy.", "That is all there is to it."),
        ],
    ],
)
def test_a_step_keeps_its_key_by_body_by_heading_and_by_order(
    desk: Desk, changes: list[tuple[str, str]]
) -> None:
    desk.rewrite_guide(*changes)
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.UPDATED}
    assert days(report) == days(desk.first)


def test_a_step_known_by_its_place_alone_is_doubtful(desk: Desk) -> None:
    text = desk.guide.read_text(encoding="utf-8")
    changed = re.sub(r"Naps That Help\n\n.*?\n\n", "Bicycles\n\nRide home through cold rain.\n\n", text)
    desk.guide.write_text(changed, encoding="utf-8")
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.UPDATED}
    assert [note.text for note in report.doubtful] == ["Bicycles"]
    assert "`naps-that-help`" in report.doubtful[0].why


def test_sections_may_change_places_and_keep_keys_and_days(desk: Desk) -> None:
    text = desk.guide.read_text(encoding="utf-8")
    start, middle, end = (
        text.index(heading) for heading in ("Food and Caffeine", "Naps That Help", "Signs That")
    )
    desk.guide.write_text(text[:start] + text[middle:end] + text[start:middle] + text[end:], encoding="utf-8")
    report = desk.again()
    assert fates(report) == {}
    assert days(report) == days(desk.first)


def test_a_new_section_gets_a_free_day_between_its_neighbours(desk: Desk) -> None:
    desk.rewrite_guide(("Naps That Help", "Water by the Bed\n\nA glass is enough.\n\nNaps That Help"))
    report = desk.again()
    assert fates(report) == {"water-by-the-bed": Fate.NEW}
    # Food is on day 17 and naps are on day 19, so 18 is the day between them.
    assert days(report) == {**days(desk.first), "water-by-the-bed": 18}
    course, _ = read_course(desk.course)
    assert course is not None
    assert [step.day for step in course.steps] == [step.day for step in report.steps]
    assert fates(desk.again()) == {}


def test_a_new_section_without_a_free_day_at_its_place_is_put_near_and_named(desk: Desk) -> None:
    desk.rewrite_guide(("Share on Facebook", "Afterword\n\nSleep well.\n\nShare on Facebook"))
    report = desk.again()
    # The closing is on day 30, the last; 29 is the nearest free day.
    assert days(report)["afterword"] == 29
    assert [(note.text, note.why) for note in report.doubtful] == [
        ("Afterword", "no day was free at its place in the order, so it went to day 29")
    ]


def test_a_full_course_says_how_many_days_would_do(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text("# Bread\n\n## Flour\n\nUse it.\n\n## Water\n\nBoil it.\n", encoding="utf-8")
    import_guide(guide, tmp_path / "course", days=2)
    guide.write_text(guide.read_text(encoding="utf-8") + "\n## Salt\n\nA little.\n", encoding="utf-8")
    with pytest.raises(Refused, match="make the course 3 days long or more"):
        import_guide(guide, tmp_path / "course", days=2)
    report = import_guide(guide, tmp_path / "course", days=3)
    assert days(report) == {"flour": 1, "water": 2, "salt": 3}
    assert "days = 3" in (tmp_path / "course" / "course.toml").read_text(encoding="utf-8")


def test_the_authors_length_of_the_course_is_kept(desk: Desk) -> None:
    toml = desk.course / "course.toml"
    toml.write_text(
        toml.read_text(encoding="utf-8").replace("days = 30", "days = 45 # longer"), encoding="utf-8"
    )
    desk.rewrite_guide(("Share on Facebook", "Afterword\n\nSleep well.\n\nShare on Facebook"))
    report = desk.again(days=30)
    assert "days = 45 # longer" in toml.read_text(encoding="utf-8")
    assert days(report)["afterword"] == 38  # the middle of the free days 31 to 45


def test_a_range_of_weeks_may_grow(desk: Desk) -> None:
    desk.rewrite_guide(("Weeks 3 and 4:", "Weeks 3 to 5:"))
    with pytest.raises(Refused, match="now has a week 5; make the course 30 days long or more"):
        toml = desk.course / "course.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace("days = 30", "days = 29"), encoding="utf-8")
        desk.again()
    report = desk.again(days=35)
    assert fates(report) == {"week-3": Fate.UPDATED, "week-4": Fate.UPDATED, "week-5": Fate.NEW}
    assert days(report)["week-5"] == 31  # day 30, where week 5 begins, has the closing


def test_a_section_that_is_gone_takes_its_untouched_file_with_it(desk: Desk) -> None:
    path = desk.file("naps-that-help")
    text = desk.guide.read_text(encoding="utf-8")
    desk.guide.write_text(re.sub(r"Naps That Help\n\n.*?\n\n", "", text), encoding="utf-8")
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.GONE}
    assert [step.path for step in report.steps if step.fate is Fate.GONE] == [None]
    assert not path.exists()
    assert fates(desk.again()) == {}


def test_a_section_that_is_gone_leaves_the_authors_file_and_may_come_back(desk: Desk) -> None:
    desk.edit("naps-that-help", "leaves you groggy", "leaves you grumpy")
    whole = desk.guide.read_text(encoding="utf-8")
    desk.guide.write_text(re.sub(r"Naps That Help\n\n.*?\n\n", "", whole), encoding="utf-8")
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.GONE}
    assert "grumpy" in desk.file("naps-that-help").read_text(encoding="utf-8")
    assert fates(desk.again()) == {"naps-that-help": Fate.KEPT}
    desk.guide.write_text(whole, encoding="utf-8")
    assert fates(desk.again()) == {"naps-that-help": Fate.KEPT}


TWINS = "# Bread\n\n## Rest\n\nLet it stand for an hour.\n\n## Rest\n\nLet it stand for two hours.\n\n"
TWINS += "## Bake\n\nHot.\n"


def tie(tmp_path: Path, choose: Callable[[Tie], str | None] | None) -> ImportReport:
    """One section, rewritten, where there were two of its name."""
    guide = tmp_path / "guide.md"
    guide.write_text(TWINS, encoding="utf-8")
    import_guide(guide, tmp_path / "course")
    guide.write_text("# Bread\n\n## Rest\n\nLet it stand.\n\n## Bake\n\nHot.\n", encoding="utf-8")
    return import_guide(guide, tmp_path / "course", choose=choose)


def test_a_tie_is_asked_and_the_answer_decides(tmp_path: Path) -> None:
    asked: list[Tie] = []

    def second(question: Tie) -> str:
        asked.append(question)
        return "rest-2"

    report = tie(tmp_path, second)
    assert fates(report) == {"rest": Fate.GONE, "rest-2": Fate.UPDATED}
    assert [(tie.heading, tie.excerpt, tie.line) for tie in asked] == [("Rest", "Let it stand.", 3)]
    assert [(option.key, option.excerpt) for option in asked[0].options] == [
        ("rest", "Let it stand for an hour."),
        ("rest-2", "Let it stand for two hours."),
    ]


def test_a_tie_can_be_shown_to_a_person() -> None:
    options = (TieOption("rest", "Rest", "Let it stand."), TieOption("rest-2", "Rest", "Longer."))
    assert str(Tie("Rest", "Let it be.", 3, options)) == (
        "“Rest” (line 3: Let it be.) matches these steps equally well:\n"
        "  rest: Rest (Let it stand.)\n"
        "  rest-2: Rest (Longer.)"
    )


def test_a_tie_may_be_answered_with_none_of_them(tmp_path: Path) -> None:
    report = tie(tmp_path, lambda _: None)
    assert fates(report) == {"rest": Fate.GONE, "rest-2": Fate.GONE, "rest-3": Fate.NEW}


def test_a_tie_that_nobody_can_be_asked_about_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="matches the steps `rest` and `rest-2` equally well"):
        tie(tmp_path, None)
    assert len(list((tmp_path / "course").glob("*.md"))) == 3
    with pytest.raises(Refused, match="is not one of the steps"):
        import_guide(tmp_path / "guide.md", tmp_path / "course", choose=lambda _: "bake")


def test_twins_that_both_stay_are_no_tie(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text(TWINS, encoding="utf-8")
    import_guide(guide, tmp_path / "course")
    guide.write_text(TWINS.replace("an hour", "one hour"), encoding="utf-8")
    assert fates(import_guide(guide, tmp_path / "course")) == {"rest": Fate.UPDATED}


def test_two_sections_made_one_is_a_tie_by_place(tmp_path: Path) -> None:
    guide = tmp_path / "guide.md"
    guide.write_text("# B\n\n## A\n\nOne.\n\n## C\n\nxx.\n\n## D\n\nyy.\n\n## E\n\nEnd.\n", encoding="utf-8")
    import_guide(guide, tmp_path / "course")
    guide.write_text("# B\n\n## A\n\nOne.\n\n## New\n\nzz.\n\n## E\n\nEnd.\n", encoding="utf-8")
    report = import_guide(guide, tmp_path / "course", choose=lambda question: question.options[1].key)
    assert fates(report) == {"c": Fate.GONE, "d": Fate.UPDATED}


@pytest.mark.parametrize("is_translated", [True, False])
def test_a_step_that_its_author_built_on_stays_when_its_section_is_gone(
    desk: Desk, is_translated: bool
) -> None:
    path = desk.file("naps-that-help")
    if is_translated:
        text = '---\nsubject: "Nickerchen"\n---\n# Nickerchen\n\nKurz ist gut.\n'
        path.with_suffix(".de.md").write_text(text, encoding="utf-8")
    else:
        desk.edit("naps-that-help", "kind: lesson\n", 'kind: lesson\nwhen: tag "tired"\n')
    assert not desk.again().has_changed
    whole = desk.guide.read_text(encoding="utf-8")
    desk.guide.write_text(re.sub(r"Naps That Help\n\n.*?\n\n", "", whole), encoding="utf-8")
    assert fates(desk.again()) == {"naps-that-help": Fate.GONE}
    assert path.exists()
    assert path.with_suffix(".de.md").exists() == is_translated
