"""Pausing, resuming, and going on after an outage, on the desk."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.delivery.holds import list_holds, put_on_hold
from mailer.models import Action, Delivery, HoldCause, HoldScope
from tests.support.cast import ADA
from tests.support.house import House
from tests.support.staff import Person


def held(sessions: Sessions) -> list[str]:
    with session_scope(sessions) as session:
        return [f"{hold.scope} {hold.target}".strip() for hold in list_holds(session)]


def test_a_pause_says_for_how_many_and_is_undone_by_resuming(house: House, opal: Person) -> None:
    house.enroll(ADA)
    house.plan()
    asked = opal.get("/desk/holds/pause", scope="course", target="calm")
    assert "Pause course calm?" in asked.text
    assert "1 planned mail" in asked.text
    assert held(house.sessions) == []
    done = opal.post("/desk/holds/pause", scope="course", target="calm", reason="a wrong link")
    assert "Paused course calm." in done.text
    assert "a wrong link" in done.text
    assert held(house.sessions) == ["course calm"]
    again = opal.post("/desk/holds/pause", scope="course", target="calm")
    assert "was paused already" in again.text
    resumed = opal.post("/desk/holds/resume", scope="course", target="calm")
    assert "Resumed course calm." in resumed.text
    assert held(house.sessions) == []
    with session_scope(house.sessions) as session:
        assert [
            one.what for one in session.scalars(select(Action).order_by(Action.id).where(Action.rows == 0))
        ][-2:] == [
            "queue pause",
            "queue resume",
        ]


def test_what_there_is_not_is_not_paused(house: House, opal: Person) -> None:
    assert "did you mean calm" in opal.get("/desk/holds/pause", scope="course", target="clam").text
    assert "cannot be paused" in opal.get("/desk/holds/pause", scope="planet", target="earth").text


def test_after_an_outage_the_choice_is_made_with_its_figures(house: House, opal: Person) -> None:
    house.enroll(ADA)
    house.plan()
    # Two days in which nobody was there: the welcome is two days late.
    house.go_to(house.at + timedelta(days=2))
    with session_scope(house.sessions) as session:
        for lane in ("course", "campaign"):
            put_on_hold(
                session, HoldCause.OUTAGE, HoldScope.LANE, lane, house.at, "no sign of life for 2 days"
            )
    page = opal.get("/desk/holds")
    assert "is on hold by itself" in page.text
    choice = opal.get("/desk/holds/release").text
    assert "no sign of life for 2 days" in choice
    assert "skip-stale" in choice
    assert "Choose what becomes" in opal.post("/desk/holds/release", policy="", hours="24").text
    assert len(held(house.sessions)) == 2
    done = opal.post("/desk/holds/release", policy="shift", hours="24")
    assert "Released." in done.text
    assert held(house.sessions) == []
    with session_scope(house.sessions) as session:
        assert session.scalars(select(Delivery.state)).first() == "planned"


def test_a_copy_is_adopted_only_by_saying_so(house: House, opal: Person) -> None:
    with session_scope(house.sessions) as session:
        put_on_hold(session, HoldCause.FENCE, HoldScope.EVERYTHING, "", house.at, "this may be a copy")
    opal.get("/desk/holds/release")
    answer = opal.post("/desk/holds/release", policy="shift", hours="24")
    assert "the one that sends" in answer.text
    assert held(house.sessions) == ["everything"]
