"""Ada takes what is kept of her, and is forgotten, by a link that only her inbox gets."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from mailer.audience.suppression import find_suppression, suppress
from mailer.db import Sessions, session_scope
from mailer.delivery.verdict import Facts, refusal
from mailer.feedback.own_data import ask_for_data
from mailer.launch.messages import publish_system_mails
from mailer.models import (
    Action,
    Click,
    Delivery,
    DeliveryKind,
    Enrollment,
    Firing,
    Message,
    PaceChange,
    Subscriber,
    Subscription,
    SuppressionReason,
)
from tests.support.reader_pages import Links, Reader, make_course, signs_up, stop_clock

ASK = {"action": "data"}


@pytest.fixture
def links_to_data(site: httpx.Client, links: Links, ada: Reader, sessions: Sessions) -> str:
    """The address of Ada's page, as in the mail that she asked for."""
    with session_scope(sessions) as session:
        publish_system_mails(session)
    assert "A mail is on its way" in site.post(links.manage(ada), data=ASK).text
    return links.signer.delivery_token(data_mails(sessions)[-1])


def data_mails(sessions: Sessions) -> list[int]:
    with sessions() as session:
        rows = select(Delivery.id).where(Delivery.kind == DeliveryKind.DATA).order_by(Delivery.id)
        return list(session.scalars(rows))


def test_the_way_to_it_is_mailed_because_pages_get_forwarded(
    site: httpx.Client, links: Links, ada: Reader, links_to_data: str
) -> None:
    # The link of any other mail of hers leads nowhere.
    for page in ("data", "erase"):
        assert site.get(links.mail(ada, f"/{page}")).status_code == 404
        assert site.post(links.mail(ada, f"/{page}"), data={"sure": "yes"}).status_code == 404
    page = site.get(f"/m/{links_to_data}/data").text
    assert "What we keep of you" in page
    assert "ada@example.org" not in page


