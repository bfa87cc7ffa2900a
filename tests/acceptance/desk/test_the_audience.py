"""Owen finds Ada, reads why, pauses and erases her; makes a list; stops mail to an address and lifts that."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mailer.audience.fields import declare_field
from mailer.audience.subscribers import Changes, change_subscriber
from mailer.db import Sessions, business_now, session_scope
from mailer.models import FieldType, Role
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.cast import ADA, BEN, join_course, publish_folder, write_course
from tests.support.staff import through_the_form

pytestmark = needs_browser


@pytest.fixture
def soon(sessions: Sessions, tmp_path: Path) -> str:
    """Ada reads the course; a day two weeks from now."""
    with session_scope(sessions) as session:
        now = business_now(session)
        course = publish_folder(session, write_course(tmp_path / "calm"), now)
        declare_field(session, "city", FieldType.TEXT)
        person = join_course(session, course, ADA, now)
        tags = Changes(name="Ada Lovelace", tags_added=("walker",), fields={"city": "Bath"})
        change_subscriber(session, person, tags)
        return (now + timedelta(days=14)).date().isoformat()


def test_a_person_a_list_and_an_address_are_looked_after(soon: str, page: Page) -> None:
    through_the_form(page, Role.OWNER)
    menu = page.locator(".desk-wide")
    opens(page, "Subscribers")
    is_well_made(page, "subscribers")
    page.get_by_label("Name or address").fill("lovel")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=ADA).click()
    expect(page.get_by_text("enrolled in calm")).to_be_visible()
    is_well_made(page, "subscriber")
    page.get_by_role("link", name=re.compile("progress and pace")).click()
    page.get_by_label("Pause until").fill(soon)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("They were not told")).to_be_visible()
    is_well_made(page, "subscriber-course")
    page.get_by_role("link", name="Back to Ada Lovelace").click()
    page.get_by_role("link", name="Erase").click()
    page.get_by_label("Type their address").fill(ADA)
    page.get_by_role("button", name="Erase them").click()
    expect(page.get_by_text("They are forgotten")).to_be_visible()

    menu.get_by_role("link", name="Lists").click()
    page.get_by_text("Add a list").click()
    page.get_by_label("Its title").fill("My letters")
    page.get_by_label("Its name here").fill("letters")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Added letters.")).to_be_visible()
    is_well_made(page, "list")
    menu.get_by_role("link", name="Tags").click()
    page.get_by_role("link", name="Rename or remove … walker").click()
    is_well_made(page, "tag")
    menu.get_by_role("link", name="Fields").click()
    is_well_made(page, "fields")

    menu.get_by_role("link", name="Suppression").click()
    page.get_by_text("Stop mail to addresses").click()
    page.get_by_label("Addresses").fill(BEN)
    page.get_by_role("button", name="Stop mail to them").click()
    page.get_by_role("link", name=BEN).click()
    is_well_made(page, "suppression")
    page.get_by_role("button", name="Mail this address again").click()
    expect(page.get_by_text("The address may be mailed again.")).to_be_visible()
