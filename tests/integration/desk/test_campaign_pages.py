"""Marc writes a campaign on the desk, says whom it is for, checks it and schedules it; Opal approves."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import unescape

import pytest
from sqlalchemy import delete, select, update

from mailer.audience.subscribers import Person as PersonOf
from mailer.audience.subscribers import add_subscriber
from mailer.audience.suppression import suppress
from mailer.db import Sessions, business_now, session_scope
from mailer.launch.campaign_findings import check_again
from mailer.links import Signer
from mailer.models import (
    Action,
    Campaign,
    CampaignDraft,
    DraftCheck,
    Role,
    Segment,
    Subscriber,
    SuppressionReason,
)
from mailer.reports import patience
from mailer.settings import Settings
from tests.support.newsroom import set_up_news
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in

DIGEST = re.compile(r'name="digest" value="([0-9a-f]{64})"')
PEOPLE = re.compile(r'name="people" value="(\d+)"')
SEEN = re.compile(r'name="digest" value="([0-9a-f]{32})"')
AGREED = re.compile(r'name="agreed" value="([^"]+)"')
PIXEL = b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (40).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"\0" * 8
HOME = "/desk/campaigns"
SIGNER = Signer(("s" * 32,))


@pytest.fixture
def desk(settings: Settings, sessions: Sessions, request: pytest.FixtureRequest) -> Iterator[str]:
    """With the list news, its ten readers and its sender; a test may say by `approval` who has to agree."""
    set_up_news(sessions)
    hire(sessions, Role.MARKETER, Role.OPERATOR)
    with running_app(settings.replace(approval=getattr(request, "param", "off"))) as address:
        yield address


@pytest.fixture
def marc(desk: str) -> Person:
    return signs_in(desk, Role.MARKETER)


@pytest.fixture
def opal(desk: str) -> Person:
    return signs_in(desk, Role.OPERATOR)


def found(pattern: re.Pattern[str], page: str) -> str:
    match = pattern.search(page)
    assert match, page
    return match[1]


def begins(who: Person, slug: str = "spring") -> str:
    """A new campaign for news; its page."""
    who.get("/desk/new-campaign")
    return who.post("/desk/new-campaign", subject="Spring walks", slug=slug, list="news", kind="md").text


def typed(page: str, **changes: str) -> dict[str, str]:
    """What the editor's form would say."""
    fields = {"digest": found(DIGEST, page), "name": "spring.md", "set_subject": "Spring walks"}
    return {**fields, "body": "# Spring walks\n\n{{ greeting }}\n\nThe garden is open.\n", **changes}


def confirms(who: Person, path: str, page: str = "", **fields: str) -> str:
    """Says yes to what `page` shows, or else to what there is now."""
    page = page or who.get(f"{HOME}/spring/{path}", **fields).text
    agreed = [unescape(one) for one in AGREED.findall(page)]
    said = {
        "form_key": who.key,
        "people": found(PEOPLE, page),
        "digest": found(SEEN, page),
        **fields,
        "agreed": agreed,
    }
    return who.client.post(f"{HOME}/spring/{path}", data=said, follow_redirects=True).text


def _a_zip_comes_back_as_it_went(marc: Person) -> None:
    packed = io.BytesIO()
    text = "---\nslug: winter\nsubject: Winter\nlists: [news]\n---\n# Winter\n\n![A lamp](media/lamp.png)\n"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("winter/winter.md", text)
        archive.writestr("winter/media/lamp.png", PIXEL)
    marc.get("/desk/new-campaign")
    answer = marc.client.post(
        "/desk/new-campaign/file",
        data={"form_key": marc.key},
        files={"file": ("winter.zip", packed.getvalue())},
        follow_redirects=True,
    )
    assert "Brought winter." in answer.text
    assert "data:image/png" in marc.get(f"{HOME}/winter/edit/mail").text
    taken = zipfile.ZipFile(io.BytesIO(marc.client.get(f"{HOME}/winter/source").content))
    assert taken.read("winter/winter.md").decode() == text
    assert taken.read("winter/media/lamp.png") == PIXEL
    saved = re.search(r'name="saved" value="([0-9a-f]+)"', marc.get(f"{HOME}/winter/edit").text)
    assert saved
    for digest, words in (("", "Somebody else"), (saved[1], "It is as in the file.")):
        answer = marc.client.post(
            f"{HOME}/winter/source",
            data={"form_key": marc.key, "saved": digest},
            files={"upload": ("winter.zip", packed.getvalue())},
            follow_redirects=True,
        )
        assert words in answer.text
    page = marc.post("/desk/new-campaign", subject="Winter again", slug="winter-2", copy_of="winter").text
    assert "Began winter-2." in page
    marc.get(f"{HOME}/winter-2/remove")
    assert "Removed the draft winter-2." in marc.post(f"{HOME}/winter-2/remove").text
    assert marc.get(f"{HOME}/winter-2").status_code == 404
    marc.post(f"{HOME}/winter/remove")


