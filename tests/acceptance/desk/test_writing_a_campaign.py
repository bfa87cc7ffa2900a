"""Marc writes a campaign in a browser, tests and schedules it; Opal approves it in hers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mailer.db import Sessions
from mailer.models import Role
from mailer.reports import patience
from mailer.settings import Settings
from tests.support.browser import is_well_made, needs_browser
from tests.support.newsroom import set_up_news
from tests.support.reader_pages import running_app
from tests.support.staff import hire, through_the_form

pytestmark = needs_browser


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    """A desk with the list news, where campaigns need a second person."""
    set_up_news(sessions)
    hire(sessions, Role.MARKETER, Role.OPERATOR)
    with running_app(settings.replace(approval="campaigns")) as address:
        yield address


def test_from_an_empty_list_to_a_campaign_that_a_second_person_approved(
    page: Page, browser: Browser, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a house with very many mails: what has to be counted is fetched into its page.
    monkeypatch.setattr(patience, "MANY", -1)
    through_the_form(page, Role.MARKETER)
    page.get_by_role("link", name="Campaigns").first.click()
    is_well_made(page, "campaigns-empty")
    page.get_by_role("link", name="New campaign").click()
    page.get_by_label("Subject").fill("Spring walks")
    is_well_made(page, "campaign-new")
    page.get_by_role("button", name="Begin").click()
    _write(page)
    _say_whom_it_is_for(page)
    page.get_by_role("link", name="A/B test").click()
    is_well_made(page, "campaign-variants")
    page.get_by_role("link", name="Check", exact=True).click()
    is_well_made(page, "campaign-check")
    page.get_by_role("link", name="Test mail").click()
    is_well_made(page, "campaign-test")
    _schedule(page)
    page.get_by_role("link", name="Campaigns").first.click()
    expect(page.get_by_text("waiting for approval")).to_be_visible()
    is_well_made(page, "campaigns")

    second = browser.new_context(base_url=desk).new_page()
    through_the_form(second, Role.OPERATOR)
    second.goto("/desk/campaigns/spring-walks")
    second.get_by_role("link", name="Look at it and approve").click()
    mail = second.frame_locator(".look-light")
    expect(mail.get_by_text("The garden is open again.")).to_be_visible()
    is_well_made(second, "campaign-approve")
    second.get_by_role("button", name="Approve it for 10 people").click()
    expect(second.get_by_text("Approved spring-walks.")).to_be_visible()
    expect(second.get_by_text("opal@example.org", exact=True)).to_be_visible()
    is_well_made(second, "campaign-scheduled")
    second.context.close()


def _write(page: Page) -> None:
    """A mistake is told while it is typed, and the mail beside it follows what is written."""
    text = page.get_by_label("Text in Markdown")
    text.fill("# Spring walks\n\nSee {{ nothing_of_the_kind }}.\n")
    text.press("End")
    expect(page.locator("#look .problems")).to_contain_text("nothing_of_the_kind")
    text.fill("# Spring walks\n\n{{ greeting }}\n\nThe garden is open again.\n")
    text.press("End")
    frame = page.frame_locator("iframe.look-light")
    expect(frame.get_by_text("The garden is open again.")).to_be_visible()
    is_well_made(page, "campaign-edit")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("Saved.")


def _say_whom_it_is_for(page: Page) -> None:
    page.get_by_role("link", name="Audience").click()
    expect(page.locator(".reach-count")).to_have_text("10")
    page.get_by_label("News").first.uncheck()
    expect(page.get_by_text("Choose at least one list")).to_be_visible()
    page.get_by_label("News").first.check()
    expect(page.locator(".reach-count")).to_have_text("10")
    is_well_made(page, "campaign-audience")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved whom it is for.")).to_be_visible()


def _schedule(page: Page) -> None:
    page.get_by_role("link", name="Schedule", exact=True).click()
    page.get_by_label("Day").fill("2096-05-01")
    is_well_made(page, "campaign-schedule")
    page.get_by_role("button", name="See what will happen").click()
    expect(page.get_by_text("10 people").first).to_be_visible()
    is_well_made(page, "campaign-confirm")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("It waits for approval.")).to_be_visible()
    is_well_made(page, "campaign-waits")
