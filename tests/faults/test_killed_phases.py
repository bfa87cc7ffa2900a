"""A process killed with SIGKILL while it lets go of a campaign's rest: the next one goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import psycopg
from sqlalchemy import select

from mailer import tally
from mailer.content.trial import Measure, TestPlan, Trial, Variant
from mailer.db import Sessions, session_scope
from mailer.launch.campaign_phases import advance, choose
from mailer.launch.campaign_tick import materialise
from mailer.models import Campaign, Delivery, Message
from mailer.reports.campaigns import describe_campaign
from tests.conftest import NOW
from tests.faults.test_killed_campaign import scheduled
from tests.support.stack import ROOT

LETS_GO = """
import sys
from tests.conftest import NOW
from mailer.db import make_engine, make_sessions, session_scope
from mailer.launch.campaign_phases import advance
sessions = make_sessions(make_engine(sys.argv[1]))
steps = 1
while steps:
    with session_scope(sessions) as session:
        steps = advance(session, NOW, limit=10)
"""
# Somebody else has the 155th of those that wait, so that a step stands still in its middle.
LOCK = """
    SELECT id FROM deliveries
    WHERE id = (SELECT id FROM deliveries WHERE state = 'held' ORDER BY id OFFSET 154 LIMIT 1) FOR UPDATE
    """


def tested(sessions: Sessions) -> None:
    """300 people, of whom 60 got A or B, and whose rest was decided to get B."""
    scheduled(sessions)
    with session_scope(sessions) as session:
        b = Message(source="campaign/x/b", language="en", digest="b", subject="b", html="b", text="b")
        session.add(b)
        session.flush()
        campaign = session.execute(select(Campaign)).scalar_one()
        variants = (Variant("a", "x", campaign.messages), Variant("b", "b", {"en": b.id}))
        campaign.trial = Trial(TestPlan(Measure.ASK), variants).as_values()
    with session_scope(sessions) as session:
        while materialise(session, NOW) + advance(session, NOW):
            pass
        choose(session, "x", "B", NOW, who="ann")


def planned(sessions: Sessions) -> Counter[int]:
    """Rows that were let go, by their message."""
    with session_scope(sessions) as session:
        rows = session.execute(select(Delivery.message_id).where(Delivery.state == "planned"))
        return Counter(rows.scalars())


def test_it_goes_on_and_nobody_is_left_or_has_two(database_url: str, sessions: Sessions) -> None:
    tested(sessions)
    assert sorted(planned(sessions).values()) == [30, 30]
    with psycopg.connect(database_url) as connection:
        connection.execute(LOCK)
        process = subprocess.Popen([sys.executable, "-c", LETS_GO, database_url], cwd=ROOT)
        deadline = time.monotonic() + 60
        while planned(sessions).total() < 60 + 150:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)  # into the step that stands still
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        connection.rollback()
    assert planned(sessions).total() == 210
    deadline = time.monotonic() + 60
    while planned(sessions).total() < 300:  # the server may hold the lost one's lock for a moment
        assert time.monotonic() < deadline
        with session_scope(sessions) as session:
            advance(session, NOW)
    assert sorted(planned(sessions).values()) == [30, 270]
    with session_scope(sessions) as session:
        people = session.execute(select(Delivery.subscriber_id)).scalars().all()
        assert len(people) == len(set(people)) == 300
        assert tally.recount(session) == []
        found = describe_campaign(session, "x")
    assert (found.row.audience, found.statement.missing, found.statement.open) == (300, 0, 300)