def test_it_is_shown_as_somebody_with_why_they_would_not_get_it(marc: Person, sessions: Sessions) -> None:
    page = begins(marc)
    with session_scope(sessions) as session:
        add_subscriber(session, PersonOf("eva@example.org"))
        reader = session.scalars(select(Subscriber.email).order_by(Subscriber.id)).first()
    path = f"{HOME}/spring/edit/preview"
    eva = marc.post(path, **typed(page, **{"as": "eva@example.org"})).text
    assert "As eva@example.org, who is on none of its lists" in eva
    assert f"As {reader}</p>" in marc.post(path, **typed(page, **{"as": str(reader)})).text
    with session_scope(sessions) as session:
        suppress(session, str(reader), SuppressionReason.MANUAL, business_now(session))
    assert f"As {reader}, whose address is not mailed" in marc.get(f"{HOME}/spring/edit").text


def campaign_now(sessions: Sessions) -> Campaign:
    with sessions() as session:
        return session.scalars(select(Campaign)).one()


def test_what_is_typed_is_kept_and_nobody_loses_a_word(
    marc: Person, opal: Person, sessions: Sessions
) -> None:
    assert "There is no campaign yet." in marc.get(HOME).text
    page = begins(marc)
    assert "Began spring." in page
    wrong = typed(page, body="# Hello\n\n{{ nothing_of_the_kind }}\n")
    shown = marc.post(f"{HOME}/spring/edit/preview", **wrong).text
    assert "nothing_of_the_kind" in shown
    assert "not saved yet" in marc.get(f"{HOME}/spring/edit").text
    # With errors it is saved all the same, and what could be sent is not touched by it.
    page = marc.post(f"{HOME}/spring/edit", **wrong).text
    assert "mend what is named below" in page
    assert "draft with errors" in marc.get(HOME).text
    assert "has errors" in marc.get(f"{HOME}/spring/confirm", when="now").text
    page = marc.get(f"{HOME}/spring/edit").text
    page = marc.post(f"{HOME}/spring/edit", **typed(page, set_preheader="A line: beside")).text
    assert "Saved." in page
    mail = marc.get(f"{HOME}/spring/edit/mail")
    assert "The garden is open." in mail.text
    assert "sandbox" in mail.headers["content-security-policy"]
    assert 'preheader: "A line: beside"' in marc.get(f"{HOME}/spring/source").text
    with sessions() as session:
        kept = session.scalars(select(CampaignDraft)).one()
        assert kept.digest == kept.made_of
        assert kept.saved_by == "marc@example.org"

    # Two write at once.
    page = marc.get(f"{HOME}/spring/edit").text
    theirs = opal.get(f"{HOME}/spring/edit").text
    marc.post(f"{HOME}/spring/edit", **typed(page, body="# Marc's\n\nWords.\n"))
    answer = opal.post(f"{HOME}/spring/edit", **typed(theirs, body="# Opal's\n\nOther words.\n"))
    assert answer.status_code == 422
    assert "Somebody else has saved" in answer.text
    assert "Other words." in answer.text
    # Another window later: still there, and theirs can be taken instead.
    assert "Other words." in opal.get(f"{HOME}/spring/edit").text
    opal.post(f"{HOME}/spring/edit/forget", name="spring.md")
    assert "Marc&#39;s" in opal.get(f"{HOME}/spring/edit").text


