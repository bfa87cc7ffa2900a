"""Marc imports a messy file and builds a segment of the people in it, in a browser."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from mailer.db import Sessions, session_scope
from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser
from tests.support.cast import publish_folder, write_course
from tests.support.staff import through_the_form

pytestmark = needs_browser


def test_marc_imports_a_messy_file_and_builds_a_segment_of_it(
    page: Page, sessions: Sessions, tmp_path: Path, now: datetime
) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
    through_the_form(page, Role.MARKETER)
    _build_a_segment(page)


def _build_a_segment(page: Page) -> None:
    page.get_by_role("link", name="Segments").first.click()
    is_well_made(page, "segments-empty")
    page.get_by_role("link", name="Build a segment").click()
    page.get_by_label("Name", exact=True).fill("From the fair")
    page.get_by_label("Value in row 1").fill("fair")
    expect(page.locator("#look")).to_contain_text("who", ignore_case=True)
    page.get_by_role("button", name="Add a row").click()
    expect(page.get_by_label("What, in row 2")).to_be_focused()
    page.get_by_label("What, in row 2").select_option(label="Course")
    page.wait_for_load_state("networkidle")  # the row is drawn anew
    page.get_by_label("How, in row 2").select_option(label="is not enrolled in, since within the last")
    page.wait_for_load_state("networkidle")
    page.get_by_label("Days in row 2").fill("30")
    page.get_by_label("Value in row 2").select_option(index=1)
    page.get_by_role("button", name="Add a group").click()
    page.get_by_label("What, in row 1 of group 1").select_option(label="List")
    page.get_by_role("button", name="Save the segment").click()
    is_well_made(page, "segment-build")
    page.get_by_label("Value in row 1 of group 1").select_option(index=1)
    expect(page.locator("#look")).to_contain_text('tag "fair"')
    page.get_by_role("button", name="Save the segment").click()
    expect(page.get_by_text("Saved from-the-fair.")).to_be_visible()
    is_well_made(page, "segment")
