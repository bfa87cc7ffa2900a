"""Fixtures that every kind of test shares: real servers, a fresh database, the cast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy.orm import Session

from mailer.db import Sessions, make_engine, make_sessions
from mailer.embedded.redis import EmbeddedRedis
from mailer.links import Signer
from tests.support.servers import Databases, databases, redis_server

# The same examples in every run: a test must not fail one day for an example of that day's luck. Deadlines
# are off because other tests may have the processor.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")

TESTS = Path(__file__).parent
FIRST = ("faults", "acceptance", "integration")
"""Folders whose tests run before all others, in this order."""

SECRET = "a secret for tests that is long enough to be one"
NOW = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
"""A Monday, 07:00 in London and 08:00 in Berlin."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole stacks first, so that no core is idle at the end because another still has a long file."""

    def turn(item: pytest.Item) -> int:
        folder = item.path.relative_to(TESTS).parts[0]
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=turn)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    with databases() as running:
        yield running


@pytest.fixture(scope="session")
def redis() -> Iterator[EmbeddedRedis]:
    with redis_server() as running:
        yield running


@pytest.fixture
def database_url(postgres: Databases) -> Iterator[str]:
    """A migrated database of this test's own."""
    url = postgres.fresh()
    yield url
    postgres.drop(url)


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    engine = make_engine(database_url)
    yield make_sessions(engine)
    engine.dispose()


@pytest.fixture
def session(sessions: Sessions) -> Iterator[Session]:
    """One transaction, rolled back at the end."""
    with sessions() as session:
        yield session


@pytest.fixture
def signer() -> Signer:
    return Signer([SECRET])


@pytest.fixture
def now() -> datetime:
    return NOW
