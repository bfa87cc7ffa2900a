"""Signing in with a second factor, in a browser: one-time codes, recovery codes and passkeys."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from mailer.db import Sessions
from mailer.models import Role
from mailer.settings import Settings
from tests.support.browser import WIDE, is_well_made, needs_browser
from tests.support.reader_pages import running_app
from tests.support.staff import PASSWORD, hire, through_the_form

pytestmark = needs_browser


def signs_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_marc_sets_up_codes_and_signs_in_with_one_and_then_with_a_recovery_code(page: Page) -> None:
    through_the_form(page, Role.MARKETER)
    page.get_by_role("link", name="Your login").click()
    expect(page.get_by_role("heading", name="Your login")).to_be_visible()
    is_well_made(page, "you")
    page.get_by_text("Set up one-time codes").click()
    page.locator("#current-codes").fill(PASSWORD)
    page.get_by_role("button", name="Show the QR code").click()
    expect(page.get_by_role("heading", name="One-time codes", exact=True)).to_be_visible()
    is_well_made(page, "codes")
    totp = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_label("Code").fill(totp.now())
    page.get_by_role("button", name="Turn on one-time codes").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    is_well_made(page, "recovery-codes")
    recovery = page.locator(".desk-codes code").first.inner_text()
    signs_out(page)

    through_the_form(page, Role.MARKETER)
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    page.get_by_label("Code").fill("123")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("does not fit")
    is_well_made(page, "second-factor")
    page.get_by_label("Code").fill(totp.at(time.time() + 30))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    signs_out(page)

    through_the_form(page, Role.MARKETER)
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("link", name="Your login").click()
    expect(page.get_by_text("9 left")).to_be_visible()
    is_well_made(page, "you-with-codes")


@pytest.fixture
def named(settings: Settings, sessions: Sessions, browser: Browser) -> Iterator[Page]:
    """A browser at the desk under a name: passkeys belong to one, and to no number."""
    hire(sessions)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://localhost:{port}"
    context = browser.new_context(base_url=address, viewport={"width": WIDE[0], "height": WIDE[1]})
    with running_app(settings.replace(base_url=address), port):
        yield context.new_page()
    context.close()


def a_device(page: Page) -> CDPSession:
    """A device that keeps passkeys, and whose owner puts their finger on it whenever it asks."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    return device


def test_opal_keeps_a_passkey_signs_in_with_it_and_removes_it(named: Page) -> None:
    page = named
    a_device(page)
    through_the_form(page, Role.OPERATOR)
    page.get_by_role("link", name="Your login").click()
    page.get_by_text("Add a passkey").click()
    page.get_by_label("A name for it").fill("My telephone")
    page.locator("#current-new-key").fill(PASSWORD)
    page.get_by_role("button", name="Ask this device").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("not used yet")).to_be_visible()
    is_well_made(page, "you-with-a-passkey")
    signs_out(page)

    is_well_made(page, "sign-in-with-passkeys")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    signs_out(page)

    through_the_form(page, Role.OPERATOR)  # the password is not enough any more
    expect(page.get_by_role("heading", name="Your second factor")).to_be_visible()
    is_well_made(page, "second-factor-passkey")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    page.get_by_role("link", name="Your login").click()
    page.get_by_text("Remove My telephone").click()
    page.locator("[id^=current-key-]").fill(PASSWORD)
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status").first).to_contain_text("opens nothing any more")
    signs_out(page)

    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("did not fit")
