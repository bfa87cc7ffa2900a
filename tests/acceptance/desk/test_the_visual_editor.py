"""Marc turns a campaign into MJML and designs it, on a page that runs nothing of what is in the mail."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from mailer.content.campaign_text import CampaignText, File
from mailer.content.visual import design_of
from mailer.db import Sessions, session_scope
from mailer.launch.campaign_draft import create_draft
from mailer.models import Role
from mailer.settings import Settings
from tests.conftest import NOW
from tests.support.browser import WIDE, is_well_made, needs_browser, serious_findings
from tests.support.designs import EVERYTHING
from tests.support.newsroom import set_up_news
from tests.support.reader_pages import running_app
from tests.support.staff import hire, through_the_form

pytestmark = needs_browser


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    set_up_news(sessions)
    hire(sessions, Role.MARKETER)
    matter = "---\nslug: every\nsubject: Everything\nlists: [news]\n---\n"
    with session_scope(sessions) as session:
        text = CampaignText((File("every.mjml", f"{matter}{EVERYTHING}"),))
        create_draft(session, "every", text, NOW, who="tests")
    with running_app(settings) as address:
        yield address


def test_a_markdown_text_is_turned_designed_and_sent_to_the_check(page: Page, desk: str) -> None:
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/new-campaign")
    page.get_by_label("Subject").fill("Spring walks")
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("link", name="Visual editor").click()
    assert serious_findings(page) == []
    page.get_by_role("button", name="Turn it into MJML").click()

    canvas = _canvas(page)
    page.get_by_role("button", name="Text", exact=True).click()
    canvas.get_by_text("Write here.").dblclick()
    page.keyboard.press("Control+A")
    page.keyboard.type("Bring {{ first_name }} and a friend.")
    expect(page.frame_locator("iframe.look-light").get_by_text("Bring Ada and a friend.")).to_be_visible()
    is_well_made(page, "campaign-visual")
    _by_keyboard(page)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("Saved.")
    expect(_canvas(page).get_by_text("Bring {{ first_name }} and a friend.")).to_be_visible()
    page.get_by_role("link", name="Check", exact=True).click()
    expect(page.get_by_text("To mend before it can be sent")).to_have_count(0)

    page.goto("/desk/campaigns/every/visual")
    _canvas(page)
    sent = json.loads(page.locator("#visual-tree").input_value())
    assert sent == design_of(EVERYTHING).tree, "opened and not touched, a mail goes back as it came"


def test_what_stands_in_a_mail_never_runs_where_it_is_drawn(browser: Browser, desk: str) -> None:
    context = browser.new_context(base_url=desk, viewport={"width": WIDE[0], "height": WIDE[1]})
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda line: said.append(line.text))
    page.on("request", lambda request: asked.append(request.url))
    through_the_form(page, Role.MARKETER)
    page.goto("/desk/campaigns/every/visual")
    canvas = _canvas(page)
    canvas.get_by_text("Leave").click()
    bad = (
        '<img src="x" onerror="top.hit=1"><a href="javascript:top.hit=2">Press</a><script>top.hit=3</script>'
    )
    html = page.get_by_label("Text, in HTML")
    html.fill(bad)
    html.press("Tab")
    canvas.get_by_text("Press").click()
    expect(page.locator("#look .problems")).to_contain_text("`<script>` cannot stand inside `<mj-text>`.")
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in line for line in said), "the browser was asked to, and refused"
    assert [url for url in asked if not url.startswith((desk, "data:", "blob:"))] == []
    page.reload()
    expect(page.get_by_text("Something stands in this text")).to_be_visible()
    assert page.locator("#visual-canvas").count() == 0
    context.close()


def _canvas(page: Page) -> FrameLocator:
    page.locator("#visual-editor[data-ready]").wait_for()
    return page.frame_locator("#visual-canvas iframe.gjs-frame")


def _by_keyboard(page: Page) -> None:
    """A part is chosen in the list, moved, taken out and brought back without a mouse."""
    parts = page.locator("#visual-parts")
    row = parts.get_by_role("button", name="Text: Bring")
    row.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove", exact=True).press("Enter")
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").press("Enter")
    expect(row).to_have_count(1)