def test_ada_downloads_all_of_it_by_a_post(
    site: httpx.Client, links_to_data: str, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        signs_up(session, make_course(session, "letters", "Letters"), now)
    answer = site.post(f"/m/{links_to_data}/data")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["cache-control"] == "private, no-store"
    kept = answer.json()
    assert kept["person"]["email"] == "ada@example.org"
    assert {one["slug"] for one in kept["lists"]} == {"neck", "letters"}
    assert kept["consents"][0]["wording"].startswith("Yes, please send me")


IDS = {"id", "subscriber_id", "enrollment_id", "course_id", "message_id"}


def test_what_she_did_is_told_whole(
    site: httpx.Client, links_to_data: str, ada: Reader, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        enrollment = session.scalars(select(Enrollment).where(Enrollment.subscriber_id == ada.id)).one()
        change = {"before": {"gap": None}, "after": {"gap": 2}, "undone_at": now}
        session.add(PaceChange(enrollment_id=enrollment.id, at=now, who="ada", what="gap", **change))
        course = {"course_id": enrollment.course_id, "trigger": "walkers"}
        session.add(Firing(**course, subscriber_id=ada.id, at=now, result="enrolled"))
        told = {"link": 0, "url": "https://a.example", "method": "GET", "verdict": "person"}
        click = {"delivery_id": 1, "message_id": 1, "source": "course:1", **told}
        session.add(Click(at=now, subscriber_id=ada.id, **click))
    kept = site.post(f"/m/{links_to_data}/data").json()
    for model, part, but in (
        (PaceChange, "pace_changes", {"delivery_id"}),
        (Firing, "triggers", set()),
        (Click, "clicks", {"source", "link"}),
        (Enrollment, "courses", set()),
    ):
        columns = {column.name for column in model.__table__.columns}
        assert columns - IDS - but <= set(kept[part][0]), part
    assert "because" in kept["mails"][0]


def test_ada_sees_what_goes_and_what_stays_and_is_forgotten_by_a_post(
    site: httpx.Client, links_to_data: str, ada: Reader, sessions: Sessions, now: datetime
) -> None:
    page = site.get(f"/m/{links_to_data}/erase").text
    assert "What goes" in page
    assert "A fingerprint of your address" in page
    assert site.post(f"/m/{links_to_data}/erase").status_code == 422
    done = site.post(f"/m/{links_to_data}/erase", data={"sure": "yes"})
    assert "You are forgotten" in done.text
    with sessions() as session:
        assert session.get(Subscriber, ada.id) is None
        assert session.scalars(select(Subscription)).all() == []
        stays = find_suppression(session, "ada@example.org", now)
        assert stays is not None
        assert stays.email is None
        action = session.scalars(select(Action).where(Action.what == "subscriber erase")).one()
        assert action.who == "the reader"
        assert "ada" not in str(action.detail)
    # Pressed again, or opened later: there is nothing there.
    assert site.post(f"/m/{links_to_data}/erase", data={"sure": "yes"}).status_code == 404
    assert site.get(f"/m/{links_to_data}/data").status_code == 404


def test_the_link_works_for_two_days(
    site: httpx.Client, links_to_data: str, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        stop_clock(session, now + timedelta(days=2))
    assert site.get(f"/m/{links_to_data}/data").status_code == 200
    with session_scope(sessions) as session:
        stop_clock(session, now + timedelta(days=2, seconds=1))
    for answer in (
        site.get(f"/m/{links_to_data}/data"),
        site.post(f"/m/{links_to_data}/data"),
        site.post(f"/m/{links_to_data}/erase", data={"sure": "yes"}),
    ):
        assert answer.status_code == 410
        assert "It worked for 2 days" in answer.text


def test_three_such_mails_a_day_and_no_more(
    site: httpx.Client, links: Links, ada: Reader, links_to_data: str, sessions: Sessions, now: datetime
) -> None:
    pages = [site.post(links.manage(ada), data=ASK).text for _ in range(3)]
    assert ["Several mails went to" in page for page in pages] == [False, False, True]
    assert len(data_mails(sessions)) == 3
    with session_scope(sessions) as session:
        stop_clock(session, now + timedelta(days=1))
    site.post(links.manage(ada), data=ASK)
    assert len(data_mails(sessions)) == 4


@pytest.mark.parametrize(
    ("suppression", "leaves"),
    [
        (None, True),
        # Who wants no mail at all may still ask what is kept of them.
        (SuppressionReason.EVERYTHING, True),
        (SuppressionReason.COMPLAINT, False),
        (SuppressionReason.HARD_BOUNCE, False),
    ],
)
def test_whom_such_a_mail_reaches(suppression: str | None, leaves: bool) -> None:
    facts = Facts(DeliveryKind.DATA, subscription="ended", suppression=suppression)
    assert (refusal(facts) is None) is leaves


def test_an_address_that_cannot_be_mailed_is_told_so(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        suppress(session, "ada@example.org", SuppressionReason.HARD_BOUNCE, now)
        assert ask_for_data(session, ada.id, 1, "en", now) == "blocked"
    assert "came back" in site.post(links.manage(ada), data=ASK).text


def test_all_of_it_is_shown_in_plain_words_by_a_post(
    site: httpx.Client, links_to_data: str, ada: Reader, sessions: Sessions, now: datetime
) -> None:
    with session_scope(sessions) as session:
        signs_up(session, make_course(session, "letters", "Letters"), now)
        person = session.get_one(Subscriber, ada.id)
        mail = session.get_one(Delivery, ada.delivery_id)
        session.get_one(
            Message, mail.message_id
        ).subject = "{% if name %}{{ name }}, the{% else %}The{# no name #}{% endif %} first"
        person.tags, person.fields = ["walker"], {"city": "<b>Graz</b>", "vegan": True}
        suppress(session, "ada@example.org", SuppressionReason.SOFT_BOUNCE, now)
        mine = {"delivery_id": ada.delivery_id, "subscriber_id": ada.id, "message_id": 1, "source": "list:1"}
        for number in range(102):
            request = {"link": 0, "url": f"https://reading.example/{number:03}", "verdict": "person"}
            session.add(Click(at=now + timedelta(seconds=number), method="GET", **mine, **request))
    answer = site.post(f"/m/{links_to_data}/data", data={"show": "yes"})
    assert answer.headers["cache-control"] == "private, no-store"
    page = answer.text
    for words in ("ada@example.org", "walker", "&lt;b&gt;Graz&lt;/b&gt;", "Letters", "A calmer neck"):
        assert f"<bdi>{words}</bdi>" in page
    assert "<bdi>yes</bdi>" in page
    # Not a word of how it is filled in.
    assert "<bdi>…, theThe first</bdi>" in page
    assert "several mails could not be put into your mailbox" in page
    assert "Yes, please send me" in page
    assert "you agreed" in page
    # Of 102 clicks the newest hundred.
    assert "Links you followed in them (102)" in page
    assert "The newest 100; the file has all of them." in page
    assert ("reading.example/101" in page, "reading.example/001" in page) == (True, False)
    # By a link alone nobody sees any of it.
    assert "Graz" not in site.get(f"/m/{links_to_data}/data").text


@pytest.mark.parametrize(
    ("language", "heading", "says", "direction"),
    [
        ("de", "Was wir über Sie speichern", "Sie stehen darauf", "ltr"),
        ("ar", "ما نحفظه عنك", "أنت مشترك فيها", "rtl"),
    ],
)
def test_it_speaks_the_readers_language(
    site: httpx.Client,
    links_to_data: str,
    ada: Reader,
    sessions: Sessions,
    language: str,
    heading: str,
    says: str,
    direction: str,
) -> None:
    with session_scope(sessions) as session:
        session.get_one(Subscriber, ada.id).language = language
    page = site.post(f"/m/{links_to_data}/data", data={"show": "yes"}).text
    assert f'dir="{direction}"' in page
    assert heading in page
    assert says in page
