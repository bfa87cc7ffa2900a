"""A reader's way through the pages in a real browser: on a phone and a desk, light and dark, no script."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from mailer.db import Sessions, session_scope
from mailer.embedded.redis import EmbeddedRedis
from mailer.links import Signer
from mailer.models import SubscriptionState
from mailer.settings import Settings
from tests.support.browser import chromium, needs_browser
from tests.support.reader_pages import (
    SECRET,
    TITLE,
    Links,
    Reader,
    gets_week,
    make_course,
    running_app,
    signs_up,
    standing,
    stop_clock,
    with_welcome,
)

SMALLEST_TARGET = 44
"""Pixels: what a thumb hits (WCAG 2.2, 2.5.5)."""

pytestmark = needs_browser


class Site(NamedTuple):
    """The running application, and the links of Ada (not confirmed), Ben and Dora (both on the list).

    Dora looks at the welcome of her course, Ben at the mail that asked him to confirm.
    """

    address: str
    links: Links
    ada: Reader
    ben: Reader
    dora: Reader


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(database_url: str, sessions: Sessions, redis: EmbeddedRedis, now: datetime) -> Iterator[Site]:
    with session_scope(sessions) as session:
        stop_clock(session, now)
        course = make_course(session)
        ada = signs_up(session, course, now)
        ben = signs_up(
            session, course, now, email="ben@example.org", name="Ben", then=SubscriptionState.ACTIVE
        )
        dora = signs_up(
            session, course, now, email="dora@example.org", name="Dora", then=SubscriptionState.ACTIVE
        )
        dora = with_welcome(session, dora)
        ben = gets_week(session, ben, "day-1", week=1, now=now)
    settings = Settings(database_url=database_url, redis_url=redis.broker_url, secret_key=(SECRET,))
    with running_app(settings) as address:
        yield Site(address, Links(Signer([SECRET]), now), ada, ben, dora)


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A phone whose owner has switched JavaScript off."""
    context = browser.new_context(
        base_url=site.address, viewport={"width": 375, "height": 667}, java_script_enabled=False
    )
    yield context.new_page()
    assert context.cookies() == []
    context.close()


