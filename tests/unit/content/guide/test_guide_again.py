"""A changed guide imported into its folder: the author's work stays, and changes are shown."""

from __future__ import annotations

import json
import re

import pytest

from mailer.content.guide import Fate
from mailer.errors import Refused
from tests.support.guides.again import Desk, days, fates
from tests.support.guides.samples import body_of


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
