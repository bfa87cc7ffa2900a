"""A reader's whole way in a browser without JavaScript, from a form to leaving; and from right to left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from mailer.audience.forms import FormText, add_form
from mailer.db import Sessions, session_scope
from mailer.embedded.redis import EmbeddedRedis
from mailer.launch.messages import publish_system_mails
from mailer.links import Signer
from mailer.models import Delivery, DeliveryKind, Subscriber, Subscription
from mailer.queue import Broker
from mailer.settings import Settings
from mailer.web.subscriber.guard import MOST, Cap
from tests.support.browser import NARROW, WIDE, chromium, is_well_made, needs_browser, overflows, picture
from tests.support.browser import serious_findings as findings
from tests.support.reader_pages import (
    SECRET,
    TITLE,
    Links,
    Reader,
    gets_week,
    make_course,
    running_app,
    stop_clock,
    with_welcome,
)

pytestmark = needs_browser

ARABIC = FormText(
    list_slug="neck",
    title="رقبة أهدأ في ثلاثة أيام",
    words="ثلاث رسائل قصيرة.\n\nلا تكلّف شيئًا.",
    consent="نعم، أرسلوا إليّ الدورة.",
    language="ar",
    asks_name=True,
    is_health=True,
)
ENGLISH = FormText(
    list_slug="neck",
    title="A calmer neck in three days",
    words="Three short letters, each with one small thing to try.\n\nThey cost nothing.",
    consent="Yes, please send me the course.",
    asks_name=True,
    is_health=True,
)


class Site(NamedTuple):
    address: str
    links: Links


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(database_url: str, sessions: Sessions, redis: EmbeddedRedis, now: datetime) -> Iterator[Site]:
    Broker(redis.broker_url).empty()
    with session_scope(sessions) as session:
        stop_clock(session, now)
        make_course(session)
        publish_system_mails(session)
        add_form(session, "neck-page", ENGLISH, now)
        add_form(session, "neck-ar", ARABIC, now)
    settings = Settings(database_url=database_url, redis_url=redis.broker_url, secret_key=(SECRET,))
    with running_app(settings) as address:
        yield Site(address, Links(Signer([SECRET]), now))


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A phone whose owner has switched JavaScript off. Nothing is kept in it."""
    context = browser.new_context(
        base_url=site.address,
        viewport={"width": NARROW[0], "height": NARROW[1]},
        java_script_enabled=False,
    )
    yield context.new_page()
    assert context.cookies() == []
    context.close()


@pytest.fixture
def watched(browser: Browser, site: Site) -> Iterator[Page]:
    """A browser with JavaScript, in which what a page's policy refuses fails the test."""
    context = browser.new_context(base_url=site.address)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    yield page
    context.close()
    assert [line for line in said if "status of 4" not in line] == []


