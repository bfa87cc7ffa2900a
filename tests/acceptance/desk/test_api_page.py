"""The page about the API, in a browser: read by anybody, and opened at one address of it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.staff import through_the_form

pytestmark = needs_browser


def test_somebody_reads_how_a_subscriber_is_added(page: Page) -> None:
    through_the_form(page, Role.READER)
    opens(page, "API")
    expect(page.get_by_role("heading", level=1)).to_have_text("API")
    # Without a mouse, as with one: a summary is a button.
    operation = page.locator("summary", has_text="Add subscriber")
    operation.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text('-H "Idempotency-Key: $(uuidgen)"').first).to_be_visible()
    # All operations are made by the same few lines: the first of each group stand for the rest.
    others = "document.querySelectorAll('.api-operation ~ .api-operation:not([open])')"
    page.evaluate(f"{others}.forEach(one => one.remove())")
    is_well_made(page, "api")
