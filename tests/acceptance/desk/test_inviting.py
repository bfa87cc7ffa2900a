"""Owen invites somebody, and Marc is refused what only an owner may do; in a browser."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.staff import PASSWORD, through_the_form

pytestmark = needs_browser


def test_owen_invites_nina_who_makes_her_login(page: Page, browser: Browser, desk: str) -> None:
    through_the_form(page, Role.OWNER)
    opens(page, "People")
    page.get_by_label("Their address").fill("nina@example.org")
    page.get_by_label("reader:").check()
    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_role("button", name="Invite").click()
    link = page.get_by_label("The link, shown this once").input_value()
    is_well_made(page, "invitation-link")

    nina = browser.new_context(base_url=desk).new_page()
    nina.goto("/desk/join/" + link.rpartition("/")[2])
    is_well_made(nina, "join")
    nina.get_by_label("Your name").fill("Nina")
    nina.get_by_label("A password").fill(PASSWORD)
    nina.get_by_label("The password again").fill(PASSWORD)
    nina.get_by_role("button", name="Make my login").click()
    expect(nina.get_by_text("Nina (reader)").first).to_be_attached()
    nina.context.close()

    page.get_by_role("link", name="Back to people").click()
    page.get_by_label("Their address").fill("olga@example.org")
    page.get_by_label("operator:").check()
    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_role("button", name="Invite").click()
    page.get_by_role("link", name="Back to people").click()
    is_well_made(page, "people")
    page.get_by_role("link", name="Nina").click()
    is_well_made(page, "colleague")
    page.get_by_role("button", name="Suspend nina@example.org").click()
    expect(page.get_by_role("status").first).to_contain_text("cannot sign in")


def test_marc_is_refused_what_only_an_owner_may_do(page: Page) -> None:
    through_the_form(page, Role.MARKETER)
    expect(page.get_by_role("link", name="Your login")).to_be_visible()
    expect(page.locator("nav a", has_text="People")).to_have_count(0)
    page.goto("/desk/people")
    expect(page.get_by_role("heading", name="This is not for your role")).to_be_visible()
    expect(page.get_by_text("Only somebody who is an owner may do this")).to_be_visible()
    is_well_made(page, "not-for-your-role")


def test_marc_makes_a_token_for_a_program(page: Page) -> None:
    through_the_form(page, Role.MARKETER)
    page.get_by_role("link", name="API tokens").click()
    is_well_made(page, "tokens-empty")
    page.get_by_label("Name").fill("The shop")
    page.get_by_label("audience:").check()
    page.get_by_label("Your current password").fill(PASSWORD)
    page.get_by_role("button", name="Make the token").click()
    assert page.get_by_label("The new token, shown this once").input_value().startswith("sp_")
    is_well_made(page, "tokens")
    page.get_by_role("button", name="Revoke The shop").click()
    expect(page.get_by_text("You have no tokens")).to_be_visible()