def press(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def eva(sessions: Sessions) -> Reader:
    """Whoever signed up, with the newest mail to her."""
    with sessions() as session:
        who = session.scalars(select(Subscriber)).one()
        mine = select(Delivery.id).where(Delivery.subscriber_id == who.id).order_by(Delivery.id.desc())
        newest = session.scalars(mine).first()
        assert newest is not None
        return Reader(who.id, session.scalars(select(Subscription.id)).one(), newest)


def test_eva_signs_up_confirms_changes_her_pace_answers_and_leaves(
    page: Page, site: Site, sessions: Sessions, now: datetime
) -> None:
    page.goto("/f/neck-page")
    page.get_by_label("Your email address").fill("eva@example.org")
    page.get_by_label("Your name").fill("Eva")
    page.get_by_label("I know that asking for this says something about my health").check()
    press(page, "Sign up")
    expect(page.get_by_role("heading", level=1)).to_have_text("Please look in your inbox")
    reader = eva(sessions)
    page.goto(site.links.confirm(reader))
    press(page, "Yes, send it to me")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are in.")
    with session_scope(sessions) as session:
        reader = with_welcome(session, reader)
    page.goto(site.links.pace(reader))
    page.get_by_label("A lesson", exact=True).select_option("every other day")
    press(page, "Choose this pace")
    expect(page.get_by_role("status")).to_contain_text("Saved. The lessons come at the pace you chose.")
    with session_scope(sessions) as session:
        reader = gets_week(session, reader, "day-1", week=1, now=now)
    page.goto(site.links.mail(reader, "/check-in?answer=done"))
    press(page, "Done")
    expect(page.get_by_role("heading", level=1)).to_have_text("Well done.")
    page.goto(site.links.unsubscribe(reader))
    press(page, f"Stop “{TITLE}”")
    expect(page.get_by_role("heading", level=1)).to_have_text("Done. It has stopped.")
    # What is kept of her she is mailed the way to, also after she left; and she goes for good.
    page.get_by_role("link", name="What you get from us").click()
    press(page, "Download my data, or erase me")
    with sessions() as session:
        mail = session.scalars(select(Delivery.id).where(Delivery.kind == DeliveryKind.DATA)).one()
    token = site.links.signer.delivery_token(mail)
    page.goto(f"/m/{token}/data")
    press(page, "Show it here")
    expect(page.get_by_text("eva@example.org", exact=True)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()
    assert download.value.suggested_filename == "my-data.json"
    page.get_by_role("link", name="Erase me…").click()
    page.get_by_label("I know that this cannot be undone.").check()
    press(page, "Erase everything about me")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are forgotten")


def test_above_the_caps_a_browser_proves_its_work_by_itself(
    watched: Page, site: Site, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, Cap.NETWORK, type(MOST[Cap.NETWORK])(0, namespace="steadypost"))
    watched.goto("/f/neck-page")
    watched.get_by_label("Your email address").fill("eva@example.org")
    watched.get_by_label("I know that asking for this").check()
    watched.get_by_role("button", name="Sign up").click()
    watched.wait_for_url(re.compile("/f/neck-page/sent"), timeout=30_000)
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).one() == "pending"


def test_without_javascript_there_is_a_way_that_only_takes_waiting(
    page: Page, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST, Cap.NETWORK, type(MOST[Cap.NETWORK])(0, namespace="steadypost"))
    page.goto("/f/neck-page")
    page.get_by_label("Your email address").fill("eva@example.org")
    page.get_by_label("I know that asking for this").check()
    press(page, "Sign up")
    expect(page.get_by_text("Please wait for 2 minutes, then press the button.")).to_be_visible()
    expect(page.get_by_text("doing a small sum")).to_be_hidden()
    picture(page, "reader-work-320")
    press(page, "Sign up")
    expect(page.get_by_text("Please wait for 2 minutes, then press the button.")).to_be_visible()


def pages_of(site: Site, sessions: Sessions, now: datetime) -> dict[str, str]:
    """Every page of a reader who has had a week, by a name for its picture."""
    with session_scope(sessions) as session:
        reader = with_welcome(session, eva(sessions))
    with session_scope(sessions) as session:
        reader = gets_week(session, reader, "day-1", week=1, now=now)
    token = site.links.signer.delivery_token
    with sessions() as session:
        mails = select(Delivery.id).where(Delivery.kind == DeliveryKind.DATA)
        data = token(session.scalars(mails).one())
    return {
        "confirmed": site.links.confirm(reader),
        "manage": site.links.manage(reader),
        "pace": site.links.pace(reader),
        "unsubscribe": site.links.unsubscribe(reader),
        "check-in": site.links.mail(reader, "/check-in?answer=not-yet"),
        "progress": site.links.mail(reader, "/progress"),
        "data": f"/m/{data}/data",
        "erase": f"/m/{data}/erase",
        "not-found": "/nowhere",
        "archive": "/archive",
    }


def signs_up(page: Page, site: Site, sessions: Sessions, slug: str) -> Reader:
    page.goto(f"/f/{slug}")
    page.locator("#email").fill("eva@example.org")
    page.locator("input[name=agree]").check()
    page.locator("button").click()
    page.wait_for_url(re.compile(f"/f/{slug}/sent"))
    reader = eva(sessions)
    page.goto(site.links.confirm(reader))
    page.locator("button").click()
    page.goto(site.links.manage(reader))
    page.locator("button[value=data]").click()
    return reader


def test_every_page_is_well_made(watched: Page, site: Site, sessions: Sessions, now: datetime) -> None:
    watched.goto("/f/neck-page")
    is_well_made(watched, "reader-form")
    signs_up(watched, site, sessions, "neck-page")
    watched.goto("/f/neck-page/sent")
    is_well_made(watched, "reader-sent")
    pages = pages_of(site, sessions, now)
    for name in ("manage", "data", "erase", "archive"):
        watched.goto(pages[name])
        is_well_made(watched, f"reader-{name}")
    watched.goto(pages["data"])
    _opens_all_that_is_kept(watched)
    is_well_made(watched, "reader-data-shown")


def _opens_all_that_is_kept(page: Page) -> None:
    """From the page that leads to it: what is kept, with every folded part unfolded."""
    page.locator("button[name=show]").click()
    page.wait_for_load_state()
    for part in page.locator("summary").all():
        part.click()


def test_from_right_to_left_everything_fits_and_nothing_is_left_in_english(
    watched: Page, site: Site, sessions: Sessions, now: datetime
) -> None:
    watched.set_extra_http_headers({"Accept-Language": "ar"})
    watched.goto("/f/neck-ar")
    addresses = {"form": "/f/neck-ar", "sent": "/f/neck-ar/sent"}
    signs_up(watched, site, sessions, "neck-ar")
    addresses |= pages_of(site, sessions, now)
    for name, address in addresses.items():
        watched.goto(address)
        assert watched.locator("html").get_attribute("dir") == "rtl", name
        assert watched.locator("html").get_attribute("lang") == "ar", name
        for width, height in (NARROW, WIDE):
            watched.set_viewport_size({"width": width, "height": height})
            assert not overflows(watched), f"{name} is wider than {width} px"
            picture(watched, f"reader-ar-{name}-{width}")
        assert findings(watched) == [], name
        if name == "data":
            _opens_all_that_is_kept(watched)
            assert not overflows(watched)
            picture(watched, f"reader-ar-data-shown-{WIDE[0]}")
            watched.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
            assert not overflows(watched)
            picture(watched, f"reader-ar-data-shown-{NARROW[0]}")
            assert findings(watched) == [], "shown"
        assert re.findall(r"\b(?:the|you|your|and|this)\b", watched.locator("main").inner_text()) == [], name
