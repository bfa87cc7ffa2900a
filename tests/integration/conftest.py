"""A published course with Ada in it, a scripted server, and what a worker needs to send."""

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
from mailer.links import Signer
from tests.support.cast import publish_folder, write_course
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp


@pytest.fixture
def server() -> Iterator[ScriptedSmtp]:
    with scripted_smtp() as running:
        yield running


@pytest.fixture
def house(
    sessions: Sessions, server: ScriptedSmtp, signer: Signer, now: datetime, tmp_path: Path
) -> Iterator[House]:
    """A house with the course "calm" published, its clock standing at `now`."""
    with session_scope(sessions) as session:
        step_clock(session, now)
        publish_folder(session, write_course(tmp_path / "calm"), now)
    pool = SmtpPool(SmtpServer.from_url(server.url), conversations=1)
    journal = Journal(tmp_path / "journal")
    post = Post(sessions, lambda _: pool, journal, signer, "http://mail.test")
    made = House(sessions, post, now, tmp_path / "journal")
    yield made
    pool.close()
    journal.close()
    assert made.miscounts() == []
