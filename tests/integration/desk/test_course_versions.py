"""What differs between a draft and what is published, in words, and versions further back than a page."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert, update

from mailer.content.draft_store import Drafts
from mailer.db import Sessions, business_now, session_scope
from mailer.models import CourseVersion, Enrollment, EnrollmentState
from mailer.reports import patience
from mailer.reports.course_versions import MOST_VERSIONS, manifest_of
from mailer.schedule.courses import get_course
from tests.support.cast import ADA, BEN, CLEO, join_course
from tests.support.course_desk import publishes
from tests.support.staff import Person


def test_publishing_shows_the_words_that_change_and_no_others(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    assert "What readers read instead" not in marc.get(f"{calm}/publish").text
    folder = drafts.folder("calm")
    german = "---\nsubject: Pause\npreheader: Kurz\n---\n# Pause\n\nRuhe.\n"
    (folder / "02-rest.de.md").write_text(german)
    publishes(marc, calm)
    for name, old, new in (
        ("01-hello.md", "One idea.", "One idea, slowly."),
        ("02-rest.de.md", "Ruhe.", "Stille."),
        ("03-walk.md", "day: 4", "day: 5"),
    ):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))
    page = marc.get(f"{calm}/publish").text
    shown = page[page.index("What readers read instead") :]
    assert re.search(r"<del>[^<]*idea\.</del><ins>idea, slowly\.</ins>", shown)
    assert "<del>Ruhe.</del><ins>Stille.</ins>" in shown
    assert "<del>4</del> <ins>5</ins>" in shown
    assert re.findall(r'<span class="detail">(.+?)</span>', shown) == [
        "hello, changed",
        "rest.de, changed",
        "walk, changed",
    ]
    publishes(marc, calm)
    assert "<ins>Stille.</ins>" in marc.get(f"{calm}/versions").text


def test_publishing_shows_the_hours_and_days_that_change(marc: Person, drafts: Drafts, calm: str) -> None:
    publishes(marc, calm)
    path = drafts.folder("calm") / "03-walk.md"
    timing = "window: 09:00-11:00\nweekdays: mon-fri\nnot_before: 2027-01-04\nquiet: 12-25, 2027-04-01\n"
    path.write_text(path.read_text().replace("day: 4\n", f"day: 4\n{timing}"))
    page = marc.get(f"{calm}/publish").text
    for name, after in (
        ("leaves before", "11:00"),
        ("weekdays", "mon-fri"),
        ("not before", "2027-01-04"),
        ("quiet dates", "12-25, 2027-04-01"),
    ):
        assert re.search(rf"{name}[^<]*(<[^>]+>\s*)*{after}</ins>", page), name
    publishes(marc, calm)
    assert "12-25, 2027-04-01" in marc.get(f"{calm}/versions").text


def test_a_draft_like_the_version_that_was_gone_back_to_differs_in_nothing_it_has(
    marc: Person, drafts: Drafts, calm: str
) -> None:
    publishes(marc, calm)
    path = drafts.folder("calm") / "01-hello.md"
    first = path.read_text()
    path.write_text(first + "\nBreathe.\n")
    publishes(marc, calm)
    marc.get(f"{calm}/undo")
    marc.post(f"{calm}/undo", version="2")
    path.write_text(first)
    rest = drafts.folder("calm") / "02-rest.md"
    rest.write_text(rest.read_text() + "\nLie down.\n")
    page = marc.get(f"{calm}/publish").text
    assert re.findall(r'<span class="detail">(\w+, \w+)</span>', page) == ["rest, changed"]


def test_taking_back_says_for_how_many_before_and_after(
    marc: Person, drafts: Drafts, sessions: Sessions, calm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishes(marc, calm)
    path = drafts.folder("calm") / "01-hello.md"
    path.write_text(path.read_text() + "\nBreathe.\n")
    publishes(marc, calm)
    assert "Nobody is in it now." in marc.get(f"{calm}/undo").text
    with session_scope(sessions) as session:
        for who in (ADA, BEN, CLEO):
            reader = join_course(session, get_course(session, "calm"), who, business_now(session))
        # Cleo's course has been stopped, so she is not in it any more.
        of_cleo = Enrollment.subscriber_id == reader.id
        session.execute(update(Enrollment).where(of_cleo).values(state=EnrollmentState.STOPPED))
    assert "Take back version 2 for 2 readers</button>" in marc.get(f"{calm}/undo").text
    monkeypatch.setattr(patience, "MANY", -1)
    page = marc.get(f"{calm}/undo").text
    assert "are being counted" in page
    assert "</button>" not in page[page.index("Taking back once more") :]
    page = marc.get(f"{calm}/undo", count="yes").text
    assert "<strong>2 readers</strong> are in it now" in page
    page = marc.post(f"{calm}/undo", version="2").text
    assert "as it was in version 1, for 2 readers; this is version 3." in page


def test_more_versions_than_a_page_holds_are_reached_by_older(
    marc: Person, sessions: Sessions, calm: str
) -> None:
    publishes(marc, calm)
    with session_scope(sessions) as session:
        course = get_course(session, "calm")
        same = {"course_id": course.id, "manifest": manifest_of(session, course, 1)}
        now = business_now(session)
        rows = [{**same, "number": at, "published_at": now} for at in range(2, MOST_VERSIONS + 3)]
        session.execute(insert(CourseVersion), rows)
        course.version = MOST_VERSIONS + 2
    page = marc.get(f"{calm}/versions").text
    # 52 versions: 52 to 3, the last of which says what it differs from; then 2 and 1.
    assert page.count('<th scope="row">Version') == MOST_VERSIONS
    assert "from version 2<" in page
    assert f'href="{calm}/versions?before=3"' in page
    page = marc.get(f"{calm}/versions", before="3").text
    assert re.findall(r"Version (\d+)</th>", page) == ["2", "1"]
    assert "the first" in page
    assert "Older" not in page
    assert "Take back" not in page
