"""Every page of the desk with something on it: axe-core, no scrolling sideways, in light and in dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import func, select, update

from mailer.audience.fields import declare_field
from mailer.audience.segments import save_segment
from mailer.audience.subscribers import Changes, change_subscriber, get_subscriber
from mailer.audience.suppression import suppress
from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from mailer.delivery import holds
from mailer.links import Signer
from mailer.models import (
    AlarmChannel,
    BulkAct,
    Campaign,
    Course,
    Delivery,
    Enrollment,
    FieldType,
    HoldScope,
    ListAct,
    ListActKind,
    MailingList,
    Operator,
    Role,
    Suppression,
    SuppressionReason,
    Webhook,
)
from mailer.settings import Settings
from mailer.web.app import create_app
from tests.integration.campaigns.phased import LINKED, TWO, redraft
from tests.integration.desk.test_every_route import routes
from tests.support.browser import faults, needs_browser
from tests.support.campaigns import SPRING, add_letters, draft, put_people, set_going, write_campaign
from tests.support.cast import ADA, BEN
from tests.support.course_desk import PIXEL
from tests.support.desk import Desk, author_at_work
from tests.support.feeds import WEEKLY
from tests.support.staff import PASSWORD, Person, signs_in, through_the_form

pytestmark = needs_browser

GUIDE = Path(__file__).parents[2] / "support" / "guides" / "sleeping-better.md"
NO_PAGES = re.compile(
    r"\.(csv|zip|json)$|/(events|mail|frame|source|setup|preview|pictures/one)$"
    r"|/(media|sign-in|join)(/|$)|/guide/\{name\}"
)
"""Files, frames, pictures, and the pages that come before the desk, which have tests of their own."""


@pytest.fixture
def room(sessions: Sessions, signer: Signer, now: datetime, tmp_path: Path) -> Iterator[Desk]:
    """Ada and Ben are in a course that was published twice; their last mails were refused."""
    with author_at_work(sessions, signer, now, tmp_path / "calm") as room:
        for email in (ADA, BEN):
            room.house.enroll(email)
        room.live_to(2)
        room.write({"hello": 1, "rest": 2, "walk": 6}, rest="Another idea.")
        room.publish()
        room.server.replies["RCPT"] = ["550 5.1.1 no such user", "554 5.7.1 spam"]
        room.live_to(7)
        yield room


@pytest.fixture
def ids(desk: str, room: Desk, settings: Settings, tmp_path: Path) -> dict[str, str]:
    """One of everything, by the name that addresses have for it."""
    _people(room)
    owen = signs_in(desk, Role.OWNER)
    _campaigns(room, owen, tmp_path)
    made = _by_forms(room, owen)
    made["folder arrival"] = _draft(room, owen, Drafts(settings.data_dir))
    return made | _ids(room)


def _people(room: Desk) -> None:
    at = room.house.at
    with session_scope(room.sessions) as session:
        add_letters(session)
        put_people(session, range(1, 31), "calm", at)
        declare_field(session, "city", FieldType.TEXT)
        ada = get_subscriber(session, ADA)
        change_subscriber(
            session, ada, Changes(name="Ada Lovelace", tags_added=("walker",), fields={"city": "Bath"})
        )
        save_segment(session, "walkers", 'tag "walker"', "", at)
        suppress(session, "gone@reader.example", SuppressionReason.HARD_BOUNCE, at)
        lists = dict(session.execute(select(MailingList.slug, MailingList.id)).all())
        course_id = session.scalars(select(Course.id)).one()
        session.add(
            ListAct(kind=ListActKind.ENROLL, list_id=lists["calm"], course_id=course_id, who="ann", seen=30)
        )
        session.add(BulkAct(who="ann", verb="retry", filter={"state": ["bounced"]}, seen=1))


def _campaigns(room: Desk, owen: Person, folder: Path) -> None:
    """Spring is in its test, autumn has ended, winter is paused, summer waits for a yes, two are written."""
    redraft(room.house, folder, f"{TWO}test:\n  measure: ask\n  share: 20 %\n")
    for slug in ("autumn", "winter", "summer"):
        path = write_campaign(folder, f"{slug}.md", subject=f"All of {slug}", body=LINKED)
        path.write_text(path.read_text().replace(f"slug: {SPRING}", f"slug: {slug}"))
        with session_scope(room.sessions) as session:
            draft(session, [path], room.house.at)
    for slug in (SPRING, "autumn"):
        set_going(room.house, slug=slug)
        room.house.plan()
        room.house.send()
        room.house.plan()
    for slug in ("winter", "summer"):
        set_going(room.house, room.house.at + timedelta(days=2), slug=slug)
    with session_scope(room.sessions) as session:
        holds.pause(session, HoldScope.CAMPAIGN, "winter", room.house.at, who="ann", reason="a wrong date")
        session.execute(update(Campaign).where(Campaign.slug == "summer").values(awaits_approval=True))
    owen.get("/desk/new-campaign")
    for slug, kind in (("written", "md"), ("drawn", "mjml")):
        owen.post("/desk/new-campaign", subject="Walks", slug=slug, list="calm", kind=kind)


def _by_forms(room: Desk, owen: Person) -> dict[str, str]:
    """What the desk's own forms make; the guide that is being understood, by its part of the address."""
    owen.get("/desk")
    for path, fields in {
        "/desk/forms": {"slug": "page", "list": "calm", "title": "A calm week", "consent": "Yes, please."},
        "/desk/webhooks": {
            "name": "shop",
            "url": "https://shop.example.org/hook",
            "kinds": "course.finished",
            "current": PASSWORD,
        },
        "/desk/alarms": {"kind": "mail", "address": "olive@example.org"},
        "/desk/new-series": {"text": WEEKLY, "agreed": "warnings"},
        "/desk/transports": {"slug": "second", "url": room.server.url, "conversations": "1"},
    }.items():
        answer = owen.post(path, **fields)
        assert answer.status_code == 200, f"{path}: {answer.text}"
    arrived = {}
    for path, file in {
        "/desk/imports": ("people.csv", b"email\nada@reader.example\n"),
        "/desk/new-course": (GUIDE.name, GUIDE.read_bytes()),
    }.items():
        sent = owen.client.post(
            path, data={"form_key": owen.key}, files={"file": file}, follow_redirects=True
        )
        assert sent.status_code == 200, f"{path}: {sent.text}"
        arrived[path] = sent.url.path.rpartition("/")[2]
    return {"file_id": arrived["/desk/imports"], "arrival": arrived["/desk/new-course"]}


