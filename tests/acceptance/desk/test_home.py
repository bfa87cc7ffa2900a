"""Home in a browser: a new house and one that is at work; and back in after a forgotten password."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, text

from mailer.db import Sessions, business_now, session_scope
from mailer.delivery.holds import pause
from mailer.delivery.senders import add_sender
from mailer.launch import outlook
from mailer.models import Campaign, HoldScope, Message, Role, Sender
from mailer.outbox import campaign_source
from mailer.schedule.courses import get_course
from mailer.settings import Settings
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.cast import ADA, BEN, CLEO, join_course, publish_folder, write_course
from tests.support.reader_pages import running_app
from tests.support.scripted_smtp import scripted_smtp
from tests.support.staff import STAFF, hire, through_the_form

pytestmark = needs_browser

SENDER = {"name": "The Reading Room", "email": "post@example.org", "postal_address": "12 Quiet Lane, Bristol"}

SUBJECTS = {
    "july-letter": "What thirty quiet mornings did for my neck, my sleep and my family: the long July letter",
    "june-letter": "The June letter",
}


def at_work(sessions: Sessions, folder: Path) -> None:
    """A course with three readers, a campaign sent and one to come, a hold, a limit that is too small."""
    with session_scope(sessions) as session:
        now = business_now(session)
        publish_folder(session, write_course(folder / "calm"), now)
        for email in (ADA, BEN, CLEO):
            join_course(session, get_course(session, "calm"), email, now)
        session.execute(text("UPDATE deliveries SET state = 'accepted', settled_at = due_at"))
        sender, message = (
            session.scalars(select(Sender.id)).one(),
            session.scalars(select(Message.id)).first(),
        )
        for number, (slug, subject) in enumerate(SUBJECTS.items()):
            session.add(
                Campaign(
                    slug=slug,
                    subject=subject,
                    language="en",
                    messages={"en": message},
                    list_ids=[],
                    sender_id=sender,
                    state=("scheduled", "finished")[number],
                    starts_at=now + timedelta(days=(2, -20)[number]),
                    begun_at=(None, now - timedelta(days=20))[number],
                    audience=(0, 48_312)[number],
                )
            )
        session.flush()
        sent = session.scalars(select(Campaign.id).where(Campaign.slug == "june-letter")).one()
        session.execute(
            text(
                "INSERT INTO moves (lane, source, kind, new_state, mails) "
                "VALUES ('campaign', :source, 'campaign', 'accepted', 48201), "
                "('campaign', :source, 'campaign', 'bounced', 111)"
            ),
            {"source": campaign_source(sent)},
        )
        session.execute(
            text(
                "INSERT INTO send_limits (transport_id, period, most, filled_at, since) "
                "SELECT id, 'day', 5, now(), now() FROM transports"
            )
        )
        pause(session, HoldScope.COURSE, "calm", now, who="opal@example.org", reason="a typo in day 2")
        outlook.work_out(session)


def test_home_of_a_new_house_and_of_one_at_work(page: Page, sessions: Sessions, tmp_path: Path) -> None:
    through_the_form(page, Role.MARKETER)
    expect(page.get_by_role("heading", name="What to do first")).to_be_visible()
    is_well_made(page, "home-empty")
    at_work(sessions, tmp_path)
    page.reload()
    expect(page.get_by_role("heading", name="What goes out")).to_be_visible()
    expect(page.get_by_text("more than may leave in a day").first).to_be_visible()
    expect(page.get_by_role("cell", name="48,201")).to_be_visible()
    is_well_made(page, "home")
    page.get_by_role("button", name="Count anew").click()
    expect(page.get_by_text("new ones are being worked out")).to_be_visible()
    with session_scope(sessions) as session:
        outlook.work_out(session)
    # Nobody touches the page: it looks again by itself.
    expect(page.get_by_role("button", name="Count anew")).to_be_visible(timeout=8000)


def test_a_forgotten_password_ends_signed_in(
    settings: Settings, sessions: Sessions, browser: Browser
) -> None:
    hire(sessions)
    with session_scope(sessions) as session:
        add_sender(session, "news", SENDER, "tests")
    with (
        scripted_smtp() as server,
        running_app(settings.replace(smtp_url=server.url)) as address,
        browser.new_context(base_url=address) as context,
    ):
        page = context.new_page()
        page.goto("/desk/sign-in")
        page.get_by_role("link", name="Forgotten your password?").click()
        page.get_by_label("Address").fill(STAFF[Role.OWNER][0])
        is_well_made(page, "forgotten")
        page.get_by_role("button", name="Mail me a link").click()
        expect(page.get_by_text("a mail with a link is on its way")).to_be_visible()
        until = time.monotonic() + 10
        while not server.mails and time.monotonic() < until:
            page.wait_for_timeout(50)
        found = re.search(r"/desk/join/[\w-]+", server.mails[0].get_content())
        assert found
        page.goto(found[0])
        page.get_by_label("A password").fill("a new and better password")
        page.get_by_label("The password again").fill("a new and better password")
        page.get_by_role("button", name="Keep it and sign in").click()
        expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
        opens(page, "Settings")
        page.get_by_text("Change this").click()
        is_well_made(page, "settings")