def test_whom_it_is_for_is_counted_and_a_test_of_two_texts_is_made(marc: Person, sessions: Sessions) -> None:
    begins(marc)
    page = marc.get(f"{HOME}/spring/audience").text
    counted = marc.post(f"{HOME}/spring/audience/look", lists="news").text
    assert '<p class="reach-count">10</p>' in counted
    assert "reader1@reader.example" in counted
    answer = marc.client.post(
        f"{HOME}/spring/audience/look", data={"form_key": marc.key}, headers={"HX-Request": "true"}
    )
    assert "Choose at least one list" in answer.text
    digest = found(DIGEST, page)
    page = marc.post(f"{HOME}/spring/audience", digest=digest, lists="news", exclude_lists="news").text
    assert "Saved whom it is for." in page
    counted = marc.post(f"{HOME}/spring/audience/look", lists="news", exclude_lists="news").text
    assert "10 are on news" in counted
    assert campaign_now(sessions).aim == {"exclude_lists": ["news"]}
    assert "would reach nobody" in marc.get(f"{HOME}/spring/confirm", when="now").text
    digest = found(DIGEST, marc.get(f"{HOME}/spring/audience").text)
    marc.post(f"{HOME}/spring/audience", digest=digest, lists="news", exclude_lists="news", no_room="drop")
    assert campaign_now(sessions).no_room == "drop"
    assert '<option value="drop" selected>' in marc.get(f"{HOME}/spring/audience").text

    page = marc.get(f"{HOME}/spring/ab-test").text
    fields = {"b_subject": "The windows are open", "b_file": "new", "suffix": "md", "measure": "unsubscribes"}
    page = marc.post(
        f"{HOME}/spring/ab-test", digest=found(DIGEST, page), share="50 %", wait="2 hours", **fields
    ).text
    assert "Saved the test." in page
    assert "spring-b.md" in page
    trial = campaign_now(sessions).trial
    assert [one["subject"] for one in trial["variants"]] == ["Spring walks", "The windows are open"]
    assert (trial["share"], trial["wait_minutes"]) == (0.5, 120)
    taken = zipfile.ZipFile(io.BytesIO(marc.client.get(f"{HOME}/spring/source").content))
    assert sorted(taken.namelist()) == ["spring/spring-b.md", "spring/spring.md"]


def test_it_comes_as_a_file_and_leaves_at_the_moment_that_was_confirmed(
    marc: Person, sessions: Sessions
) -> None:
    _a_zip_comes_back_as_it_went(marc)
    page = begins(marc)
    marc.post(f"{HOME}/spring/edit", **typed(page))
    assert "Choose the day and the hour." in marc.get(f"{HOME}/spring/confirm", when="at").text
    for day, when in (("9999-12-31", "at"), ("0001-01-01", "at"), ("9999-12-31", "local")):
        far = {"when": when, "day": day, "clock": "23:00", "zone": "America/Los_Angeles"}
        assert f"{day}: This day is too far off" in marc.get(f"{HOME}/spring/confirm", **far).text
    moment = {"when": "at", "day": "2096-05-01", "clock": "09:00", "zone": "Europe/Lisbon"}
    assert "10 people" in marc.get(f"{HOME}/spring/confirm", **moment).text
    # Without the number that was looked at, nothing is done.
    assert "Look at whom it reaches first" in marc.post(f"{HOME}/spring/confirm", **moment).text
    assert "spring is scheduled." in confirms(marc, "confirm", **moment)
    now = campaign_now(sessions)
    # 09:00 in a Lisbon summer is 08:00 UTC.
    assert (now.state, now.starts_at) == ("scheduled", datetime.fromisoformat("2096-05-01T08:00:00+00:00"))
    assert "is a draft again" in marc.post(f"{HOME}/spring/unschedule").text
    local = {"when": "local", "day": "2096-05-01", "clock": "09:00", "zone": "Europe/Lisbon"}
    assert "spring is scheduled." in confirms(marc, "confirm", **local)
    page = marc.get(f"{HOME}/spring/edit").text
    page = marc.post(f"{HOME}/spring/edit", **typed(page, body="# Another\n\nText.\n")).text
    assert "is a draft again" in page
    assert campaign_now(sessions).state == "draft"


