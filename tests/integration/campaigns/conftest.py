"""A house with the lists calm and letters, and a campaign drafted for both."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.db import session_scope
from tests.integration.campaigns.phased import count_clicks
from tests.integration.cli_delivery.conftest import steadypost as steadypost
from tests.support.campaigns import add_letters, draft, put_people, write_campaign
from tests.support.house import House


@pytest.fixture
def spring(house: House, tmp_path: Path) -> House:
    """The house with the draft."""
    path = write_campaign(tmp_path)
    with session_scope(house.sessions) as session:
        add_letters(session)
        draft(session, [path], house.at)
    return house


@pytest.fixture
def hundred(spring: House) -> House:
    """A hundred people, whose clicks are counted."""
    count_clicks(spring)
    with session_scope(spring.sessions) as session:
        put_people(session, range(1, 101), "calm", spring.at)
    return spring
