"""A letter of every Monday in a browser: written, looked at, made now, paused, changed and removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailer.db import Sessions, business_now, session_scope
from mailer.models import Role
from mailer.schedule.courses import get_course
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.cast import ADA, join_course, publish_folder, write_course
from tests.support.feeds import WEEKLY
from tests.support.staff import through_the_form

pytestmark = needs_browser


@pytest.fixture(autouse=True)
def calm(sessions: Sessions, desk: str, tmp_path: Path) -> None:
    """The list "calm" with Ada on it."""
    with session_scope(sessions) as session:
        now = business_now(session)
        publish_folder(session, write_course(tmp_path / "calm"), now)
        join_course(session, get_course(session, "calm"), ADA, now)


def test_marc_writes_a_letter_for_every_monday(page: Page) -> None:
    through_the_form(page, Role.MARKETER)
    opens(page, "Series")
    expect(page.get_by_text("There is no series yet.")).to_be_visible()
    is_well_made(page, "series-empty")
    page.get_by_role("link", name="New series").click()
    is_well_made(page, "series-new")
    text = page.get_by_label("The file")
    assert "lists: [calm]" in text.input_value()
    text.fill(WEEKLY.replace("every: week", "every: wek"))
    page.get_by_role("button", name="Have it made from now on").click()
    expect(page.get_by_text("series.md, line 5")).to_be_visible()
    is_well_made(page, "series-mistake")
    long = "A letter about all that happened in and around the house since we wrote to you last, number"
    text.fill(WEEKLY.replace("A letter, number", long))
    page.get_by_role("button", name="Have it made from now on").click()
    expect(page.get_by_label("Go on in spite of that")).to_be_visible()
    is_well_made(page, "series-warnings")
    text.fill(WEEKLY)
    page.get_by_role("button", name="Have it made from now on").click()
    expect(page.get_by_text("Added letter.")).to_be_visible()
    expect(page.get_by_text("every week on Monday at 09:00")).to_be_visible()
    page.get_by_role("link", name="What would go out now").click()
    expect(page.get_by_role("heading", name="A letter, number 1")).to_be_visible()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("The windows are open again.")).to_be_visible()
    is_well_made(page, "series-preview")
    page.get_by_role("link", name="Back to the series").click()
    page.get_by_role("link", name="Make it now…").click()
    expect(page.get_by_text("1 person")).to_be_visible()
    is_well_made(page, "series-run")
    page.get_by_role("button", name="Make and send it").click()
    expect(page.get_by_text("Made letter-")).to_be_visible()
    opens(page, "Series")
    is_well_made(page, "series-list")
    page.get_by_role("link", name="A letter, number …").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("nothing while it is paused")).to_be_visible()
    is_well_made(page, "series-one")
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Change it").click()
    page.get_by_label("The file").fill(WEEKLY.replace("[monday]", "[friday]"))
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("every week on Friday at 09:00")).to_be_visible()
    page.get_by_role("link", name="Remove…").click()
    is_well_made(page, "series-remove")
    page.get_by_role("button", name="Remove the series").click()
    expect(page.get_by_text("The campaigns that it made stay.")).to_be_visible()
    expect(page.get_by_text("There is no series yet.")).to_be_visible()