@pytest.mark.parametrize("desk", ["campaigns"], indirect=True)
def test_what_marc_schedules_waits_for_somebody_else(
    marc: Person, opal: Person, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = begins(marc)
    marc.post(f"{HOME}/spring/edit", **typed(page))
    # In a house with very many mails these pages are there before their counts, and nothing can be agreed to.
    monkeypatch.setattr(patience, "MANY", -1)
    page = marc.get(f"{HOME}/spring/confirm", when="now").text
    assert ("Count and check it now" in page, PEOPLE.search(page)) == (True, None)
    assert "Look at whom it reaches first" in marc.post(f"{HOME}/spring/confirm", when="now").text
    assert "Nothing was found." not in marc.get(f"{HOME}/spring/check").text
    assert "Nothing was found." in marc.get(f"{HOME}/spring/check", count="yes").text
    assert "waits for somebody else" in confirms(marc, "confirm", when="now", count="yes")
    page = opal.get(f"{HOME}/spring/approve").text
    assert PEOPLE.search(page) is None
    assert f"{HOME}/spring/approve/frame?mail=0" in page
    frame = opal.get(f"{HOME}/spring/approve/frame", mail="0", dark="yes")
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    assert "The garden is open." in frame.text
    assert "There is no such mail" in opal.get(f"{HOME}/spring/approve/frame", mail="7").text
    monkeypatch.undo()
    assert "waiting for approval" in marc.get(HOME).text
    assert "waits for a second person" in marc.get("/desk").text
    assert campaign_now(sessions).awaits_approval
    page = marc.get(f"{HOME}/spring/approve", count="yes").text
    assert "somebody else has to approve it" in page
    seen = found(SEEN, opal.get(f"{HOME}/spring/approve", count="yes").text)
    page = marc.post(f"{HOME}/spring/approve", people="10", agreed="late", digest=seen).text
    assert "a second person has to approve it" in page
    assert "Approved spring." in confirms(opal, "approve")
    now = campaign_now(sessions)
    assert (now.awaits_approval, now.scheduled_by, now.approved_by) == (
        False,
        "marc@example.org",
        "opal@example.org",
    )
    with sessions() as session:
        done = session.execute(select(Action.who, Action.what).where(Action.what == "campaign approve")).all()
    assert [tuple(one) for one in done] == [("opal@example.org", "campaign approve")]
    # What was approved is not what it says now.
    page = opal.get(f"{HOME}/spring/edit").text
    opal.post(f"{HOME}/spring/edit", **typed(page, body="# Another\n\nText.\n"))
    now = campaign_now(sessions)
    assert (now.state, now.approved_by) == ("draft", None)


@pytest.mark.parametrize("desk", ["campaigns"], indirect=True)
def test_nobody_says_yes_to_a_text_that_was_changed_since_the_page_was_shown(
    marc: Person, opal: Person, sessions: Sessions
) -> None:
    page = begins(marc)
    marc.post(f"{HOME}/spring/edit", **typed(page))
    shown = marc.get(f"{HOME}/spring/confirm", when="now").text
    page = opal.get(f"{HOME}/spring/edit").text
    opal.post(f"{HOME}/spring/edit", **typed(page, body="# Another\n\nText.\n"))
    page = confirms(marc, "confirm", shown, when="now")
    assert "spring was changed a moment ago; look at it and ask again." in page
    assert campaign_now(sessions).state == "draft"
    # The page shows it as it is now, and that can be said yes to.
    assert "waits for somebody else" in confirms(marc, "confirm", page, when="now")
    shown = opal.get(f"{HOME}/spring/approve").text
    local = {"when": "local", "day": "2096-05-01", "clock": "09:00", "zone": "Europe/Lisbon"}
    confirms(marc, "confirm", **local)
    assert "was changed a moment ago" in confirms(opal, "approve", shown)
    assert campaign_now(sessions).awaits_approval
    assert "Approved spring." in confirms(opal, "approve")


def test_home_names_what_is_scheduled_and_would_fail_without_looking_again(
    marc: Person, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.add(Segment(slug="keen", rule='on list "news"'))
    page = begins(marc)
    marc.post(f"{HOME}/spring/edit", **typed(page))
    page = marc.get(f"{HOME}/spring/audience").text
    marc.post(f"{HOME}/spring/audience", digest=found(DIGEST, page), lists="news", segment="keen")
    moment = {"when": "at", "day": "2096-05-01", "clock": "09:00", "zone": "Europe/Lisbon"}
    assert "spring is scheduled." in confirms(marc, "confirm", **moment)
    assert "its check finds" not in marc.get("/desk").text
    with session_scope(sessions) as session:
        session.execute(delete(Segment))
        assert not check_again(session, SIGNER, "http://mail.test")  # it was checked a moment ago
        session.execute(update(DraftCheck).values(at=DraftCheck.at - timedelta(hours=2)))
        assert check_again(session, SIGNER, "http://mail.test")
    page = unescape(marc.get("/desk").text)
    assert "“Spring walks” is scheduled, and its check finds an error: " in page
    assert "There is no segment 'keen'." in page
    # What is written anew is no longer what was checked.
    page = marc.get(f"{HOME}/spring/edit").text
    marc.post(f"{HOME}/spring/edit", **typed(page))
    assert "its check finds" not in marc.get("/desk").text
