"""What a command works with: the database (ours or the configured one) and the broker, if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from mailer.clock import real_now
from mailer.db import DatabaseDown, Sessions, Wake, cause, make_engine, make_sessions, session_scope
from mailer.delivery.partitions import make_ahead
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis
from mailer.errors import BadSetting
from mailer.launch.messages import publish_system_mails
from mailer.migrations import upgrade
from mailer.queue import Broker
from mailer.settings import Settings, load_settings, local_secret_key


@dataclass(frozen=True)
class Connected:
    """The parts of one command. Without a broker nobody is woken: the next tick finds the rows."""

    settings: Settings
    sessions: Sessions
    wake: Wake | None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction; the workers hear of it after the commit."""
        with session_scope(self.sessions, self.wake) as session:
            yield session


@contextmanager
def connect(settings: Settings | None = None) -> Iterator[Connected]:
    """Connect as the settings say; our own PostgreSQL is started for the command when it is not running.

    The schema is brought up to date first. Raises DatabaseDown or BadSetting.
    """
    settings = complete(settings or load_settings())
    with database_url(settings) as url:
        prepare_database(url)
        sessions = make_sessions(make_engine(url))
        yield Connected(settings, sessions, _wake(settings))


def complete(settings: Settings) -> Settings:
    """The settings with a secret key: kept in the data folder as long as this is the only machine."""
    if settings.secret_key:
        return settings
    if settings.database_url is not None:
        raise BadSetting(
            "STEADYPOST_SECRET_KEY is missing, and with a database of your own every machine needs the same "
            'one (make it with `python3 -c "import secrets; print(secrets.token_urlsafe(48))"`)'
        )
    return settings.replace(secret_key=(local_secret_key(settings.data_dir),))


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The configured database, or our own: the running one, or one started for the time being."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    postgres = EmbeddedPostgres(settings.data_dir)
    if _answers(postgres.url()):
        yield postgres.url()
        return
    url = postgres.start()
    try:
        yield url
    finally:
        postgres.stop()


def prepare_database(url: str) -> None:
    """Bring the schema and the system mails up to date; raises DatabaseDown."""
    engine = make_engine(url)
    try:
        upgrade(engine)
    except OperationalError as error:
        raise DatabaseDown(cause(error)) from error
    with session_scope(make_sessions(engine)) as session:
        publish_system_mails(session)
        make_ahead(session, real_now())
    engine.dispose()


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=2):
        return True
    return False


def _wake(settings: Settings) -> Wake | None:
    if settings.redis_url is not None:
        return Broker(settings.redis_url).wake
    redis = EmbeddedRedis(settings.data_dir)
    broker = Broker(redis.redis_url)
    return broker.wake if broker.ping() else None
