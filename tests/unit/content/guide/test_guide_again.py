"""A changed guide imported into its folder: keys stay, the author's work stays, changes are shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.content.course_folder import read_course
from mailer.content.guide import Fate, ImportReport, Tie, TieOption, import_guide
from mailer.errors import Refused
from tests.support.guides.samples import SLEEP, body_of

Change = Callable[[str], str]


class Desk:
    """A guide and its course folder, as its author has them before them."""

    def __init__(self, folder: Path) -> None:
        self.guide = folder / "guide.txt"
        self.course = folder / "course"
        self.guide.write_text(SLEEP.read_text(encoding="utf-8"), encoding="utf-8")
        self.first = self.again()

    def again(self, **options: object) -> ImportReport:
        return import_guide(self.guide, self.course, **options)  # type: ignore[arg-type]

    def rewrite_guide(self, *changes: tuple[str, str]) -> None:
        text = self.guide.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        self.guide.write_text(text, encoding="utf-8")

    def file(self, key: str) -> Path:
        return next(
            path for path in self.course.glob("*.md") if f"key: {key}\n" in path.read_text(encoding="utf-8")
        )

    def edit(self, key: str, before: str, after: str) -> None:
        text = self.file(key).read_text(encoding="utf-8")
        assert before in text
        self.file(key).write_text(text.replace(before, after), encoding="utf-8")

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.course.iterdir()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def fates(report: ImportReport) -> dict[str, Fate]:
    """What happened, apart from what stayed as it was."""
    return {step.key: step.fate for step in report.steps if step.fate is not Fate.UNCHANGED}


def days(report: ImportReport) -> dict[str, int]:
    return {step.key: step.day for step in report.steps}


def test_importing_the_same_guide_twice_changes_nothing(desk: Desk) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in desk.course.iterdir()}
    report = desk.again()
    assert not report.has_changed
    assert fates(report) == {}
    assert days(report) == days(desk.first)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in desk.course.iterdir()} == before


def test_what_the_guide_changed_is_taken(desk: Desk) -> None:
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    report = desk.again()
    assert fates(report) == {"a-bedroom-for-daytime": Fate.UPDATED}
    assert "dark, cool and quiet" in body_of(report, "a-bedroom-for-daytime")
    assert 'preheader: "A good day bedroom is dark, cool and quiet."' in desk.file(
        "a-bedroom-for-daytime"
    ).read_text(encoding="utf-8")
    assert not desk.again().has_changed


def test_what_the_author_changed_is_kept(desk: Desk) -> None:
    desk.edit("food-and-caffeine", "Caffeine stays longer", "Coffee stays longer")
    desk.edit("naps-that-help", "day: 19", "day: 20  # a Thursday")
    desk.edit("introduction", 'send_time: "08:00"', "send_time: 18:30")
    before = desk.files()
    report = desk.again()
    assert fates(report) == {
        "food-and-caffeine": Fate.KEPT,
        "naps-that-help": Fate.KEPT,
        "introduction": Fate.KEPT,
    }
    assert desk.files() == before
    assert days(report)["naps-that-help"] == 20


def test_the_authors_settings_outlive_a_new_text(desk: Desk) -> None:
    desk.edit("a-bedroom-for-daytime", 'subject: "A Bedroom for Daytime"', "subject: Your cave   # catchier")
    desk.edit("a-bedroom-for-daytime", "day: 13", "day: 14")
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    report = desk.again()
    assert fates(report) == {"a-bedroom-for-daytime": Fate.UPDATED}
    text = desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8")
    assert "subject: Your cave   # catchier\n" in text
    assert "day: 14\n" in text
    assert "dark, cool and quiet" in text
    step = next(step for step in report.steps if step.key == "a-bedroom-for-daytime")
    assert (step.subject, step.day) == ("Your cave", 14)


def test_where_both_changed_the_text_the_authors_stays_and_both_changes_are_shown(desk: Desk) -> None:
    desk.edit("a-bedroom-for-daytime", "A note on the door", "A large note on the door")
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    before = desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8")
    report = desk.again()
    assert fates(report) == {"a-bedroom-for-daytime": Fate.CONFLICT}
    assert desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8") == before
    assert report.differences == (
        "07-a-bedroom-for-daytime.md: the guide changed this, and so did you; your text was kept.\n"
        "--- the guide as it was\n"
        "+++ the guide as it is now\n"
        "@@ -2,3 +2,3 @@\n"
        " \n"
        "-A good day bedroom is dark, cool and dull.\n"
        "+A good day bedroom is dark, cool and quiet.\n"
        " \n"
        "--- the guide as it was\n"
        "+++ your 07-a-bedroom-for-daytime.md\n"
        "@@ -6,2 +6,2 @@\n"
        " - A fan, for the air and for the sound\n"
        "-- A note on the door\n"
        "+- A large note on the door"
    )


def test_a_conflict_is_told_once(desk: Desk) -> None:
    desk.edit("a-bedroom-for-daytime", "A note on the door", "A large note on the door")
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    desk.again()
    report = desk.again()
    assert fates(report) == {"a-bedroom-for-daytime": Fate.KEPT}
    assert report.differences == ""
    assert not report.has_changed


def test_an_author_who_made_the_guides_change_already_has_no_conflict(desk: Desk) -> None:
    desk.edit("a-bedroom-for-daytime", "dark, cool and dull", "dark, cool and quiet")
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    report = desk.again()
    assert fates(report) == {}
    assert report.differences == ""


def test_a_subject_that_both_changed_stays_the_authors_and_is_shown(desk: Desk) -> None:
    desk.edit("naps-that-help", 'subject: "Naps That Help"', 'subject: "Nap away"')
    desk.rewrite_guide(("Naps That Help", "Short Naps"))
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.UPDATED}
    assert "# Short Naps" in body_of(report, "naps-that-help")
    assert 'subject: "Nap away"' in desk.file("naps-that-help").read_text(encoding="utf-8")
    assert "+Short Naps" in report.differences
    assert "+Nap away" in report.differences


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
    with pytest.raises(Refused, match="use --days 3 or more"):
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
    with pytest.raises(Refused, match="now has a week 5; use --days 30 or more"):
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


def test_a_step_that_the_author_deleted_stays_deleted(desk: Desk) -> None:
    desk.file("naps-that-help").unlink()
    assert fates(desk.again()) == {"naps-that-help": Fate.KEPT}
    desk.rewrite_guide(("leaves you groggy", "leaves you grumpy"))
    report = desk.again()
    assert fates(report) == {"naps-that-help": Fate.CONFLICT}
    assert "you had deleted it, so it stays deleted" in report.differences
    assert not list(desk.course.glob("*naps*"))


def test_a_step_that_the_author_added_and_files_they_renamed_are_left_alone(desk: Desk) -> None:
    (desk.course / "99-extra.md").write_text(
        "---\nkey: extra\nsubject: Extra\nkind: lesson\nday: 18\n---\n# Extra\n\nMine.\n", encoding="utf-8"
    )
    desk.file("naps-that-help").rename(desk.course / "napping.md")
    desk.rewrite_guide(("Naps That Help", "Water by the Bed\n\nA glass is enough.\n\nShort Naps"))
    report = desk.again()
    assert fates(report) == {"water-by-the-bed": Fate.NEW, "naps-that-help": Fate.UPDATED}
    assert days(report)["water-by-the-bed"] not in (17, 18, 19)  # 18 is the author's own
    assert "# Short Naps" in (desk.course / "napping.md").read_text(encoding="utf-8")
    assert (desk.course / "99-extra.md").is_file()


def test_a_key_that_the_author_changed_stays_changed(desk: Desk) -> None:
    desk.edit("naps-that-help", "key: naps-that-help", "key: naps")
    desk.rewrite_guide(("leaves you groggy", "leaves you grumpy"))
    report = desk.again()
    assert fates(report) == {"naps": Fate.UPDATED}
    assert fates(desk.again()) == {}


def test_the_course_file_follows_the_guide_where_its_author_did_not_change_it(desk: Desk) -> None:
    toml = desk.course / "course.toml"
    text = toml.read_text(encoding="utf-8").replace('name = ""', 'name = "Ada" # me')
    toml.write_text(re.sub(r'subtitle = ".*"', 'subtitle = "For bakers"', text), encoding="utf-8")
    desk.rewrite_guide(
        ("Sleeping Better on Shift Work", "Sleeping Well on Shift Work"),
        ("A Kind and Practical Guide", "A Friendly Guide"),
        ("please talk to a doctor", "please see a doctor"),
    )
    report = desk.again()
    text = toml.read_text(encoding="utf-8")
    assert 'title = "Sleeping Well on Shift Work"' in text
    assert "“Sleeping Well on Shift Work”" in text
    assert "please see a doctor" in text
    assert 'slug = "sleeping-better-on-shift-work"' in text
    assert 'name = "Ada" # me' in text
    assert 'subtitle = "For bakers"' in text
    assert "course.toml, subtitle: the guide changed this, and so did you" in report.differences
    assert desk.again().differences == ""


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


def test_a_broken_step_file_is_mended_before_its_edits_could_be_lost(desk: Desk) -> None:
    desk.edit("naps-that-help", "---\nkey: naps-that-help", "key: naps-that-help")
    before = desk.files()
    with pytest.raises(Refused, match="There is no front matter"):
        desk.again()
    assert desk.files() == before


@pytest.mark.parametrize("memory", ["", "{", '{"version": 9}', '{"version": 1, "steps": [{}]}', "[]"])
def test_a_memory_that_cannot_be_read_is_refused(desk: Desk, memory: str) -> None:
    (desk.course / ".import.json").write_text(memory, encoding="utf-8")
    with pytest.raises(Refused, match="cannot be read, so what was imported last is not known"):
        desk.again()


def test_a_folder_that_lost_its_course_file_is_refused(desk: Desk) -> None:
    (desk.course / "course.toml").unlink()
    with pytest.raises(Refused, match=r"has lost its course\.toml"):
        desk.again()


def test_the_memory_names_the_file_and_what_was_in_it(desk: Desk) -> None:
    memory = json.loads((desk.course / ".import.json").read_text(encoding="utf-8"))
    assert memory["source"] == "guide.txt"
    assert len(memory["sha256"]) == 64
    assert len(memory["steps"]) == 15
    assert memory["steps"][0]["body"].startswith("# Introduction\n")


OWN_SETTINGS = """\
window: 08:00-10:00
weekdays: mon-fri
not_before: 2027-01-04
quiet: 12-25, 2027-04-01
when: tag "awake"
"""


def test_hours_and_conditions_that_the_author_wrote_stay_beside_a_new_text(desk: Desk) -> None:
    desk.edit("a-bedroom-for-daytime", 'send_time: "08:00"\n', OWN_SETTINGS)
    before = desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8")
    desk.rewrite_guide(("dark, cool and dull", "dark, cool and quiet"))
    assert fates(desk.again()) == {"a-bedroom-for-daytime": Fate.UPDATED}
    after = desk.file("a-bedroom-for-daytime").read_text(encoding="utf-8")
    assert after == before.replace("dark, cool and dull", "dark, cool and quiet")


def test_what_the_author_put_into_course_toml_stays(desk: Desk) -> None:
    own = 'weekdays = "mon-fri"\nstop_when = [\'tag "customer"\']\n'
    flow = '\n[[then]]\ncourse = "back"\n'
    path = desk.course / "course.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("days = 30\n", f"days = 30\n{own}") + flow, encoding="utf-8")
    desk.again(days=45)
    after = path.read_text(encoding="utf-8")
    assert own in after
    assert after.endswith(flow)
    assert "days = 45" in after


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
