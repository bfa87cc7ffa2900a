"""Marc writes the other texts of a step, and what else belongs to a course, in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from mailer.audience.subscribers import Person, add_subscriber
from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from mailer.models import Role
from mailer.settings import Settings
from tests.support.browser import is_well_made, needs_browser
from tests.support.cast import step_file, write_course
from tests.support.staff import through_the_form

pytestmark = needs_browser

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"


def test_marc_translates_a_week_and_writes_it_gently_and_for_some(
    page: Page, settings: Settings, sessions: Sessions
) -> None:
    folder = Drafts(settings.data_dir).home / "calm"
    write_course(folder)
    walk = step_file("walk", 4).replace("kind: lesson", "kind: protocol\nweek: 1")
    (folder / "03-walk.md").write_text(walk)
    with session_scope(sessions) as session:
        add_subscriber(session, Person("ada@example.org", tags=("tired",)))
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/courses/calm/steps/03-walk.md")
    page.get_by_text("Begin another text of it").click()
    is_well_made(page, "step-begin-text")
    page.get_by_label("In another language").fill("ar")
    page.get_by_role("button", name="Begin the translation").click()
    expect(page.get_by_text("Began 03-walk.ar.md")).to_be_visible()
    text = page.get_by_label("Text in Markdown")
    text.fill("# المشي\n\nببطء.\n")
    text.press("End")
    expect(page.frame_locator("iframe.look-light").get_by_text("ببطء.")).to_be_visible()
    is_well_made(page, "step-translation")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="en, 03-walk.md").click()
    page.get_by_text("Begin another text of it").click()
    page.get_by_label("For some readers, in its place").fill('tag "tired"')
    page.get_by_role("button", name="Begin the variant").click()
    page.get_by_role("link", name="en, 03-walk.md").click()
    page.get_by_text("Begin another text of it").click()
    page.get_by_role("button", name="Begin the gentler version").click()
    expect(page.get_by_text("Began 03-walk-gently.md")).to_be_visible()
    is_well_made(page, "step-gentler")
    page.get_by_role("link", name="en, 03-walk.md", exact=True).click()
    page.get_by_role("link", name="Remove…").click()
    is_well_made(page, "step-remove-with-its-texts")


def test_before_publishing_marc_reads_what_readers_will_read_instead(page: Page, settings: Settings) -> None:
    folder = Drafts(settings.data_dir).home / "calm"
    write_course(folder)
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/courses/calm/publish")
    page.get_by_role("button", name="Publish version 1").click()
    hello = folder / "01-hello.md"
    hello.write_text(hello.read_text().replace("One idea.", "One idea, taken slowly, is enough for a day."))
    (folder / "02-rest.md").unlink()
    page.goto("/desk/courses/calm/publish")
    expect(page.get_by_role("heading", name="What readers read instead")).to_be_visible()
    is_well_made(page, "course-publish-difference")


def test_marc_lives_through_a_course_for_readers_he_chooses(page: Page, settings: Settings) -> None:
    write_course(Drafts(settings.data_dir).home / "calm")
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/courses/calm/simulate")
    page.get_by_text("Choose the readers").click()
    people = page.get_by_label("People written down")
    people.fill("email,zone\nada@example.org,Mars/North\n")
    page.get_by_role("button", name="Live through it").click()
    expect(page.get_by_role("alert")).to_contain_text("people.csv:2:")
    is_well_made(page, "course-simulate-wrong")
    people.fill("email,zone\nada@example.org,Asia/Tokyo\nben@example.org,Europe/Berlin\n")
    page.get_by_role("button", name="Live through it").click()
    expect(page.locator("canvas")).to_be_visible()
    is_well_made(page, "course-simulate-chosen")
    page.get_by_text("ada@example.org", exact=True).last.click()
    page.get_by_role("button", name="About hello").first.click()
    expect(page.frame_locator(".look-light").get_by_role("heading", name="About hello")).to_be_visible()
    is_well_made(page, "course-simulate-mail")


def test_marc_puts_right_how_his_guide_was_understood(page: Page) -> None:
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/new-course")
    page.get_by_label("The guide").set_input_files(GUIDE)
    page.get_by_role("button", name="See how it is understood").click()
    page.get_by_text("Adjust Why Nights Feel So Long").click()
    is_well_made(page, "guide-adjust")
    section = page.locator("#why-nights-feel-so-long")
    section.get_by_label("Another mail begins at").select_option(index=1)
    section.get_by_role("button", name="Adjust it").click()
    expect(page.get_by_text("Why Nights Feel So Long, continued").first).to_be_visible()
    page.get_by_text("Adjust Introduction").click()
    section = page.locator("#introduction")
    section.get_by_label("What becomes of it").select_option("part of the section before")
    section.get_by_role("button", name="Adjust it").click()
    expect(section.get_by_role("alert")).to_contain_text("There is no lesson before")
    is_well_made(page, "guide-adjust-refused")
    page.get_by_label("Title").fill("Sleep")
    page.get_by_label("Slug").fill("sleep")
    page.get_by_role("button", name="Make the course").click()
    expect(page.get_by_text("Made sleep.")).to_be_visible()


def test_marc_looks_at_pictures_and_replaces_a_draft(page: Page, settings: Settings, tmp_path: Path) -> None:
    folder = Drafts(settings.data_dir).home / "calm"
    write_course(folder)
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/courses/calm/settings")
    shot = tmp_path / "tea.png"
    page.screenshot(path=shot)
    page.get_by_label("Another picture").set_input_files(shot)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("img", name="media/tea.png")).to_be_visible()
    is_well_made(page, "course-pictures")
    page.get_by_role("link", name="Remove… media/tea.png").click()
    is_well_made(page, "course-picture-remove")
    page.get_by_role("button", name="Remove the picture").click()
    expect(page.get_by_text("Removed tea.png.")).to_be_visible()
    page.goto("/desk/courses/calm")
    with page.expect_download() as download:
        page.get_by_role("link", name="Take out the course folder").click()
    download.value.save_as(tmp_path / "calm.zip")
    (folder / "04-sit.md").write_text("---\nkey: sit\nsubject: Sit\nday: 5\n---\n# Sit\n\nSit.\n")
    page.goto("/desk/new-course")
    page.get_by_label("The folder as a zip").set_input_files(tmp_path / "calm.zip")
    page.get_by_role("button", name="Bring it").click()
    is_well_made(page, "course-folder-replace")
    page.get_by_role("button", name="Replace the draft").click()
    expect(page.get_by_role("button", name="Bring that one back")).to_be_visible()
    is_well_made(page, "course-replaced")
    page.get_by_role("button", name="Bring that one back").click()
    expect(page.get_by_role("link", name="Sit", exact=True)).to_be_visible()
