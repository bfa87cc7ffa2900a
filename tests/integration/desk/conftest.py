"""The web application with its staff: `desk` is its address, `opal` and the others are signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.db import Sessions
from mailer.embedded.redis import EmbeddedRedis
from mailer.models import Role
from mailer.settings import Settings
from tests.support.reader_pages import running_app
from tests.support.staff import Person, desk_settings, hire, signs_in


@pytest.fixture
def settings(database_url: str, redis: EmbeddedRedis, tmp_path: Path) -> Settings:
    return desk_settings(database_url, redis, tmp_path)


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    hire(sessions)
    with running_app(settings) as address:
        yield address


@pytest.fixture
def staff(desk: str) -> Iterator[dict[Role, Person]]:
    """Everybody, by role."""
    people = {role: signs_in(desk, role) for role in Role}
    yield people
    for person in people.values():
        person.client.close()


@pytest.fixture
def rea(staff: dict[Role, Person]) -> Person:
    return staff[Role.READER]


@pytest.fixture
def marc(staff: dict[Role, Person]) -> Person:
    return staff[Role.MARKETER]


@pytest.fixture
def opal(staff: dict[Role, Person]) -> Person:
    return staff[Role.OPERATOR]


@pytest.fixture
def owen(staff: dict[Role, Person]) -> Person:
    return staff[Role.OWNER]
