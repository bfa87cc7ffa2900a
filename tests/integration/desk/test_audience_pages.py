"""Marc finds people, adds one, reads why, changes what is known, pauses a course, and erases."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.audience.fields import declare_field, declared_fields
from mailer.audience.lists import Evidence, get_list
from mailer.audience.recipients import list_ids_of
from mailer.audience.segments import remove_segment, save_segment
from mailer.audience.subscribers import Person as Reader
from mailer.audience.subscribers import add_subscriber
from mailer.db import Sessions, business_now, session_scope
from mailer.delivery import parts
from mailer.launch import list_acts
from mailer.models import (
    Action,
    Consent,
    Enrollment,
    FieldType,
    ListAct,
    Role,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    WebhookCall,
    WebhookKind,
)
from mailer.reports.why import why
from mailer.schedule.signup import sign_up
from mailer.sealing import Seal
from mailer.settings import Settings
from mailer.webhooks.endpoints import add_webhook
from mailer.webhooks.tell import Fact, tell
from tests.support.campaigns import put_people
from tests.support.cast import ADA, BEN, join_course, publish_folder, write_course
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in


@pytest.fixture
def ada(sessions: Sessions, tmp_path: Path) -> int:
    with session_scope(sessions) as session:
        now = business_now(session)
        course = publish_folder(session, write_course(tmp_path / "calm"), now)
        declare_field(session, "city", FieldType.TEXT)
        declare_field(session, "member", FieldType.YES_NO)
        ada = join_course(session, course, ADA, now)
        ada.name = "Ada Lovelace"
        words = Evidence("Send me the course.", "a form")
        jules = Reader("jules@other.example", name="Jules O'Brien-Müller", tags=("walker",))
        sign_up(session, jules, get_list(session, "calm"), words, now)
        return ada.id


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    hire(sessions, Role.MARKETER, Role.OWNER)
    with running_app(settings) as address:
        yield address


@pytest.fixture
def marc(desk: str) -> Iterator[Person]:
    person = signs_in(desk, Role.MARKETER)
    yield person
    person.client.close()


def found(marc: Person, **asked: str) -> list[str]:
    """Whose addresses the page of a search shows."""
    page = marc.post("/desk/subscribers/find", **asked).text
    return [email for email in (ADA, BEN, "jules@other.example") if f">{email}</a>" in page]


@pytest.mark.parametrize("path", ["/desk/subscribers", "/desk/subscribers.csv", "/desk/suppressions"])
def test_an_address_that_nobody_sealed_finds_as_if_nothing_was_typed(marc: Person, path: str) -> None:
    for typed in ("né", "nothing sealed"):
        assert marc.get(path, find=typed, after=typed).status_code == 200


def test_people_are_found_by_words_list_tag_and_state(marc: Person, ada: int) -> None:
    assert "2 people" in marc.get("/desk/subscribers").text
    for words in ("ada", "ADA@", "ada@rea", ADA, "lovel", "love ada", "@reader.exa", "reader", "reader.exa"):
        assert found(marc, words=words) == [ADA], words
    for words in ("muller", "Müll", "o'brien", "brien jules", "@other"):
        assert found(marc, words=words) == ["jules@other.example"], words
    for words in ("velace", "nobody", "@@", "'", "a & b", "\\", "%", "ada@%", "ada:*"):
        assert found(marc, words=words) == [], words
    assert found(marc, tag="walker") == ["jules@other.example"]
    assert found(marc, list="calm", state="active") == [ADA, "jules@other.example"]
    assert found(marc, list="calm", state="ended", words="ada") == []
    assert found(marc, list="gone") == []
    answer = marc.client.post("/desk/subscribers/find", data={"form_key": marc.key, "words": ADA})
    # What was typed is sealed: in a proxy's log it would say who is on a list about an illness.
    assert "ada" not in answer.headers["location"]
    assert list(parse_qs(urlsplit(answer.headers["location"]).query)) == ["find"]
    # No row has such a number and no text such a sign: said so, and no fault of ours.
    assert marc.get("/desk/subscribers/99999999999999999999").status_code == 422
    assert marc.get("/desk/lists/%00").status_code == 422


def test_those_who_were_found_are_taken_out_as_a_file(marc: Person, ada: int, sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        session.get_one(Subscriber, ada).name = "=cmd()"
        session.get_one(Subscriber, ada).fields = {"city": "Bath", "member": True}
    answer = marc.get("/desk/subscribers.csv", list="calm")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [(row["email"], row["name"], row["state"], row["city"], row["member"]) for row in rows] == [
        ("jules@other.example", "Jules O'Brien-Müller", "active", "", ""),
        (ADA, "'=cmd()", "active", "Bath", "yes"),
    ]
    everybody = csv.DictReader(io.StringIO(marc.get("/desk/subscribers.csv").text.removeprefix("\ufeff")))
    assert {row["email"]: row["lists"] for row in everybody}[ADA] == "calm (active)"
    with sessions() as session:
        noted = session.scalars(
            select(Action).where(Action.what == "subscriber export many").order_by(Action.id)
        ).first()
        assert noted is not None
    assert noted.detail == {"list": "calm"}


def test_marc_makes_a_list_and_sees_who_is_on_it(marc: Person, ada: int) -> None:
    page = marc.get("/desk/lists").text
    assert "A calm week" in page
    assert (
        "There is a list calm already"
        in marc.post("/desk/lists", slug="calm", title="Another", opt_in="double").text
    )
    wrong = marc.post("/desk/lists", slug="My Letters", title="My letters", opt_in="double")
    assert wrong.status_code == 422
    assert 'value="My letters"' in wrong.text
    page = marc.post("/desk/lists", slug="letters", title="My letters", opt_in="double").text
    assert "Added letters." in page
    page = marc.post("/desk/lists/letters", title="Letters", opt_in="single").text
    assert "Changed." in page
    assert 'value="single" selected' in page
    # Nobody could be asked to confirm before it has a sender.
    assert ">Letters" not in marc.get("/desk/forms").text
    assert "choose somebody below" in page
    page = marc.post("/desk/lists/letters", title="Letters", opt_in="double", sender="calm").text
    assert 'value="calm" selected' in page
    assert ">Letters" in marc.get("/desk/forms").text
    assert marc.post("/desk/lists/letters", title="Letters", opt_in="double", sender="x").status_code == 404
    assert 'state=active">2</a>' in marc.get("/desk/lists/calm", exact="yes").text


def test_a_whole_list_joins_a_course_once_and_nobody_twice(
    marc: Person, ada: int, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        put_people(session, [1, 2], "calm", business_now(session))
        put_people(session, [3], "calm", business_now(session), SubscriptionState.PENDING)
    page = marc.get("/desk/lists/calm/enroll", course="calm").text
    # Jules and two readers begin now, a third when they confirm; Ada is in the course.
    for words in ("<strong>3 people</strong>", "1 who were asked", "1 in the course now, 0 who have"):
        assert words in page
    assert "Look at how many join it" in marc.post("/desk/lists/calm/enroll", course="calm").text
    page = marc.post("/desk/lists/calm/enroll", course="calm", people="4").text
    assert "4 of 4 people are in the course now" in page
    with sessions() as session:
        states = session.scalars(select(Enrollment.state).order_by(Enrollment.state)).all()
    assert states == ["active", "active", "active", "active", "waiting"]
    assert "Nobody is left to enroll" in marc.get("/desk/lists/calm/enroll", course="calm").text
    marc.post("/desk/lists", slug="walks", title="Walks", opt_in="single")
    taken = marc.get("/desk/lists/walks/enroll", course="calm")
    assert "its people have not agreed to it" in taken.text


def test_a_list_that_nothing_needs_is_deleted_and_the_evidence_stays(
    marc: Person, ada: int, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = marc.get("/desk/lists/calm/remove").text
    assert "It cannot be deleted yet: it is needed." in page
    assert '<a href="/desk/courses/calm">calm</a>' in page
    assert "is needed by course calm" in marc.post("/desk/lists/calm/remove", sure="calm").text
    marc.post("/desk/lists", slug="walks", title="Walks", opt_in="single")
    with session_scope(sessions) as session:
        put_people(session, [1, 2, 3], "walks", business_now(session))
    assert "<strong>3</strong> active" in marc.get("/desk/lists/walks/remove").text
    assert "no other list is deleted by mistake" in marc.post("/desk/lists/walks/remove", sure="").text
    monkeypatch.setattr(list_acts, "AT_ONCE", 2)
    page = marc.post("/desk/lists/walks/remove", sure="walks").text
    assert "2 of 3 people left the list, so far" in page
    assert "people leave the list Walks so far" in marc.get("/desk").text
    with session_scope(sessions) as session:
        assert list_acts.do_part(session)
        assert not list_acts.do_part(session)
        ended = select(Consent.kind, Consent.source).where(Consent.source == list_acts.FOR_DELETED)
        assert session.execute(ended).all() == [("withdrawn", "the list was deleted")] * 3
        assert list_ids_of(session, []) == [get_list(session, "calm").id]
    assert marc.get("/desk/lists/walks").status_code == 404
    assert "Walks" not in marc.get("/desk/lists").text
    # Who was on it still has it in their history, with no link to a page that is no more.
    with session_scope(sessions) as session:
        who, number = session.execute(
            select(Subscriber.email, Subscriber.id)
            .join(Subscription)
            .order_by(Subscription.id.desc())
            .limit(1)
        ).one()
        told = [one.what for one in why(session, who).decisions]
    page = marc.get(f"/desk/subscribers/{number}").text
    assert re.search(r'Walks <span class="text-secondary">\(deleted\)', page)
    assert "/desk/lists/walks" not in page
    rows = marc.get("/desk/subscribers.csv").text
    assert ",walks (deleted)," in rows
    assert "~" not in rows
    assert any(what.startswith("consent to walks (deleted) withdrawn") for what in told)
    # Its name is free, and nobody is on the new list.
    marc.post("/desk/lists", slug="walks", title="Walks", opt_in="single")
    assert "<dt>Ended</dt>" in marc.get("/desk/lists/walks").text


def test_a_deletion_whose_part_fails_lets_others_go_first_and_is_told(
    marc: Person, ada: int, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_acts, "AT_ONCE", 1)
    pages = []
    for slug in ("walks", "talks"):
        marc.post("/desk/lists", slug=slug, title=slug, opt_in="single")
        with session_scope(sessions) as session:
            put_people(session, [1, 2], slug, business_now(session))
    with session_scope(sessions) as session:
        kinds, now = [WebhookKind.UNSUBSCRIBED], business_now(session)
        add_webhook(
            session,
            Seal(["a secret for sealing what rests, long enough"]),
            "shop",
            "https://shop.example/told",
            kinds,
            now,
        )
    for slug in ("walks", "talks"):
        pages.append(marc.post(f"/desk/lists/{slug}/remove", sure=slug).url.path)

    def failing(session: Session, kind: WebhookKind, at: datetime, facts: Sequence[Fact]) -> None:
        if facts and facts[0].more == {"list": "walks"}:
            raise RuntimeError("a disk that is full")
        tell(session, kind, at, facts)

    monkeypatch.setattr(list_acts, "tell", failing)

    def parts_done() -> int:
        done = 0
        while part_of_an_act(sessions):
            done += 1
        return done

    assert parts_done() == 3  # walks fails once, talks is done twice
    assert "It is tried again every minute" in marc.get(pages[0]).text
    assert "2 of 2 people left the list" in marc.get(pages[1]).text
    monkeypatch.setattr(list_acts, "tell", tell)
    with session_scope(sessions) as session:
        session.execute(update(ListAct).values(failed_at=ListAct.failed_at - parts.REST))
    assert parts_done() == 2
    assert "2 of 2 people left the list" in marc.get(pages[0]).text
    with sessions() as session:
        told = session.scalars(select(WebhookCall.body["list"].astext).order_by(WebhookCall.id)).all()
    assert told == ["walks", "talks", "talks", "walks"]


def part_of_an_act(sessions: Sessions) -> bool:
    with session_scope(sessions) as session:
        return list_acts.do_part(session)


def test_a_tag_gets_another_name_or_none_for_everybody(
    marc: Person, ada: int, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailer.audience.tags.replace_tag.__defaults__", (0, 1))  # one person at a time
    with session_scope(sessions) as session:
        for email in ("zoe@reader.example", "ivo@reader.example"):
            add_subscriber(session, Reader(email, tags=("walker", "old")))
        save_segment(session, "walkers", 'tag "walker"', "", business_now(session))
    page = marc.get("/desk/tags/change", tag="walker").text
    assert "3 people have it" in page
    assert "the segment" in page
    assert (
        "This is its name already"
        in marc.post("/desk/tags/change", tag="walker", new=" Walker", verb="rename").text
    )
    # To nothing: what was wrong stands in the form.
    page = marc.post("/desk/tags/change", tag="walker", new=" ", verb="rename").text
    assert "Write the new name." in page
    assert "3 people have it" in page
    page = marc.post("/desk/tags/change", tag="walker", new="Hiker", verb="rename").text
    assert "walker is hiker now: 3 people were changed." in page
    assert "walker" not in page.split("<table")[1]
    marc.post("/desk/tags/change", tag="old", verb="remove")
    with sessions() as session:
        assert session.scalars(select(Subscriber.tags).order_by(Subscriber.id)).all() == [
            [],
            ["hiker"],
            ["hiker"],
            ["hiker"],
        ]
        noted = session.execute(select(Action.what, Action.rows).where(Action.what.startswith("tag")))
        assert [tuple(one) for one in noted] == [("tag rename", 3), ("tag remove", 2)]
    assert marc.get("/desk/tags/change", tag="walker").status_code == 404


def test_a_field_is_declared_renamed_and_removed_with_what_people_have_in_it(
    marc: Person, ada: int, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        session.get_one(Subscriber, ada).fields = {"city": "Bath"}
        save_segment(session, "bathers", 'field city is "Bath"', "", business_now(session))
    marc.get("/desk/fields")
    assert "cannot name a field" in marc.post("/desk/fields", key="A b", type="text").text
    assert "People can have age now." in marc.post("/desk/fields", key="age", type="number").text
    refused = marc.post("/desk/fields/change", field="city", new="town", verb="rename")
    assert "The segment bathers asks for city; change that one first." in refused.text
    with session_scope(sessions) as session:
        remove_segment(session, "bathers")
    assert (
        "city is town now: 1 person was changed."
        in marc.post("/desk/fields/change", field="city", new="town", verb="rename").text
    )
    page = marc.post("/desk/fields/change", field="town", new="", verb="rename").text
    assert "Write the new name." in page
    assert 'name="new"' in page
    with sessions() as session:
        assert session.get_one(Subscriber, ada).fields == {"town": "Bath"}
    assert (
        "is of type number already"
        in marc.post("/desk/fields/change", field="town", new="age", verb="rename").text
    )
    marc.post("/desk/fields/change", field="town", verb="remove")
    with sessions() as session:
        assert session.get_one(Subscriber, ada).fields == {}
        assert set(declared_fields(session)) == {"age", "member"}


def test_addresses_are_stopped_all_or_none_and_lifted_by_who_may(
    desk: str, marc: Person, sessions: Sessions
) -> None:
    assert "Every address may be mailed" in marc.get("/desk/suppressions").text
    wrong = marc.post("/desk/suppressions", addresses=f"{ADA}\nnot one", by="manual")
    assert wrong.status_code == 422
    assert "&#39;not&#39;, &#39;one&#39;" in wrong.text
    page = marc.post("/desk/suppressions", addresses=f"{ADA}, {BEN}\n", by="complaint", detail="=1+1").text
    assert "2 addresses are not mailed any more." in page
    rows = list(csv.reader(io.StringIO(marc.get("/desk/suppressions.csv").text)))
    assert [row[:3] for row in rows[1:]] == [[BEN, "complaint", "'=1+1"], [ADA, "complaint", "'=1+1"]]
    assert "No suppressed address" in marc.post("/desk/suppressions/find", address="zoe@reader.example").text
    for words, shown in ((ADA.upper(), [ADA]), ("AD", [ADA]), ("@Reader", [ADA, BEN]), ("@eader", [])):
        answer = marc.post("/desk/suppressions/find", address=words)
        assert [one for one in (ADA, BEN) if f">{one}</a>" in answer.text] == shown, words
        assert "reader" not in str(answer.url).lower()
    with sessions() as session:
        number = session.scalars(select(Suppression.id).where(Suppression.email == ADA)).one()
    path = f"/desk/suppressions/{number}"
    page = marc.get(path).text
    assert "They reported a mail as spam" in page
    assert "Your role does not lift this one: an owner may" in page
    # Refused also to who sends the form by hand.
    assert "is lifted by only an owner" in marc.post(f"{path}/lift", despite="yes", because="I want to").text
    owen = signs_in(desk, Role.OWNER)
    owen.get(path)
    assert "tick that you know" in owen.post(f"{path}/lift", because="by letter").text
    assert "may be mailed again" in owen.post(f"{path}/lift", despite="yes", because="by letter").text
    assert owen.get(path).status_code == 404


def test_marc_adds_somebody_with_the_words_they_agreed_to(marc: Person, ada: int) -> None:
    marc.get("/desk/subscribers")
    wrong = marc.post("/desk/subscribers", email=BEN, list="calm", name="Ben")
    assert wrong.status_code == 422
    assert "the words that this person agreed to" in wrong.text
    assert 'value="ben@reader.example"' in wrong.text
    page = marc.post(
        "/desk/subscribers", email=BEN, list="calm", consent="At the counter", tags="Walker, new"
    ).text
    assert "They are on the list." in page
    assert "At the counter" in page
    assert 'value="new, walker"' in page


def test_one_persons_page_tells_why_and_changes_what_is_known(
    marc: Person, ada: int, sessions: Sessions
) -> None:
    path = f"/desk/subscribers/{ada}"
    page = marc.get(path).text
    for words in ("A calm week", "Send me the course.", "enrolled in calm", "was due", "0 of 7"):
        assert words in page, words
    given = {"name": "Ada", "language": "de", "zone": "Europe/Berlin", "tags": "Walker, vip"}
    assert "Changed." in marc.post(path, **given, **{"field-city": "Bath", "field-member": "yes"}).text
    wrong = marc.post(path, **{**given, "language": "tlh"}, **{"field-city": "", "field-member": ""})
    assert wrong.status_code == 422
    assert 'value="tlh"' in wrong.text
    marc.post(path, **{**given, "tags": "vip"}, **{"field-city": "", "field-member": "no"})
    with sessions() as session:
        known = session.get_one(Subscriber, ada)
        assert (known.name, known.language, known.zone, known.tags) == ("Ada", "de", "Europe/Berlin", ["vip"])
        assert known.fields == {"member": False}


def test_marc_pauses_a_course_and_undoes_it(marc: Person, ada: int, sessions: Sessions) -> None:
    with sessions() as session:
        reading = session.scalars(select(Enrollment.id).where(Enrollment.subscriber_id == ada)).one()
    path = f"/desk/subscribers/{ada}/courses/{reading}"
    assert "About hello" in marc.get(path).text
    assert "Choose a day after today" in marc.post(path, action="pause", until="2020-01-01").text
    assert "Choose what is to be changed" in marc.post(path, action="dance").text
    with sessions() as session:
        soon = (business_now(session) + timedelta(days=10)).date().isoformat()
    page = marc.post(path, action="pause", until=soon).text
    assert f"paused until {date.fromisoformat(soon):%d %b %Y}" in page
    change = page.split('name="change" value="')[1].split('"')[0]
    assert "paused until" not in marc.post(path, action="undo", change=change).text
    assert "Start over" in marc.post(path, action="stop").text
    with sessions() as session:
        assert session.get_one(Enrollment, reading).state == "stopped"
    assert "the welcome leaves now" in marc.post(f"/desk/subscribers/{ada}/enroll", course="calm").text
    assert marc.get(f"/desk/subscribers/{ada + 1}/courses/{reading}").status_code == 404


def test_who_is_taken_off_a_list_comes_back_only_by_confirming(marc: Person, ada: int) -> None:
    path = f"/desk/subscribers/{ada}"
    marc.get(path)
    assert "They get nothing more" in marc.post(f"{path}/leave", list="calm").text
    assert "Choose a list" in marc.post(f"{path}/join", list="calm").text
    assert "mail to confirm" in marc.post(f"{path}/join", list="calm", consent="By telephone").text
    assert "unsubscribed from everything" in marc.post(f"{path}/leave").text


def test_erasing_wants_the_address_typed_and_leaves_a_hash(
    marc: Person, ada: int, sessions: Sessions
) -> None:
    path = f"/desk/subscribers/{ada}"
    kept = json.loads(marc.get(f"{path}/person.json").text)
    assert kept["person"]["email"] == ADA
    assert "cannot be undone" in marc.get(f"{path}/erase").text
    assert "This is not their address" in marc.post(f"{path}/erase", address="ben@reader.example").text
    assert "They are forgotten, with 1 mail." in marc.post(f"{path}/erase", address=ADA.upper()).text
    assert marc.get(path).status_code == 404
    with sessions() as session:
        assert session.get(Subscriber, ada) is None
        assert session.scalars(select(Suppression.email)).one() is None
        assert {"subscriber export", "subscriber erase"} <= set(session.scalars(select(Action.what)))


def test_saving_a_page_changes_only_what_was_changed_on_it(
    marc: Person, sessions: Sessions, ada: int
) -> None:
    path = f"/desk/subscribers/{ada}"
    page = marc.get(path).text
    found = re.search(r'name="was" value="([^"]+)"', page)
    assert found
    with session_scope(sessions) as session:
        person = session.get_one(Subscriber, ada)
        # Meanwhile she chooses her zone, and an import brings a tag.
        person.zone, person.tags = "Asia/Tokyo", ["walker"]
    shown = {"name": "Ada L.", "language": "", "zone": "Europe/London", "tags": "vip", "field-city": ""}
    assert "Changed." in marc.post(path, was=unescape(found[1]), **shown).text
    with session_scope(sessions) as session:
        person = session.get_one(Subscriber, ada)
        assert (person.name, person.zone, sorted(person.tags)) == ("Ada L.", "Asia/Tokyo", ["vip", "walker"])
