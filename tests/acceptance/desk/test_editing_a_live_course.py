"""Marc changes a course that people are in: he sees what it means for them, chooses, and takes it back."""

from __future__ import annotations

from datetime import datetime

from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.links import Signer
from mailer.models import Delivery, DeliveryState, Role, Step, Subscriber
from mailer.settings import Settings
from tests.support.browser import is_well_made, needs_browser
from tests.support.cast import ADA, BEN
from tests.support.desk import Desk, author_at_work
from tests.support.staff import through_the_form

pytestmark = needs_browser

LESSONS = {"hello": 1, "rest": 2, "walk": 4, "breathe": 5, "stretch": 6}


def test_marc_edits_a_live_course_sees_the_effect_chooses_and_takes_it_back(
    page: Page, settings: Settings, sessions: Sessions, signer: Signer, now: datetime
) -> None:
    folder = settings.data_dir / "courses" / "calm"
    with author_at_work(sessions, signer, now, folder) as author:
        author.write(LESSONS)
        author.publish()
        # On the morning of Ada's fourth day: she has had two, and Ben, two days behind her, the first.
        author.house.enroll(ADA, "Etc/UTC")
        author.live_to(2)
        author.house.enroll(BEN, "Etc/UTC")
        author.live_to(4, hour=7)
        through_the_form(page, Role.MARKETER)
        page.goto("/desk/courses/calm")
        _drag(page, step(page, "About stretch").locator(".timeline-day"), step(page, "About walk"))
        expect(page.get_by_role("status")).to_have_text("Moved 05-stretch.md.")
        page.get_by_role("button", name="Earlier: About breathe").press("Enter")
        expect(page.get_by_role("status")).to_have_text("Moved 04-breathe.md.")
        expect(page.locator(".timeline-what a")).to_have_text(
            ["About hello", "About rest", "About stretch", "About breathe", "About walk"]
        )
        _add(page, "A pause", day="3")
        is_well_made(page, "course-live-timeline")

        page.get_by_role("link", name="Publish").click()
        # Ada is past day 3; Ben is not, and has all that moves before him, as she has.
        row = page.get_by_role("row", name="a-pause")
        expect(row).to_contain_text("1 waiting: on its day; 1 already past: as chosen above")
        expect(page.get_by_role("row", name="stretch")).to_contain_text("2 waiting: new date")
        is_well_made(page, "course-live-effect")
        page.get_by_label("They get it next").check()
        page.get_by_role("button", name="Publish version 3").click()
        expect(page.get_by_text("Published calm as version 3.")).to_be_visible()
        author.live_to(4)
        assert had(author, ADA) == ["hello", "rest", "a-pause"]
        assert had(author, BEN) == ["hello", "rest"]

        page.get_by_role("link", name="Versions").click()
        page.get_by_role("link", name="Take back version 3").click()
        page.get_by_role("button", name="Take back version 3").click()
        expect(page.get_by_text("calm is as it was in version 2")).to_be_visible()
        author.live_to(14)
        # What was sent stays sent; the rest is as it was.
        assert had(author, ADA) == ["hello", "rest", "a-pause", "walk", "breathe", "stretch"]
        assert had(author, BEN) == ["hello", "rest", "walk", "breathe", "stretch"]


def step(page: Page, subject: str) -> Locator:
    return page.locator(".timeline-step", has_text=subject)


def _drag(page: Page, what: Locator, before: Locator) -> None:
    """With the mouse held down, in small moves, as a hand does."""
    before.scroll_into_view_if_needed()
    start, end = what.bounding_box(), before.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + 20, start["y"] - 10, steps=3)
    page.mouse.move(end["x"] + 30, end["y"] + end["height"] / 4, steps=12)
    for jitter in (2, 4, 6):  # a hand is never quite still, and the list looks at it again each time
        page.mouse.move(end["x"] + 30 + jitter, end["y"] + end["height"] / 4 - jitter, steps=2)
        page.wait_for_timeout(60)
    page.mouse.up()


def _add(page: Page, subject: str, day: str) -> None:
    page.get_by_text("Add a step").click()
    page.get_by_label("Subject").fill(subject)
    page.get_by_label("Day", exact=True).fill(day)
    page.get_by_role("button", name="Add it and write it").click()
    page.get_by_role("link", name="Back to the course").click()


def had(author: Desk, email: str) -> list[str]:
    """The lessons that servers took for somebody, in order."""
    with session_scope(author.sessions) as session:
        return list(
            session.execute(
                select(Step.key)
                .join(Delivery, Delivery.step_id == Step.id)
                .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
                .where(Subscriber.email == email, Delivery.state == DeliveryState.ACCEPTED)
                .order_by(Delivery.settled_at)
            ).scalars()
        )
