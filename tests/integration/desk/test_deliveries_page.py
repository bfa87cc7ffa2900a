"""Mails looked for, looked at, and acted on many at a time."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import session_scope
from mailer.delivery import bulk, ledger, parts
from mailer.delivery.verbs import RETRY
from mailer.models import Action, Batch, BulkAct, Delivery, DeliveryState, Subscriber
from mailer.reports.deliveries import Look, deliveries_page
from tests.support.cast import ADA, BEN, CLEO
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.staff import Person

FRANK = "frank@elsewhere.example"


def put(house: House, email: str, state: str, reason: str = "") -> int:
    """This person's mail is in this state; its id."""
    with session_scope(house.sessions) as session:
        person = select(Subscriber.id).where(Subscriber.email_key == email).scalar_subquery()
        values = {"state": state, "reason": reason, "settled_at": house.at}
        done = session.execute(
            update(Delivery).where(Delivery.subscriber_id == person).values(values).returning(Delivery.id)
        )
        number = done.scalars().one()
        tally.mend(session)
        return number


@pytest.fixture
def four(house: House) -> dict[str, int]:
    """A welcome each: Ada's and Frank's failed, Ben's is in quarantine, Cleo's is planned."""
    for email in (ADA, BEN, CLEO, FRANK):
        house.enroll(email)
    house.plan()
    return {
        ADA: put(house, ADA, "failed", "refused: 554"),
        BEN: put(house, BEN, "quarantined", "it cannot be made: no first name"),
        CLEO: put(house, CLEO, "planned"),
        FRANK: put(house, FRANK, "failed", "given up"),
    }


def states(house: House, four: dict[str, int]) -> dict[str, str]:
    with session_scope(house.sessions) as session:
        rows = session.execute(select(Delivery.id, Delivery.state))
        found = dict(rows.all())
    return {email: found[number] for email, number in four.items()}


def test_mails_are_found_by_state_course_domain_and_words(four: dict[str, int], rea: Person) -> None:
    failed = rea.get("/desk/deliveries", state="failed").text
    assert ADA in failed
    assert FRANK in failed
    assert BEN not in failed
    at = rea.get("/desk/deliveries", state="failed", domain="elsewhere.example").text
    assert FRANK in at
    assert ADA not in at
    words = rea.get("/desk/deliveries", state="failed", reason="GIVEN", course="calm").text
    assert FRANK in words
    assert ADA not in words
    assert CLEO in rea.get("/desk/deliveries", state="planned", course="calm").text
    assert "No mail fits" in rea.get("/desk/deliveries", state="bounced").text
    everything = rea.get("/desk/deliveries").text
    assert all(email in everything for email in four)


def test_a_state_that_there_is_not_is_said(four: dict[str, int], rea: Person) -> None:
    assert "is none of planned" in rea.get("/desk/deliveries", state="lost").text
    assert "begin again" in rea.get("/desk/deliveries", at="a~b").text


@pytest.mark.parametrize("state", ["", "planned", "failed"])
def test_pages_follow_each_other_without_a_gap_or_a_repeat(house: House, state: str) -> None:
    for number in range(7):
        house.enroll(f"reader{number}@example.org")
    house.plan()
    if state == "failed":
        for number in range(7):
            put(house, f"reader{number}@example.org", "failed")
    seen: list[int] = []
    at = ""
    with session_scope(house.sessions) as session:
        # Three at a time of seven: three pages.
        for _ in range(3):
            page = deliveries_page(session, Look(state=state), at, most=3)
            seen += [row.id for row in page.rows]
            at = page.next
    assert at == ""
    assert len(seen) == len(set(seen)) == 7


def test_an_act_says_what_and_how_many_and_then_does_it(
    house: House, four: dict[str, int], opal: Person
) -> None:
    asked = opal.get("/desk/deliveries/act", verb="retry", state="failed", course="calm")
    assert "Try again: 2 mails?" in asked.text
    assert states(house, four)[ADA] == "failed"
    done = opal.post("/desk/deliveries/act", verb="retry", state="failed", course="calm", seen="2")
    assert "2 mails tried again; now planned." in done.text
    assert states(house, four) == {ADA: "planned", BEN: "quarantined", CLEO: "planned", FRANK: "planned"}
    with session_scope(house.sessions) as session:
        action = session.scalars(select(Action).where(Action.what == "delivery retry")).one()
        assert (action.who, action.rows) == ("opal@example.org", 2)