def _draft(room: Desk, owen: Person, drafts: Drafts) -> str:
    """The course as a draft with a picture, and a folder that waits to replace it, by its address."""
    files: dict[str, str | bytes] = {one.name: one.read_text() for one in room.folder.glob("*.*")}
    folder = drafts.create("calm", files | {"media/cup.png": PIXEL})
    packed = owen.client.get("/desk/courses/calm/course.zip").content
    step = folder / "02-rest.md"
    step.write_text(f"{step.read_text()}\nOne more line.\n")
    file = {"file": ("calm.zip", packed)}
    sent = owen.client.post(
        "/desk/new-course/folder", data={"form_key": owen.key}, files=file, follow_redirects=True
    )
    assert "/desk/new-course/folder/" in sent.url.path, sent.text
    return sent.url.path.rpartition("/")[2]


OF_A_DRAFT = ("", "/edit", "/ab-test", "/audience", "/check", "/schedule", "/confirm", "/test", "/remove")
OF_ONE_THAT_ENDED = ("/statement", "/missing", "/links", "/again")
CAMPAIGN, COURSE = "/desk/campaigns/{slug}", "/desk/courses/{slug}"
SLUGS = {
    **{"campaigns": SPRING, "courses": "calm", "reports": "calm", "forms": "page", "lists": "calm"},
    **{"segments": "walkers", "senders": "calm", "series": "letter", "transports": "second"},
    **{f"{CAMPAIGN}{page}": "written" for page in OF_A_DRAFT},
    **{f"{CAMPAIGN}{page}": "autumn" for page in OF_ONE_THAT_ENDED},
    **{f"{CAMPAIGN}/visual": "drawn", f"{CAMPAIGN}/approve": "summer", f"{CAMPAIGN}/resume": "winter"},
}
"""Which of its kind a page is looked at with."""
ASKED = {
    "/desk/deliveries/act": "verb=retry&state=failed&course=calm",
    "/desk/fields/change": "field=city",
    "/desk/holds/pause": "scope=lane&target=course",
    "/desk/holds/resume": "scope=campaign&target=winter",
    "/desk/tags/change": "tag=walker",
    f"{COURSE}/pictures/remove": "name=media/cup.png",
    "/desk/lists/{slug}/enroll": "course=calm",
    f"{CAMPAIGN}/choose": "variant=b",
    f"{CAMPAIGN}/confirm": "when=now&count=yes",
    f"{CAMPAIGN}/again": "to=missed",
    f"{CAMPAIGN}/approve": "count=yes",
    f"{CAMPAIGN}/check": "count=yes",
}


