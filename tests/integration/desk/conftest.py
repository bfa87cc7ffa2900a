"""The web application with its staff: `desk` is its address, `opal` and the others are signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.db import Sessions
from mailer.embedded.redis import EmbeddedRedis
from mailer.models import Role
from mailer.queue import Broker
from mailer.settings import Settings
from tests.support.reader_pages import SECRET, running_app
from tests.support.staff import Person, hire, signs_in


@pytest.fixture
def settings(database_url: str, redis: EmbeddedRedis, tmp_path: Path) -> Settings:
    # It counts who tries to sign in, and other tests' people have the same addresses.
    Broker(redis.broker_url).empty()
    return Settings(
        database_url=database_url,
        redis_url=redis.broker_url,
        secret_key=(SECRET,),
        data_dir=tmp_path / "data",
    )


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
