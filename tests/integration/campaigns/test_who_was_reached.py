"""What a campaign did: how far it is, who did not get it and why, and which links were followed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.aim import Again
from mailer.audience.suppression import suppress
from mailer.db import Sessions, session_scope
from mailer.errors import Refused
from mailer.feedback.record import leave, unsubscribe
from mailer.launch.campaign_again import count_again
from mailer.models import Campaign, Delivery, Event, EventKind, Subscriber, SuppressionReason, Verdict
from mailer.reports.afterwards import Afterwards, afterwards
from mailer.reports.link_map import link_figures, mail_with_figures, written
from mailer.reports.not_reached import not_reached
from mailer.reports.sending import Progress, campaign_progress
from mailer.reports.statement import campaign_statement
from mailer.schedule.campaigns import get_campaign
from tests.integration.campaigns.phased import LINKED, by, click, later, redraft, send_all
from tests.support.campaigns import SPRING, draft, set_going, write_campaign
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

LEFT = "unsubscribed-from-everything"
A, B = "Spring at the Reading Room", "Windows open"


def spring_of(session: Session) -> Campaign:
    return get_campaign(session, SPRING)


def progress(house: House) -> Progress:
    with session_scope(house.sessions) as session:
        return campaign_progress(session, SPRING, house.at)


def pages(
    sessions: Sessions, state: str = "", reason: str | None = None, look_at: int = 100
) -> list[list[str]]:
    """All pages of two, as states."""
    found, at = [], ""
    while True:
        with session_scope(sessions) as session:
            page = not_reached(session, spring_of(session), state, reason, at, most=2, look_at=look_at)
        found.append([row.state for row in page.rows])
        if not page.next:
            return found
        at = page.next


@pytest.fixture
def gone(hundred: House, server: ScriptedSmtp) -> House:
    """Of a hundred three bounced, two were suppressed while they waited, and one had left."""
    set_going(hundred)
    hundred.plan()
    with session_scope(hundred.sessions) as session:
        people = session.scalars(
            select(Subscriber).join(Delivery, Delivery.subscriber_id == Subscriber.id).order_by(Delivery.id)
        ).all()
        for one in people[:3]:
            server.about["RCPT", one.email] = ["550 5.1.1 no such user"]
        for one in people[3:5]:
            suppress(session, one.email, SuppressionReason.MANUAL, hundred.at)
        leave(session, people[5].id, None, source="test", now=hundred.at)
    send_all(hundred)
    return hundred


def test_everybody_who_did_not_get_it_is_found_page_by_page(gone: House) -> None:
    assert pages(gone.sessions) == [["bounced"] * 2, ["bounced", "suppressed"], ["suppressed"] * 2]
    assert pages(gone.sessions, "bounced") == [["bounced"] * 2, ["bounced"]]
    assert pages(gone.sessions, "held") == [[]]
    # The six one after the other, two looked at for each page: who left is the last of them.
    assert pages(gone.sessions, reason=LEFT, look_at=2) == [[], [], ["suppressed"], []]
    with session_scope(gone.sessions) as session:
        assert not_reached(session, spring_of(session)).rows[0].said == "550 5.1.1 no such user"
        lines = campaign_statement(session, spring_of(session)).lines
        with pytest.raises(Refused, match="begin again"):
            not_reached(session, spring_of(session), at="yesterday~1")
        with pytest.raises(Refused, match="is none of"):
            not_reached(session, spring_of(session), "accepted")
    # Two reasons of one state are two lines, and nobody is in both.
    assert [(line.state, line.mails) for line in lines] == [
        ("accepted", 94),
        ("bounced", 3),
        ("suppressed", 2),
        ("suppressed", 1),
    ]


def test_the_end_is_foreseen_by_the_rate_of_the_last_minute(hundred: House, server: ScriptedSmtp) -> None:
    set_going(hundred)
    hundred.plan()
    seen = progress(hundred)
    assert (seen.waiting, seen.per_second, seen.ends_at) == (100, None, None)
    with session_scope(hundred.sessions) as session:
        for email in session.scalars(select(Subscriber.email).order_by(Subscriber.id).limit(40)):
            server.about["RCPT", email] = ["451 4.7.1 come back later"]
    hundred.send()
    seen = progress(hundred)
    # 60 in the last minute are one a second, and 40 are still to go.
    assert (seen.accepted, seen.waiting, seen.per_second) == (60, 40, 1.0)
    assert seen.ends_at == hundred.at + timedelta(seconds=40)


def test_what_came_back_later_and_whom_it_would_reach_again(gone: House) -> None:
    with session_scope(gone.sessions) as session:
        mails = session.scalars(
            select(Delivery).where(Delivery.state == "accepted").order_by(Delivery.id).limit(3)
        ).all()
        who = [session.get_one(Subscriber, mail.subscriber_id) for mail in mails]
        unsubscribe(session, mails[0].id, everything=False, source="test", now=gone.at)
        suppress(session, who[1].email, SuppressionReason.COMPLAINT, gone.at)
        event = {"kind": EventKind.BOUNCED, "subscriber_id": who[2].id, "delivery_id": mails[2].id}
        session.add(Event(at=gone.at, **event))
        session.flush()
        assert afterwards(session, spring_of(session)) == Afterwards(bounced_later=1, complaints=1, left=1)
    click(gone, A, 5)
    click(gone, A, 10, Verdict.MACHINE)
    with session_scope(gone.sessions) as session:
        spring = spring_of(session)
        # Who bounced is suppressed since, and who left is on no list any more.
        assert count_again(session, spring, Again.MISSED, gone.at) == 0
        # 94 got it, and the first five clicked: who left since and who complained are among these.
        assert count_again(session, spring, Again.NOT_CLICKED, gone.at) == 89


def test_each_variant_has_its_own_figures_at_its_links(hundred: House, tmp_path: Path) -> None:
    redraft(hundred, tmp_path, by("clicks"))
    set_going(hundred)
    send_all(hundred)
    click(hundred, A, 4)
    click(hundred, B, 6)
    click(hundred, B, 2, Verdict.MACHINE)
    assert progress(hundred).may_be_chosen
    later(hundred, hours=2)
    with session_scope(hundred.sessions) as session:
        spring = spring_of(session)
        first, second = (written(spring).get(name) for name in ("A", "b"))
        figures = link_figures(session, spring, second)
        assert (link_figures(session, spring, first).people, figures.people) == (4, 6)
        assert [(one.people, one.machines, one.requests) for one in figures.links] == [(6, 2, 8)]
        html = mail_with_figures(session, spring, second, "en", figures, "").html
        assert ">6</span>windows</a>" in html
        bare = mail_with_figures(session, spring, second, "en", None, "").html
        assert ">6</span>" not in bare


def test_a_link_that_nobody_followed_is_in_the_table_too(hundred: House, tmp_path: Path) -> None:
    two = LINKED + " And the [door](https://reading.example/door?a=1&b=2)."
    with session_scope(hundred.sessions) as session:
        draft(session, [write_campaign(tmp_path, body=two)], hundred.at)
    set_going(hundred)
    send_all(hundred)
    click(hundred, A, 3)
    with session_scope(hundred.sessions) as session:
        spring = spring_of(session)
        figures = link_figures(session, spring, written(spring).get(""))
        shown = [(one.url, one.people) for one in figures.links]
        html = mail_with_figures(session, spring, written(spring).get(""), "en", figures, "").html
    assert shown == [("https://reading.example/windows", 3), ("https://reading.example/door?a=1&b=2", 0)]
    assert ">0</span>door</a>" in html