def test_more_than_somebody_saw_are_not_touched(house: House, four: dict[str, int], opal: Person) -> None:
    opal.get("/desk/deliveries/act", verb="cancel", state="failed", lane="course")
    asked = opal.get("/desk/deliveries/act", verb="retry", state="failed", course="calm")
    answer = opal.post("/desk/deliveries/act", verb="retry", state="failed", course="calm", seen="1")
    assert answer.status_code == 409
    assert "There are 2 by now, more than the 1 that you saw." in answer.text
    assert asked.status_code == 200
    assert states(house, four)[ADA] == "failed"


def test_an_act_on_every_mail_there_is_is_refused(four: dict[str, int], opal: Person) -> None:
    answer = opal.get("/desk/deliveries/act", verb="hold", state="planned")
    assert "so that not every mail is meant" in answer.text


def test_a_hold_is_undone_by_releasing(house: House, four: dict[str, int], opal: Person) -> None:
    opal.get("/desk/deliveries/act", verb="hold", state="planned", course="calm")
    done = opal.post(
        "/desk/deliveries/act", verb="hold", state="planned", course="calm", seen="1", because="wait"
    )
    assert "1 mail held; now held. Release undoes it." in done.text
    assert "verb=release" in done.text
    opal.post("/desk/deliveries/act", verb="release", state="held", course="calm", seen="1")
    assert states(house, four)[CLEO] == "planned"


def test_one_mail_shows_its_attempts_and_its_why(house: House, server: ScriptedSmtp, rea: Person) -> None:
    house.enroll(ADA)
    server.replies["RCPT"] = ["451 4.7.1 Greylisting in action, please try again later"]
    house.send()
    with session_scope(house.sessions) as session:
        number = session.scalars(select(Delivery.id)).one()
    page = rea.get(f"/desk/deliveries/{number}").text
    assert "451 4.7.1 Greylisting in action" in page
    assert "Greylisted: they want it once more, later" in page
    assert re.search(r"was due", page)
    by_kind = rea.get("/desk/deliveries", kind="greylisted").text
    assert ADA in by_kind


def test_a_mail_that_there_is_not_is_said(rea: Person) -> None:
    answer = rea.get("/desk/deliveries/999")
    assert answer.status_code == 404
    assert "There is no such mail" in answer.text


def part(house: House) -> bool:
    """What the worker does in one go."""
    with session_scope(house.sessions) as session:
        return bulk.do_part(session)


def retries_two(opal: Person) -> str:
    """Opal has the two failed ones tried again, which are many here; the path of the page that follows."""
    opal.get("/desk/deliveries/act", verb="retry", state="failed", course="calm")
    answer = opal.post("/desk/deliveries/act", verb="retry", state="failed", course="calm", seen="2")
    assert "0 of 2 mails tried again so far" in answer.text
    return answer.url.path