def press(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def test_ada_confirms_with_one_press_that_needs_no_scrolling(page: Page, site: Site) -> None:
    page.goto(site.links.confirm(site.ada))
    button = page.get_by_role("button").bounding_box()
    assert button is not None
    assert button["y"] + button["height"] < 667
    press(page, "Yes, send it to me")
    assert page.get_by_role("heading", level=1).inner_text() == "You are in."
    assert page.get_by_text("Tuesday, March 3, 2026").is_visible()


def test_ben_leaves_changes_his_mind_and_is_asked_by_mail(page: Page, site: Site, sessions: Sessions) -> None:
    page.goto(site.links.unsubscribe(site.ben))
    press(page, f"Stop “{TITLE}”")
    assert page.get_by_role("heading", level=1).inner_text() == "Done. It has stopped."
    press(page, "Sign up again")
    assert page.get_by_role("heading", level=1).inner_text() == "Please look in your inbox"
    with sessions() as session:
        assert standing(session, site.ben).subscription == "pending"


def test_dora_pauses_instead_of_leaving_thinks_again_and_asks_for_the_next_lesson(
    page: Page, site: Site
) -> None:
    page.goto(site.links.unsubscribe(site.dora))
    press(page, "Pause for two weeks")
    assert page.get_by_text("Paused until Monday, March 16, 2026").is_visible()
    # Day 1 was to come on the 3rd: fourteen days later.
    assert page.get_by_text("Tuesday, March 17, 2026").is_visible()
    press(page, "Undo")
    assert page.get_by_role("status").inner_text() == "Undone. All is as it was before."
    assert page.get_by_text("Tuesday, March 3, 2026").is_visible()
    page.get_by_label("A lesson", exact=True).select_option("every other day")
    press(page, "Choose this pace")
    page.get_by_label("Friday").check()
    press(page, "Choose these days")
    assert page.get_by_text("Friday, March 6, 2026").is_visible()
    press(page, "Send me the next lesson now")
    assert page.get_by_role("status").inner_text().startswith("The next lesson is on its way.")
    assert "?done=" in page.url
    page.reload()
    assert page.get_by_role("button", name="Send me the next lesson now").count() == 0


def test_ben_leaves_everything_and_finds_it_so_on_his_page(page: Page, site: Site) -> None:
    page.goto(site.links.unsubscribe(site.ben))
    press(page, "Stop everything from us")
    with page.expect_navigation():
        page.get_by_role("link", name="What you get from us").click()
    assert page.get_by_text("Stopped", exact=True).is_visible()


def test_ben_changes_his_language_with_the_keyboard_alone(page: Page, site: Site) -> None:
    page.goto(site.links.manage(site.ben))
    page.get_by_label("Your language").focus()
    page.keyboard.type("Deutsch")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator("html").get_attribute("lang") == "de"
    assert page.get_by_role("status").inner_text() == "Gespeichert."


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_sticks_out_and_everything_can_be_hit(browser: Browser, site: Site, width: int) -> None:
    context = browser.new_context(base_url=site.address, viewport={"width": width, "height": 800})
    page = context.new_page()
    for address in addresses(site):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
        for target in page.locator(
            "button, input:not([type=hidden]), select, footer a, .weeks a, .target"
        ).all():
            box = target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= SMALLEST_TARGET, (address, target)
    context.close()


def test_the_page_still_fits_when_a_reader_doubles_the_text(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.address, viewport={"width": 375, "height": 800})
    page = context.new_page()
    for address in addresses(site):
        page.goto(address)
        page.evaluate("document.documentElement.style.fontSize = '34px'")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, address
    context.close()


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(250, 247, 242)"), ("dark", "rgb(19, 26, 25)")])
def test_the_pages_follow_the_readers_light(browser: Browser, site: Site, scheme: str, paper: str) -> None:
    context = browser.new_context(base_url=site.address, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    page.goto(site.links.unsubscribe(site.ben))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    context.close()


def test_the_focus_can_be_seen(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    page.goto(site.links.unsubscribe(site.ben))
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid 3px" in outline
    context.close()


def test_nothing_is_refused_by_the_pages_own_policy(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for address in addresses(site):
        page.goto(address)
    assert said == []
    context.close()


def test_ben_says_how_his_week_went_and_finds_it_on_his_page(
    page: Page, site: Site, sessions: Sessions
) -> None:
    page.goto(site.links.mail(site.ben, "/check-in?answer=not-yet"))
    assert "Not yet" in (page.locator("button.main").text_content() or "")
    press(page, "Too hard")
    assert page.get_by_role("heading", name="Whom you can ask").is_visible()
    with page.expect_navigation():
        page.get_by_role("link", name="Your progress").click()
    row = page.get_by_role("row", name="Week 1")
    assert "Too hard" in row.inner_text()
    with page.expect_navigation():
        row.get_by_role("link").click()
    press(page, "Done")
    assert page.get_by_role("heading", level=1).inner_text() == "Well done."


def addresses(site: Site) -> list[str]:
    """Every kind of page that can be looked at without changing anything."""
    links, ada, ben = site.links, site.ada, site.ben
    course_pages = [links.pace(ben), links.pace(site.dora), links.unsubscribe(site.dora)]
    week_pages = [links.mail(ben, "/check-in?answer=not-yet"), links.mail(ben, "/progress")]
    # A mail has no icon of ours, and a browser asks for one a moment after it: so it comes last.
    mail_pages = [links.unsubscribe(ben), links.manage(ben), *week_pages, links.mail(ben)]
    return ["/", links.confirm(ada), links.confirm(ben), *course_pages, *mail_pages]
