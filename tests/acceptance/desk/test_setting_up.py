"""Opal sets up how mail leaves, and Owen who is told of it, in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.scripted_smtp import scripted_smtp
from tests.support.staff import PASSWORD, through_the_form

pytestmark = needs_browser


def test_opal_adds_a_sender_and_a_transport_and_limits_it(page: Page) -> None:
    through_the_form(page, Role.OPERATOR)
    opens(page, "Senders")
    is_well_made(page, "senders-empty")
    page.get_by_label("Its name here").fill("news")
    page.get_by_label("The name that people see").fill("The Reading Room")
    page.get_by_label("Its address").fill("post@example.org")
    page.get_by_label("Postal address").fill("12 Quiet Lane, Bristol")
    page.get_by_role("button", name="Add it").click()
    page.get_by_role("button", name="Make a key", exact=True).click()
    expect(page.get_by_text("Publish its record, then activate it.")).to_be_visible()
    is_well_made(page, "sender")
    with scripted_smtp() as server:
        opens(page, "Transports")
        page.get_by_text("Add a transport").click()
        page.get_by_label("Its name here").fill("relay2")
        page.get_by_label("Its URL").fill(server.url)
        page.get_by_role("button", name="Try it and add it").click()
        expect(page.get_by_text("Added relay2: it lets us in.")).to_be_visible()
    page.get_by_label("At most so many mails").fill("1000")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_text("relay2: at most 1,000 mails an hour.")).to_be_visible()
    is_well_made(page, "transport")
    page.get_by_role("link", name="Remove this transport").click()
    is_well_made(page, "transport-remove")
    page.get_by_role("link", name="Keep it").click()
    opens(page, "Transports")
    is_well_made(page, "transports")


def test_owen_has_a_program_told(page: Page) -> None:
    through_the_form(page, Role.OWNER)
    opens(page, "Webhooks")
    is_well_made(page, "webhooks-empty")
    page.get_by_role("textbox", name="Name").fill("Shop")
    page.get_by_role("textbox", name="Address").fill("https://shop.example/hook")
    page.get_by_label("subscriber.confirmed").check()
    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_role("button", name="Add it").click()
    is_well_made(page, "webhook-secret")
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("A test is on its way")).to_be_visible()
    is_well_made(page, "webhook")