def _ids(room: Desk) -> dict[str, str]:
    with session_scope(room.sessions) as session:
        ada = get_subscriber(session, ADA).id
        asked = {
            "channel_id": select(AlarmChannel.id),
            "act_id": select(BulkAct.id),
            "delivery_id": select(Delivery.id).where(Delivery.state == "bounced"),
            "operator_id": select(func.max(Operator.id)),
            "enrollment_id": select(Enrollment.id).where(Enrollment.subscriber_id == ada),
            "suppression_id": select(Suppression.id),
            "webhook_id": select(Webhook.id),
            "list act": select(ListAct.id),
        }
        found = {name: str(session.execute(one.limit(1)).scalar_one()) for name, one in asked.items()}
    return found | {"subscriber_id": str(ada), "version": "1", "name": "02-rest.md"}


def _address(path: str, ids: dict[str, str]) -> str:
    """The page's address with what there is; KeyError for a part that nobody has said how to fill."""
    kind = path.removeprefix("/desk/").partition("/")[0]
    values = ids | {"slug": SLUGS.get(path, SLUGS.get(kind, ""))}
    if path == "/desk/lists/acts/{act_id}":
        values["act_id"] = ids["list act"]
    if path == "/desk/new-course/folder/{arrival}":
        values["arrival"] = ids["folder arrival"]
    filled = re.sub(r"\{(\w+)\}", lambda part: values[part[1]], path)
    return f"{filled}?{ASKED[path]}" if path in ASKED else filled


def test_every_page_is_well_made(
    browser: Browser, desk: str, ids: dict[str, str], settings: Settings
) -> None:
    paths = sorted(
        name.removeprefix("GET ")
        for name in routes(create_app(settings))
        if name.startswith("GET ") and not NO_PAGES.search(name)
    )
    context = browser.new_context(base_url=desk)
    page = context.new_page()
    through_the_form(page, Role.OWNER)
    wrong: list[str] = []
    for path in paths:
        address = _address(path, ids)
        answer = page.goto(address)
        is_it = page.url.removeprefix(desk).partition("?")[0] == address.partition("?")[0]
        if answer is None or answer.status != 200 or not is_it:
            said = page.locator("body").inner_text()[:200]
            wrong.append(f"{address}: {answer.status if answer else '-'} at {page.url}, {said!r}")
            continue
        wrong += [f"{address}: {one}" for one in faults(page, "every" + re.sub(r"\W+", "-", path))]
    context.close()
    assert wrong == [], "\n".join(wrong)
