"""Marc imports a messy file and builds a segment of the people in it, in a browser."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from mailer.db import Sessions, session_scope
from mailer.launch.import_files import carry_on
from mailer.models import Role
from mailer.settings import Settings
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.cast import publish_folder, write_course
from tests.support.staff import through_the_form

pytestmark = needs_browser


# As a spreadsheet on an old machine writes it: Latin-1, semicolons, headers of its own, rows gone wrong.
MESSY = (
    "Adressen;Vorname;Nachname;Schuhe;Labels\n"
    "ada@reader.example;Ada;Lovelace;39;fair\n"
    "ADA@Reader.example;Ada;;39;fair, vip\n"
    "juergen@reader.example;Jürgen;Groß;43;fair\n"
    "no address;Nora;;40;fair\n"
    "eva@reader;Eva;;38;fair\n"
    "ben@reader.example;Ben;;44;fair\n"
)


def test_marc_imports_a_messy_file_and_builds_a_segment_of_it(
    page: Page, sessions: Sessions, settings: Settings, tmp_path: Path, now: datetime
) -> None:
    with session_scope(sessions) as session:
        publish_folder(session, write_course(tmp_path / "calm"), now)
    (tmp_path / "fair.csv").write_bytes(MESSY.encode("latin-1"))
    through_the_form(page, Role.MARKETER)
    opens(page, "Import")
    is_well_made(page, "imports-empty")
    page.get_by_label("The file").set_input_files(tmp_path / "fair.csv")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("The encoding is a guess.")).to_be_visible()
    page.get_by_label("Encoding").select_option("mac_roman")
    page.get_by_role("button", name="Show it so").first.click()
    expect(page.get_by_role("cell", name="J¸rgen Grofl")).to_be_visible()
    page.get_by_label("Encoding").select_option("cp1252")
    page.get_by_role("button", name="Show it so").first.click()
    expect(page.get_by_role("cell", name="Jürgen Groß")).to_be_visible()
    is_well_made(page, "import-preview")
    page.get_by_label("List", exact=True).select_option("calm")
    page.get_by_role("button", name="Import 4 rows").click()
    expect(page.get_by_text("it is the evidence of consent").first).to_be_visible()
    page.get_by_label("Where, and in which words").fill(
        "“Yes, send me the letters”, on the form at the fair."
    )
    page.get_by_label("They have confirmed by a mail before").check()
    page.get_by_role("button", name="Import 4 rows").click()
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    is_well_made(page, "import-waiting")
    carry_on(sessions, settings.data_dir, lambda: False)
    expect(page.get_by_role("heading", name="What it did")).to_be_visible()
    is_well_made(page, "import-done")
    _build_a_segment(page)
    opens(page, "Import")
    is_well_made(page, "imports")


def _build_a_segment(page: Page) -> None:
    opens(page, "Segments")
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
    # Four rows of the six were taken, and two of them are Ada's.
    expect(page.locator("#people")).to_contain_text("3 people in it now")
    is_well_made(page, "segment")
