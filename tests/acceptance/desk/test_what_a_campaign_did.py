"""A campaign in a browser: it is paused while it leaves, resumed, ends, and accounts for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from mailer.db import Sessions, session_scope
from mailer.links import Signer
from mailer.models import Role, Sender
from tests.integration.campaigns.phased import LINKED, click
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.campaigns import SPRING, add_letters, draft, put_people, set_going, write_campaign
from tests.support.cast import ADA, BEN
from tests.support.desk import Desk, author_at_work
from tests.support.staff import through_the_form

pytestmark = needs_browser

SUBJECT = "Spring at the Reading Room"


@pytest.fixture
def room(sessions: Sessions, desk: str, signer: Signer, now: datetime, tmp_path: Path) -> Iterator[Desk]:
    """Ada and Ben have had a course; spring is leaving, to them and to four others."""
    with author_at_work(sessions, signer, now, tmp_path / "calm") as room:
        for email in (ADA, BEN):
            room.house.enroll(email)
        room.live_to(5)
        path = write_campaign(tmp_path, body=LINKED)
        with session_scope(sessions) as session:
            add_letters(session)
            put_people(session, range(1, 5), "calm", room.house.at)
            draft(session, [path], room.house.at)
            session.execute(update(Sender).values(track_clicks=True))
        set_going(room.house)
        room.house.plan()
        yield room


def test_a_campaign_is_paused_resumed_and_accounted_for(page: Page, room: Desk) -> None:
    through_the_form(page, Role.MARKETER)
    page.goto(f"/desk/campaigns/{SPRING}/progress")
    expect(page.get_by_text("It is leaving: 0 of 6 done.")).to_be_visible()
    page.get_by_role("link", name="Pause…").click()
    expect(page.get_by_text("6 mails that have not left will wait")).to_be_visible()
    page.get_by_label("Why").fill("the date in it is wrong")
    page.get_by_role("button", name="Pause it").click()
    expect(page.get_by_text("It is paused: nothing of it leaves until it is resumed.")).to_be_visible()
    expect(page.get_by_text("the date in it is wrong")).to_be_visible()
    assert room.house.send() == {}
    is_well_made(page, "sent-progress")
    page.get_by_role("link", name="Resume…").click()
    page.get_by_role("button", name="Resume it").click()
    room.server.replies["RCPT"] = ["550 5.1.1 no such user"]
    room.house.send()
    room.house.plan()
    # Nobody reloads the page.
    expect(page.get_by_text("It has ended: 5 of 6 people got it.")).to_be_visible(timeout=9000)
    page.get_by_role("link", name="Statement").click()
    expect(page.get_by_text("It balances: all 6 mails are accounted for.")).to_be_visible()
    expect(page.get_by_text("6 in the audience = 5 accepted + 1 bounced")).to_be_visible()
    is_well_made(page, "sent-statement")
    page.get_by_role("link", name="1 bounced").click()
    expect(page.get_by_role("cell", name="@reader.example")).to_have_count(1)
    expect(page.get_by_text("550 5.1.1 no such user")).to_be_visible()
    is_well_made(page, "sent-missing")
    expect(page.get_by_role("link", name="Its whole story")).to_be_visible()
    click(room.house, SUBJECT, 2)
    page.get_by_role("link", name="Links").click()
    expect(page.get_by_role("row", name="https://reading.example/windows 2 0 2")).to_be_visible()
    expect(page.frame_locator("iframe").get_by_text("2", exact=True)).to_be_visible()
    is_well_made(page, "sent-links")
    page.get_by_role("link", name="Statement").click()
    page.get_by_role("link", name="To those who did not click").click()
    # Six, less the one that bounced and the two who clicked.
    expect(page.get_by_text("It would reach 3 people as of now.")).to_be_visible()
    opens(page, "Reports")
    expect(page.get_by_role("row", name=SUBJECT)).to_contain_text("5")
    page.get_by_role("link", name="A calm week").click()
    expect(page.get_by_role("heading", name="Step by step")).to_be_visible()
    is_well_made(page, "reports-course")
