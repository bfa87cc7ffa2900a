"""The web application with its staff: `desk` is its address, `opal` and the others are signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailer.content.draft_store import Drafts
from mailer.db import Sessions
from mailer.embedded.redis import EmbeddedRedis
from mailer.models import Role
from mailer.settings import Settings
from tests.support.cast import write_course
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
def who(desk: str) -> Iterator[Callable[[Role], Person]]:
    """Somebody of a role, who signs in when a test first needs them: each takes a password's while."""
    people: dict[Role, Person] = {}

    def one(role: Role) -> Person:
        if role not in people:
            people[role] = signs_in(desk, role)
        return people[role]

    yield one
    for person in people.values():
        person.client.close()


@pytest.fixture
def staff(who: Callable[[Role], Person]) -> dict[Role, Person]:
    """Everybody, by role."""
    return {role: who(role) for role in Role}


@pytest.fixture
def rea(who: Callable[[Role], Person]) -> Person:
    return who(Role.READER)


@pytest.fixture
def marc(who: Callable[[Role], Person]) -> Person:
    return who(Role.MARKETER)


@pytest.fixture
def opal(who: Callable[[Role], Person]) -> Person:
    return who(Role.OPERATOR)


@pytest.fixture
def owen(who: Callable[[Role], Person]) -> Person:
    return who(Role.OWNER)


@pytest.fixture
def drafts(settings: Settings) -> Drafts:
    return Drafts(settings.data_dir)


@pytest.fixture
def calm(drafts: Drafts) -> str:
    """A draft with three steps, ready to be published."""
    write_course(drafts.home / "calm")
    return "/desk/courses/calm"
