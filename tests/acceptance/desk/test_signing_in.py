"""Signing in and out in a browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from mailer.models import Role
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.staff import through_the_form

pytestmark = needs_browser


def test_opal_signs_in_sees_what_was_done_and_signs_out(page: Page) -> None:
    page.goto("/desk/audit")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    is_well_made(page, "sign-in")
    through_the_form(page, Role.OPERATOR)
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    opens(page, "Audit log")
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    is_well_made(page, "audit")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/desk/audit")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_told_in_one_sentence_that_gives_nothing_away(page: Page) -> None:
    for address in ("opal@example.org", "nobody@example.org"):
        page.goto("/desk/sign-in")
        page.get_by_label("Address").fill(address)
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text(
            "Address and password do not go together. Passwords are case-sensitive."
        )
