"""The first minutes: `steadypost up` on an empty folder, in a browser, to a mail that arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import WIDE, is_well_made, needs_browser
from tests.support.servers import short_folder
from tests.support.stack import Running, running
from tests.support.staff import PASSWORD

pytestmark = needs_browser


@pytest.fixture
def up() -> Iterator[Running]:
    with short_folder() as data_dir, running(data_dir, "up") as stack:
        stack.wait_for("course publish")
        yield stack


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    yield context.new_page()
    context.close()


def test_owen_sets_up_and_reads_his_first_mail(up: Running, new_page: Page) -> None:
    page = new_page
    found = re.search(r"http\S+/desk/setup\?key=\S+", up.printed)
    assert found, up.printed
    page.goto(found[0])
    expect(page.get_by_role("heading", name="Set up Steadypost")).to_be_visible()
    is_well_made(page, "setup")
    page.get_by_label("Your name").fill("Owen")
    page.get_by_label("Your address").fill("owen@example.org")
    page.get_by_label("A password").fill(PASSWORD)
    page.get_by_label("Its name").fill("The Reading Room")
    page.get_by_label("Your postal address").fill("12 Quiet Lane, Bristol")
    page.get_by_role("button", name="Set up and go on").click()
    expect(page.get_by_role("heading", name="A first mail, to yourself")).to_be_visible()
    is_well_made(page, "first-mail")
    page.get_by_role("button", name="Send me the first mail").click()
    expect(page.get_by_text("It was accepted")).to_be_visible()
    is_well_made(page, "first-mail-sent")
    page.get_by_role("link", name="Read it in the local mailbox").click()
    expect(page.get_by_text("Your first mail from Steadypost").first).to_be_visible()
