"""Marc brings a guide, makes a course of it and publishes it, in a browser; then he changes it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser
from tests.support.staff import through_the_form

pytestmark = needs_browser

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"


def test_marc_makes_a_course_of_a_guide_publishes_it_and_changes_it(page: Page, tmp_path: Path) -> None:
    through_the_form(page, Role.MARKETER)
    page.get_by_role("link", name="Courses").first.click()
    is_well_made(page, "courses-empty")
    page.get_by_role("link", name="Bring a guide").click()
    is_well_made(page, "course-new")
    page.get_by_label("The guide").set_input_files(GUIDE)
    page.get_by_role("button", name="See how it is understood").click()
    is_well_made(page, "course-understood")
    page.get_by_label("Title").fill("Sleep, calmly")
    page.get_by_label("Slug").fill("sleep-calmly")
    page.get_by_role("button", name="Make the course").click()
    expect(page.get_by_text("To mend before it can be published")).to_be_visible()
    is_well_made(page, "course-draft")

    _say_who_sends_it(page)
    expect(page.get_by_text("To mend before it can be published")).to_have_count(0)
    _write_a_step(page)
    page.get_by_role("link", name="Publish").click()
    is_well_made(page, "course-publish")
    page.get_by_role("button", name="Publish version 1").click()
    expect(page.get_by_text("Published sleep-calmly as version 1.")).to_be_visible()

    page.locator(".timeline-step").nth(2).get_by_role("button", name="Earlier").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Moved 03-why-nights-feel-so-long.md.")
    page.get_by_role("link", name="Publish").click()
    expect(page.get_by_text("moves: ").first).to_be_visible()
    page.get_by_role("button", name="Publish version 2").click()
    page.get_by_role("link", name="Versions").click()
    is_well_made(page, "course-versions")
    page.get_by_role("link", name="Edit version 1").click()
    is_well_made(page, "course-edit-version")
    page.go_back()
    page.get_by_role("link", name="Take back version 2").click()
    is_well_made(page, "course-undo")
    page.get_by_role("button", name="Take back version 2").click()
    expect(page.get_by_text("sleep-calmly is as it was in version 1")).to_be_visible()
    page.get_by_role("link", name="Simulate").click()
    expect(page.locator("canvas")).to_be_visible()
    is_well_made(page, "course-simulate")
    page.get_by_role("link", name="Courses").first.click()
    is_well_made(page, "courses")
    _bring_the_guide_again(page, tmp_path)


def _bring_the_guide_again(page: Page, folder: Path) -> None:
    """A sentence that he has reworded as well stays his, as he does not tick it."""
    changed = GUIDE.read_text().replace("dark, cool and dull", "dark, cool and quiet")
    changed = changed.replace("You do not need to do everything at once.", "Nobody does everything at once.")
    changed = changed.replace(
        "## Food and Caffeine", "## A Glass by the Bed\n\nWater.\n\n## Food and Caffeine"
    )
    (folder / "guide.md").write_text(changed)
    page.get_by_role("link", name="Sleep, calmly").click()
    page.get_by_role("link", name="Bring the guide again").click()
    page.get_by_label("The guide").set_input_files(folder / "guide.md")
    page.get_by_role("button", name="See what has changed").click()
    expect(page.get_by_role("checkbox")).to_have_count(3)
    expect(page.get_by_label("Introduction")).not_to_be_checked()
    is_well_made(page, "course-guide-again")
    page.get_by_role("button", name="Take what is ticked").click()
    expect(page.get_by_text("Took 2 sections of the guide into the draft.")).to_be_visible()


def _say_who_sends_it(page: Page) -> None:
    page.get_by_role("link", name="Settings and pictures").click()
    page.get_by_label("Name", exact=True).fill("The Reading Room")
    page.get_by_label("Address", exact=True).fill("post@example.org")
    page.get_by_label("Postal address").fill("12 Quiet Lane, Bristol")
    is_well_made(page, "course-settings")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("Changed the course's settings.")).to_be_visible()


def _write_a_step(page: Page) -> None:
    """A mistake is told while it is typed, and the mail beside it follows what is written."""
    page.locator(".timeline-step a").first.click()
    text = page.get_by_label("Text in Markdown")
    written = text.input_value()
    text.fill(written + "\nSee {{ nothing_of_the_kind }}.\n")
    text.press("End")
    expect(page.locator("#look .problems")).to_contain_text("nothing_of_the_kind")
    text.fill(written + "\nA quiet word at the end.\n")
    text.press("End")
    frame = page.frame_locator("iframe.look-light")
    expect(frame.get_by_text("A quiet word at the end.")).to_be_visible()
    is_well_made(page, "course-step")
    page.get_by_label("Dark").check()
    page.get_by_label("Phone").check()
    expect(page.frame_locator("iframe.look-dark").get_by_text("A quiet word at the end.")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("link", name="Back to the course").click()
