"""A list is deleted while somebody begins to need it: either it is kept, or they are told."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from time import sleep

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience import unfinished
from mailer.audience.forms import FormText, add_form
from mailer.audience.lists import add_list, find_list, get_list, keep_lists
from mailer.audience.subscribers import Person
from mailer.db import Sessions, session_scope
from mailer.errors import Refused
from mailer.launch import campaign_findings
from mailer.launch.list_acts import begin_removal, uses_of
from mailer.launch.mailing import NO_LIST, of_campaign
from mailer.links import Signer
from mailer.models import Campaign, CampaignState, DraftCheck, OptIn, Sender
from mailer.schedule.signup import sign_up
from tests.support.cast import ADA, CONSENT

DELETED = "was deleted a moment ago"


@pytest.fixture(autouse=True)
def walks(sessions: Sessions) -> None:
    """The list "walks", which nothing needs."""
    with session_scope(sessions) as session:
        sender = Sender(slug="us", name="Us", email="us@example.org", reply_to="", postal_address="1 Way")
        session.add(sender)
        session.flush()
        add_list(session, "walks", "Walks", OptIn.SINGLE, sender.id)


def campaign(session: Session, state: CampaignState, now: datetime, **values: object) -> Campaign:
    one = Campaign(
        slug="news",
        subject="News",
        language="en",
        messages={},
        list_ids=[],
        sender_id=session.execute(select(Sender.id)).scalar_one(),
        state=state,
        aim={},
        created_at=now,
    )
    for name, value in values.items():
        setattr(one, name, value)
    session.add(one)
    session.flush()
    return one


def join(session: Session, now: datetime) -> None:
    sign_up(session, Person(ADA), get_list(session, "walks"), CONSENT, now)


def bring(session: Session, now: datetime) -> None:
    unfinished.begin(session, b"1" * 32, get_list(session, "walks").id, "walks.csv", now)


def write_a_form(session: Session, now: datetime) -> None:
    add_form(session, "walks", FormText("walks", "Walks", "Come along.", "I agree."), now)


def write_to_it(session: Session, now: datetime) -> None:
    get_list(session, "walks")
    keep_lists(session, ["walks"])


@pytest.mark.parametrize("need", [join, bring, write_a_form, write_to_it])
def test_who_comes_while_a_list_is_deleted_is_told(
    sessions: Sessions, now: datetime, need: Callable[[Session, datetime], None]
) -> None:
    def come() -> None:
        with pytest.raises(Refused, match=DELETED), session_scope(sessions) as session:
            need(session, now)

    with ThreadPoolExecutor(1) as pool:
        with session_scope(sessions) as session:
            begin_removal(session, get_list(session, "walks"), 0, now, who="Olga")
            coming = pool.submit(come)
            sleep(0.3)  # it finds the list still there, and waits
            assert not coming.done()
        coming.result(timeout=20)
    with session_scope(sessions) as session:
        assert find_list(session, "walks") is None


def test_a_list_is_kept_while_a_campaign_to_every_list_is_sent(sessions: Sessions, now: datetime) -> None:
    with session_scope(sessions) as session:
        news, walks = campaign(session, CampaignState.SENDING, now), get_list(session, "walks")
        assert [one.slug for one in uses_of(session, walks)] == ["news"]
        # Whom a scheduled one is for is asked when it is sent.
        news.state = CampaignState.SCHEDULED
        session.flush()
        assert uses_of(session, walks) == []


def test_a_check_that_cannot_be_made_says_why_and_lets_the_next_one_be_made(
    sessions: Sessions, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def check() -> str:
        with session_scope(sessions) as session:
            assert campaign_findings.check_again(session, Signer(["0" * 40]), "https://example.org")
            return session.execute(select(DraftCheck.first)).scalar_one()

    with session_scope(sessions) as session:
        campaign(session, CampaignState.SCHEDULED, now)
        begin_removal(session, get_list(session, "walks"), 0, now, who="Olga")
        with pytest.raises(Refused, match=NO_LIST):
            of_campaign(session, "news")
    assert NO_LIST in check()
    with session_scope(sessions) as session:
        session.query(DraftCheck).delete()
    monkeypatch.setattr(campaign_findings, "mailing_of", lambda *_: 1 / 0)
    assert check() == campaign_findings.OUR_FAULT
    assert "ZeroDivisionError" in caplog.text
