"""The web application on a port of its own, a course, and Monday 2 March 2026, seven o'clock in London."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from mailer.db import Sessions, session_scope
from mailer.embedded.redis import EmbeddedRedis
from mailer.links import Signer
from mailer.models import Course, SubscriptionState
from mailer.settings import Settings
from tests.support.reader_pages import SECRET, Links, Reader, make_course, running_app, signs_up, stop_clock


@pytest.fixture
def settings(database_url: str, redis: EmbeddedRedis) -> Settings:
    return Settings(database_url=database_url, redis_url=redis.broker_url, secret_key=(SECRET,))


@pytest.fixture
def site(settings: Settings, course: Course) -> Iterator[httpx.Client]:
    with running_app(settings) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture
def links(now: datetime) -> Links:
    return Links(Signer([SECRET]), now)


@pytest.fixture
def course(sessions: Sessions, now: datetime) -> Course:
    with session_scope(sessions) as session:
        stop_clock(session, now)
        return make_course(session)


@pytest.fixture
def ada(sessions: Sessions, course: Course, now: datetime) -> Reader:
    """She signed up, confirmed, and got the welcome."""
    with session_scope(sessions) as session:
        return signs_up(session, course, now, then=SubscriptionState.ACTIVE)


@pytest.fixture
def ada_before_confirming(sessions: Sessions, course: Course, now: datetime) -> Reader:
    with session_scope(sessions) as session:
        return signs_up(session, course, now)


@pytest.fixture
def ben(sessions: Sessions, course: Course, now: datetime) -> Reader:
    """He has unsubscribed."""
    with session_scope(sessions) as session:
        return signs_up(
            session, course, now, email="ben@example.org", name="Ben", then=SubscriptionState.ENDED
        )