def test_an_act_on_many_is_done_by_a_worker_a_part_at_a_time_and_to_no_mail_twice(
    house: House, four: dict[str, int], opal: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    page = retries_two(opal)
    assert part(house)
    assert "1 of 2 mails tried again so far" in opal.get(page).text
    assert "1 of 2 mails are changed so far, as opal@example.org asked (retry)." in opal.get("/desk").text
    # Ada's fails again at once; it is behind the act and stays so.
    put(house, ADA, "failed", "refused: 554")
    while part(house):
        pass
    assert "2 of 2 mails tried again." in opal.get(page).text
    assert states(house, four) == {ADA: "failed", BEN: "quarantined", CLEO: "planned", FRANK: "planned"}
    with session_scope(house.sessions) as session:
        action = session.scalars(select(Action).where(Action.what == "delivery retry")).one()
        assert (action.who, action.rows) == ("opal@example.org", 2)


def test_a_worker_that_is_lost_in_the_middle_of_a_part_leaves_nothing_half_done(
    house: House, four: dict[str, int], opal: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    retries_two(opal)
    with pytest.raises(KeyboardInterrupt), session_scope(house.sessions) as session:
        bulk.do_part(session)
        raise KeyboardInterrupt
    assert states(house, four)[ADA] == "failed"
    with session_scope(house.sessions) as session, session_scope(house.sessions) as other:
        assert bulk.do_part(session)
        assert not bulk.do_part(other)  # somebody is at it
    assert states(house, four)[ADA] == "planned"


def test_an_act_whose_part_fails_lets_others_go_first_and_ends_after_five_times(
    house: House, four: dict[str, int], opal: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    page = retries_two(opal)
    change = ledger.change

    def failing(session: Session, chosen: ledger.Chosen, *rest: Any, **named: Any) -> Counter[str]:
        changed = change(session, chosen, *rest, **named)
        if chosen.verb is RETRY:
            raise RuntimeError("a disk that is full")  # after the rows were written
        return changed

    monkeypatch.setattr(ledger, "change", failing)
    with session_scope(house.sessions) as session:
        bulk.ask(session, "cancel", ledger.Filter(course="calm"), 2, who="olive")
    assert part(house)
    assert "tried again every minute" in opal.get(page).text
    while part(house):  # the other one, which is younger; the first one rests
        pass
    # Ben's was in quarantine, Cleo's planned; the failed ones are as they were.
    assert states(house, four) == {ADA: "failed", BEN: "cancelled", CLEO: "cancelled", FRANK: "failed"}
    for _ in range(4):
        with session_scope(house.sessions) as session:
            session.execute(update(BulkAct).values(failed_at=BulkAct.failed_at - parts.REST))
        assert part(house)
    assert "Something went wrong on our side 5 times" in opal.get(page).text
    assert not part(house)
    assert states(house, four)[ADA] == "failed"


def test_an_act_on_many_is_stopped_and_what_was_done_stays(
    house: House, four: dict[str, int], opal: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    page = retries_two(opal)
    part(house)
    opal.get(page)
    answer = opal.post(f"{page}/stop")
    assert "opal@example.org stopped it." in answer.text
    assert not part(house)
    assert states(house, four)[FRANK] == "failed"


def test_an_act_on_many_is_done_to_no_more_than_were_confirmed(
    house: House, four: dict[str, int], opal: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    page = retries_two(opal)
    put(house, CLEO, "failed", "given up")
    while part(house):
        pass
    assert "More had come by then than were confirmed; look again." in opal.get(page).text
    assert list(states(house, four).values()).count("failed") == 1


def test_what_came_after_somebody_looked_is_not_cancelled_in_its_place(
    house: House, four: dict[str, int], opal: Person
) -> None:
    page = opal.get("/desk/deliveries/act", verb="cancel", state="planned", course="calm").text
    found = re.search(r'name="seen_at" value="([^"]+)"', page)
    assert found
    put(house, CLEO, "accepted")
    house.enroll("nina@reader.example")
    house.plan()
    asked = {"verb": "cancel", "state": "planned", "course": "calm", "seen": "1", "seen_at": found[1]}
    assert "0 mails" in opal.post("/desk/deliveries/act", **asked).text
    with session_scope(house.sessions) as session:
        bulk.ask(
            *(session, "cancel", ledger.Filter(course="calm", states=(DeliveryState.PLANNED,)), 1),
            who="olive",
            seen_at=datetime.fromisoformat(found[1]),
        )
    while part(house):
        pass
    with session_scope(house.sessions) as session:
        assert "cancelled" not in session.execute(select(Delivery.state)).scalars().all()


def test_what_is_offered_and_nobody_has_begun_is_counted_held_and_cancelled(
    house: House, opal: Person
) -> None:
    for email in (ADA, BEN, CLEO):
        house.enroll(email)
    house.plan()
    assert house.offers()
    assert house.states() == {"sending": 3}
    named = {"state": "planned", "course": "calm"}
    with session_scope(house.sessions) as session:
        ada = session.scalars(select(Delivery.id).order_by(Delivery.id)).first()
    # One by one: its own page has the acts of what is planned.
    page = opal.get(f"/desk/deliveries/{ada}").text
    assert f"verb=hold&amp;state=planned&amp;mail={ada}" in page
    hers = {"verb": "hold", "state": "planned", "mail": f"{ada}"}
    assert "Hold: 1 mail" in opal.get("/desk/deliveries/act", **hers).text
    opal.post("/desk/deliveries/act", seen="1", **hers)
    assert house.states() == {"held": 1, "planned": 2}
    assert house.offers()
    assert house.states() == {"held": 1, "sending": 2}
    # And all that fit: what was counted is what is then done.
    assert "Cancel: 2 mails" in opal.get("/desk/deliveries/act", verb="cancel", **named).text
    done = opal.post("/desk/deliveries/act", verb="cancel", seen="2", **named)
    assert "2 mails cancelled" in done.text
    assert house.states() == {"held": 1, "cancelled": 2}


def test_what_a_worker_has_begun_is_in_no_count(house: House, opal: Person) -> None:
    house.enroll(ADA)
    house.plan()
    house.offers()
    with session_scope(house.sessions) as session:
        session.execute(update(Batch).values(token=uuid4()))
    asked = opal.get("/desk/deliveries/act", verb="cancel", state="planned", course="calm")
    assert "Cancel: 1 mail" not in asked.text
    assert house.states() == {"sending": 1}
