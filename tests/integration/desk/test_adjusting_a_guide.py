"""Marc puts right how his guide was understood, and brought again it leaves what he wished."""

from __future__ import annotations

import re

import pytest

from mailer.content.course_folder import read_draft
from mailer.content.draft_store import Drafts
from tests.support.course_desk import digest, upload
from tests.support.staff import Person

GUIDE = """# Calm evenings

## Why

The day is long.

It does not end by itself.

## The lamp

A lamp is enough.

### Its colour

Warm, not white.

## The book

Read a page.

## The walk

Walk around the house.
"""


@pytest.fixture
def arrival(marc: Person) -> str:
    """The guide, looked at for ten days: why 1, the lamp 4, the book 7, the walk 10."""
    marc.get("/desk/new-course")
    page = upload(marc, "/desk/new-course", "calm.md", GUIDE.encode(), days="10")
    found = re.search(r'action="(/desk/new-course/[0-9a-f]{32})"', page)
    assert found
    assert shown(page) == ["Day 1 Why", "Day 4 The lamp", "Day 7 The book", "Day 10 The walk"]
    return found[1]


def shown(page: str) -> list[str]:
    """Each section with its day, in the order of the page."""
    rows = re.findall(r'timeline-day">(.*?)</span>\s*<div class="timeline-what">(.*?) <span', page, re.DOTALL)
    return [f"{re.sub('<.*?>', '', day).strip()} {title}" for day, title in rows]


def adjusted(marc: Person, arrival: str, key: str, **fields: str) -> str:
    return marc.post(f"{arrival}/sections/{key}", **{"place": "own", **fields}).text


def made(marc: Person, arrival: str, drafts: Drafts) -> dict[str, tuple[int, str, str]]:
    """The course that it becomes: the day, subject and text of each step by its key."""
    marc.post(arrival, title="Calm evenings", slug="evenings", create="yes")
    steps = read_draft(drafts.folder("evenings"))[0].steps
    return {step.key: (step.day, step.subject, step.body) for step in steps}


def test_a_section_gets_another_title_and_day(marc: Person, drafts: Drafts, arrival: str) -> None:
    adjusted(marc, arrival, "the-lamp", title="One {{ lamp }} only", day="4")
    page = adjusted(marc, arrival, "the-walk", title="The walk", day="1")
    # Why takes the day that becomes free.
    assert shown(page)[0] == "Day 10 Why"
    steps = made(marc, arrival, drafts)
    assert {key: step[0] for key, step in steps.items()} == {
        "the-walk": 1,
        "the-lamp": 4,
        "the-book": 7,
        "why": 10,
    }
    assert steps["the-lamp"][1] == 'One {{ "{{" }} lamp }} only'
    assert steps["the-lamp"][2].startswith("# One ")


def test_a_section_is_left_out_and_one_goes_into_the_mail_before(
    marc: Person, drafts: Drafts, arrival: str
) -> None:
    assert "no lesson before" in adjusted(marc, arrival, "why", place="before")
    adjusted(marc, arrival, "the-walk", place="out")
    page = adjusted(marc, arrival, "the-book", place="before")
    # Two are left, so they are on the first and the last day.
    assert shown(page) == ["Day 1 Why", "Day 10 The lamp", "↳ before The book", "left out The walk"]
    assert "2 steps in 10 days" in page
    steps = made(marc, arrival, drafts)
    assert list(steps) == ["why", "the-lamp"]
    assert steps["the-lamp"][2].endswith("## Its colour\n\nWarm, not white.\n\n## The book\n\nRead a page.\n")


def test_a_section_is_split_at_a_heading_or_a_paragraph_and_made_one_again(
    marc: Person, drafts: Drafts, arrival: str
) -> None:
    page = adjusted(marc, arrival, "why", split="2")
    assert '<option value="2" selected>It does not end by itself.</option>' in page
    # Five lessons in ten days.
    assert shown(page)[:3] == ["Day 1 Why", "Day 3 Why, continued", "Day 6 The lamp"]
    page = adjusted(marc, arrival, "the-lamp", split="2")
    assert "Its colour" in shown(page)[3]
    assert len(shown(adjusted(marc, arrival, "why", split=""))) == 5
    steps = made(marc, arrival, drafts)
    assert list(steps) == ["why", "the-lamp", "its-colour", "the-book", "the-walk"]
    assert steps["the-lamp"][2] == "# The lamp\n\nA lamp is enough.\n"
    assert steps["its-colour"][2] == "# Its colour\n\nWarm, not white.\n"


def test_another_number_of_days_keeps_what_was_wished(marc: Person, arrival: str) -> None:
    adjusted(marc, arrival, "the-walk", title="A walk", day="10", place="own")
    adjusted(marc, arrival, "the-book", place="out")
    page = marc.post(arrival, days="20", look="yes").text
    assert shown(page) == ["Day 1 Why", "Day 11 The lamp", "left out The book", "Day 20 A walk"]
    # A day that is not among fewer days any more is said, and nothing changes.
    adjusted(marc, arrival, "the-walk", title="A walk", day="19")
    refused = marc.post(arrival, days="5", look="yes")
    assert refused.status_code == 422
    assert "has the days 1 to 5" in refused.text
    assert shown(marc.get(arrival).text)[-1] == "Day 19 A walk"


def test_nothing_is_not_a_course(marc: Person, arrival: str) -> None:
    for key in ("why", "the-lamp", "the-book"):
        adjusted(marc, arrival, key, place="out")
    assert "keep at least one section" in adjusted(marc, arrival, "the-walk", place="out")
    assert marc.post(f"{arrival}/sections/nobody", place="out").status_code == 404


def test_the_guide_brought_again_leaves_what_was_wished(marc: Person, drafts: Drafts, arrival: str) -> None:
    adjusted(marc, arrival, "the-walk", place="out")
    adjusted(marc, arrival, "the-lamp", title="One lamp")
    made(marc, arrival, drafts)
    marc.get("/desk/courses/evenings/guide")
    changed = GUIDE.replace("Read a page.", "Read two pages.")
    page = upload(marc, "/desk/courses/evenings/guide", "calm.md", changed.encode())
    ticked = dict.fromkeys(re.findall(r'name="(take:[^"]+)" value="yes" checked', page), "yes")
    assert [name.partition("-")[2] for name in ticked] == ["the-book.md"]
    again = re.search(r'action="(/desk/courses/evenings/guide/[0-9a-f]{32})"', page)
    assert again
    marc.post(again[1], digest=digest(page), **ticked)
    steps = {step.key: step for step in read_draft(drafts.folder("evenings"))[0].steps}
    assert list(steps) == ["why", "the-lamp", "the-book"]
    assert steps["the-lamp"].subject == "One lamp"
    assert "two pages" in steps["the-book"].body
