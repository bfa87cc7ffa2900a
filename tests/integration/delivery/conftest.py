"""A server of each kind, and pools that are closed again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailer.delivery.transports.server import SmtpServer
from mailer.delivery.transports.smtp_pool import SmtpPool
from tests.support.scripted_smtp import ScriptedSmtp
from tests.support.smtp_feed import MakePool

SERVERS = {
    "pipelining": ["PIPELINING", "SIZE 10000000", "SMTPUTF8", "8BITMIME"],
    "no pipelining": ["SIZE 10000000"],
    "helo only": None,
}


@pytest.fixture
def make_pool(server: ScriptedSmtp) -> Iterator[MakePool]:
    """Makes pools for the server; at the end nothing must have been said to it before its time."""
    made: list[SmtpPool] = []

    def make(**wishes: object) -> SmtpPool:
        wishes.setdefault("helo_name", "steadypost.test")
        url = str(wishes.pop("url", server.url))
        pool = SmtpPool(SmtpServer.from_url(url), **wishes)  # type: ignore[arg-type]
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()
    assert server.violations == []


@pytest.fixture(params=list(SERVERS))
def any_server(server: ScriptedSmtp, request: pytest.FixtureRequest) -> ScriptedSmtp:
    extensions = SERVERS[request.param]
    server.speaks_esmtp = extensions is not None
    server.extensions = extensions or []
    return server
