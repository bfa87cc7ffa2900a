"""A process killed with SIGKILL while it writes a campaign's audience: the next one goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter

import psycopg
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.launch.campaign_tick import materialise, wind_up
from mailer.models import Campaign, CampaignState, Delivery, MailingList, Message, OptIn, Sender
from mailer.reports.campaigns import describe_campaign
from tests.conftest import NOW
from tests.support.campaigns import put_people
from tests.support.stack import ROOT

TAKEN = """
    INSERT INTO deliveries (id, dedup_key, kind, lane, source, subscriber_id, message_id, list_id, due_at,
                            next_attempt_at)
    SELECT 3::bigint << 36, 'campaign:' || c.id || ':-:' || s.id || ':1', 'campaign', 'campaign',
           'campaign:' || c.id, s.id, 1, 1, c.starts_at, c.starts_at
    FROM campaigns AS c, subscribers AS s WHERE s.email_key = 'reader155@reader.example'
    """
"""In the month of NOW, March 2026."""

WRITES = """
import sys
from tests.conftest import NOW
from mailer.db import make_engine, make_sessions, session_scope
from mailer.launch.campaign_tick import materialise
sessions = make_sessions(make_engine(sys.argv[1]))
written = 1
while written:
    with session_scope(sessions) as session:
        written = materialise(session, NOW, limit=10)
"""


def scheduled(sessions: Sessions) -> None:
    """300 people on a list, and a campaign whose time has come."""
    with session_scope(sessions) as session:
        sender = Sender(slug="room", name="Room", email="room@steadypost.example", postal_address="Bristol")
        message = Message(source="campaign/x", language="en", digest="", subject="x", html="x", text="x")
        session.add_all([sender, message])
        session.flush()
        list_ = MailingList(slug="calm", title="Calm", opt_in=OptIn.SINGLE, sender_id=sender.id)
        session.add(list_)
        session.flush()
        put_people(session, range(1, 301), "calm", NOW)
        session.add(
            Campaign(
                slug="x",
                subject="x",
                language="en",
                messages={"en": message.id},
                list_ids=[list_.id],
                sender_id=sender.id,
                state=CampaignState.SCHEDULED,
                starts_at=NOW,
            )
        )


def rows(sessions: Sessions) -> Counter[int]:
    """How many rows each person has."""
    with session_scope(sessions) as session:
        return Counter(session.execute(select(Delivery.subscriber_id)).scalars())


def test_it_goes_on_and_doubles_nobody(database_url: str, sessions: Sessions) -> None:
    scheduled(sessions)
    with psycopg.connect(database_url) as connection:
        # Whether reader 155 has it somebody else has not decided yet: a chunk stands still in its middle.
        connection.execute(TAKEN)
        process = subprocess.Popen([sys.executable, "-c", WRITES, database_url], cwd=ROOT)
        deadline = time.monotonic() + 60
        while len(rows(sessions)) < 150:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)  # into the chunk that has reader 155 in it
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        connection.rollback()
    assert len(rows(sessions)) == 150
    deadline = time.monotonic() + 60
    while len(rows(sessions)) < 300:  # the server may hold the lost one's lock for a moment
        assert time.monotonic() < deadline
        with session_scope(sessions) as session:
            materialise(session, NOW)
    with session_scope(sessions) as session:
        assert (materialise(session, NOW), wind_up(session, NOW)) == (0, 0)
        found = describe_campaign(session, "x")
    assert (found.row.audience, found.statement.missing, found.statement.open) == (300, 0, 300)
    assert set(rows(sessions).values()) == {1}
