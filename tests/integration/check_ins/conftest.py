"""A house with a course of two weeks, Ada in it, and the pages that its mails link to.

Ada joins on Monday 2 March 2026 in London: week 1 comes on Tuesday 3 March, the lesson on Friday 6, week 2 on
Tuesday 10, the closing on Tuesday 17, each at 08:00 (UTC, too: summer time begins on 29 March).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from mailer.db import Sessions, session_scope, step_clock
from mailer.delivery.batch import Post
from mailer.delivery.journal import Journal
from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from mailer.embedded.redis import EmbeddedRedis
from mailer.links import Signer
from mailer.settings import Settings
from tests.conftest import SECRET
from tests.support.cast import ADA, publish_folder
from tests.support.house import House
from tests.support.reader_pages import running_app
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.weeks import Pages, write_weeks


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as running:
        yield running


@pytest.fixture
def house(
    sessions: Sessions, server: ScriptedSmtp, signer: Signer, now: datetime, tmp_path: Path
) -> Iterator[House]:
    with session_scope(sessions) as session:
        step_clock(session, now)
        publish_folder(session, write_weeks(tmp_path / "calm"), now)
    pool = SmtpPool(SmtpServer.from_url(server.url), conversations=1)
    journal = Journal(tmp_path / "journal")
    made = House(
        sessions,
        Post(sessions, lambda _: pool, journal, signer, "http://mail.test"),
        now,
        tmp_path / "journal",
    )
    made.enroll(ADA)
    made.send()
    yield made
    pool.close()
    journal.close()
    assert made.miscounts() == []


@pytest.fixture
def pages(house: House, database_url: str, redis: EmbeddedRedis) -> Iterator[Pages]:
    settings = Settings(database_url=database_url, redis_url=redis.broker_url, secret_key=(SECRET,))
    with running_app(settings) as address:
        yield Pages(house, address)
