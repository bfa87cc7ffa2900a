"""The board in a browser: a failure is found, understood and cleared; a lane is paused and resumed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, text, update

from mailer import tally
from mailer.db import Sessions, session_scope
from mailer.models import Attempt, Delivery, DeliveryState, Heartbeat, LaneSample, Role, Subscriber
from mailer.queue import QUEUES
from mailer.reports.deliveries import delivery_view
from mailer.schedule.courses import get_course
from tests.support.browser import is_well_made, needs_browser, opens
from tests.support.cast import ADA, BEN, CLEO, join_course, publish_folder, write_course
from tests.support.staff import through_the_form

pytestmark = needs_browser

REFUSED = "554 5.7.1 Message blocked: spam score too high"


@pytest.fixture
def trouble(sessions: Sessions, desk: str, tmp_path: Path) -> dict[str, int]:
    """A course whose welcomes to Ada and Ben failed and Cleo waits; workers beat, an hour has samples."""
    with session_scope(sessions) as session:
        now = session.execute(text("SELECT clock_timestamp()")).scalar_one().astimezone(UTC)
        course = publish_folder(session, write_course(tmp_path / "calm"), now)
        for email in (ADA, BEN, CLEO):
            join_course(session, get_course(session, course.slug), email, now, "Europe/London")
        for queue in QUEUES:
            session.add(Heartbeat(queue=queue, worker=f"{queue}@reading-room", sent_at=now, seen_at=now))
        for number in range(60):
            session.add(_sample(now - timedelta(minutes=number + 1), 40 + number % 7))
    return {email: _refuse(sessions, email) for email in (ADA, BEN)}


def _sample(at: datetime, sent: int) -> LaneSample:
    values = {"put_off": 0, "refused": 0, "waiting": 3, "set_aside": 0, "oldest": 2.0}
    return LaneSample(
        span="minute", at=at.replace(second=0, microsecond=0), lane="course", sent=sent, **values
    )


def _refuse(sessions: Sessions, email: str) -> int:
    """A server refused this person's mail for good."""
    with session_scope(sessions) as session:
        person = select(Subscriber.id).where(Subscriber.email_key == email).scalar_subquery()
        number = session.scalars(
            update(Delivery)
            .where(Delivery.subscriber_id == person)
            .values(state="failed", reason="refused", code=554, reply=REFUSED[4:], settled_at=Delivery.due_at)
            .returning(Delivery.id)
        ).one()
        now = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        session.add(
            Attempt(delivery_id=number, at=now, outcome="failed", code=554, reply=REFUSED[4:], kind="policy")
        )
        tally.mend(session)
        return number


def test_an_operator_finds_understands_and_clears_a_failure(
    page: Page, trouble: dict[str, int], sessions: Sessions
) -> None:
    through_the_form(page, Role.OPERATOR)
    opens(page, "Board")
    expect(page.get_by_role("heading", name="Lanes")).to_be_visible()
    is_well_made(page, "board")
    page.get_by_role("link", name="Refused for policy, spam or reputation").click()
    expect(page.get_by_role("cell", name=ADA)).to_be_visible()
    page.get_by_role("link", name=re.compile("welcome to ada", re.IGNORECASE)).click()
    expect(page.get_by_text(REFUSED).first).to_be_visible()
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    is_well_made(page, "delivery")
    page.go_back()
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="Hold all of these")).to_have_count(0)
    expect(page.get_by_role("link", name="Try again all of these")).to_be_visible()
    is_well_made(page, "deliveries")
    page.get_by_role("link", name="Try again all of these").click()
    expect(page.get_by_role("heading", name="Try again: 2 mails?")).to_be_visible()
    is_well_made(page, "deliveries-act")
    page.get_by_role("button", name="Try again: 2 mails").click()
    expect(page.get_by_text("2 mails tried again; now planned.")).to_be_visible()
    with session_scope(sessions) as session:
        for number in trouble.values():
            assert delivery_view(session, number).row.state == DeliveryState.PLANNED


def test_an_operator_pauses_and_resumes_a_lane_and_the_board_follows_by_itself(
    page: Page, trouble: dict[str, int], sessions: Sessions
) -> None:
    through_the_form(page, Role.OPERATOR)
    opens(page, "Board")
    page.get_by_role("link", name="Pause the lane campaign").click()
    expect(page.get_by_role("heading", name="Pause lane campaign?")).to_be_visible()
    page.get_by_label("Why").fill("waiting for the lawyers")
    is_well_made(page, "hold-pause")
    page.get_by_role("button", name="Pause lane campaign").click()
    expect(page.get_by_text("Paused lane campaign.")).to_be_visible()
    is_well_made(page, "holds")
    page.goto("/desk/board")
    expect(page.get_by_text("Mail flows; paused: lane campaign.")).to_be_visible()
    # Somebody else resumes it; this page is not touched.
    with session_scope(sessions) as session:
        session.execute(text("UPDATE holds SET released_at = clock_timestamp()"))
    expect(page.get_by_text("Mail flows; nothing is late.")).to_be_visible(timeout=8000)
    expect(page.get_by_role("link", name="Pause the lane campaign")).to_be_visible()


def test_history_reasons_alarms_and_the_guide_are_well_made(page: Page, trouble: dict[str, int]) -> None:
    through_the_form(page, Role.OPERATOR)
    expect(page.get_by_role("heading", name="Needs attention")).to_be_visible()
    for path in ("history", "reasons", "alarms", "operating", "holds/release"):
        page.goto(f"/desk/{path}")
        is_well_made(page, path.replace("/", "-"))
