"""The engine, and the one place that commits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    ColumnElement,
    any_,
    bindparam,
    cast,
    create_engine,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from mailer.errors import MailerError

OPTIONS = "-c timezone=UTC -c idle_in_transaction_session_timeout=300000"
"""A process that was stopped inside a transaction must not hold its locks for ever."""

QUERY_CANCELED = "57014"
"""The SQLSTATE of a query that took longer than it may."""

T = TypeVar("T")
Sessions = sessionmaker[Session]
Wake = Callable[[frozenset[str]], None]


class DatabaseDown(MailerError):
    """The database does not answer; nothing is lost, and work goes on when it is back."""


class TooLong(MailerError):
    """There is too much of it to be counted while somebody waits; ask for a part, or at a quiet hour."""


def make_engine(url: str) -> Engine:
    """An engine for PostgreSQL by psycopg 3. `postgres://` and `postgresql://` mean the same."""
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    return create_engine(
        parsed,
        pool_pre_ping=True,
        # Addresses are among the parameters, and a failed statement's message may end in a log.
        hide_parameters=True,
        pool_size=5,
        max_overflow=5,
        connect_args={"connect_timeout": 10, "options": OPTIONS, "tcp_user_timeout": 30_000},
    )


def make_sessions(engine: Engine) -> Sessions:
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def session_scope(sessions: Sessions, wake: Wake | None = None) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on an error.

    After the commit `wake` is called once with the lanes that got new work (see `ask_to_wake`), so
    that nothing is announced that a rollback takes back. Raises DatabaseDown when there is no server.
    """
    session = sessions()
    try:
        with session.begin():
            yield session
        lanes = frozenset(session.info.pop("lanes_to_wake", ()))
    except OperationalError as error:
        if error.connection_invalidated or _is_no_server(error):
            raise DatabaseDown(cause(error)) from error
        raise
    finally:
        session.close()
    if lanes and wake is not None:
        wake(lanes)


@contextmanager
def at_most(session: Session, seconds: float) -> Iterator[None]:
    """Let no query inside take longer; raises TooLong, and the transaction goes on as it was before."""
    try:
        with _set_within(session, "statement_timeout", f"{round(seconds * 1000)}ms"):
            yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == QUERY_CANCELED:
            raise TooLong from error
        raise


def in_time(session: Session, seconds: float, ask: Callable[[], T]) -> T | None:
    """What `ask` answers, or None when that took longer than `seconds`."""
    try:
        with at_most(session, seconds):
            return ask()
    except TooLong:
        return None


@contextmanager
def impatient(session: Session, patience: str) -> Iterator[None]:
    """A savepoint in which no lock is waited for longer than `patience` ("100ms"); then all is as before.

    Raises OperationalError when one is.
    """
    with _set_within(session, "lock_timeout", patience):
        yield


@contextmanager
def one_by_one(session: Session) -> Iterator[None]:
    """A savepoint in which no join goes through a whole table: for few rows of large tables."""
    with (
        _set_within(session, "enable_hashjoin", "off"),
        _set_within(session, "enable_mergejoin", "off"),
    ):
        yield


@contextmanager
def _set_within(session: Session, setting: str, value: str) -> Iterator[None]:
    """A savepoint in which a setting of PostgreSQL's has this value, and then again the one before."""
    write = text("SELECT set_config(:setting, :value, true)")
    with session.begin_nested():
        before = session.execute(text("SELECT current_setting(:setting)"), {"setting": setting}).scalar_one()
        session.execute(write, {"setting": setting, "value": value})
        yield
        session.flush()
        # A savepoint that is released keeps what was set in it; one that is rolled back does not.
        session.execute(write, {"setting": setting, "value": before})


def as_array(values: Iterable[object]) -> str:
    """`values` in PostgreSQL's own writing of an array, for `CAST(:name AS bigint[])` and its like.

    The driver's way costs some two microseconds a value, this one a tenth; statements of thousands of
    rows are made of it. None is NULL; anything that is not a number goes as its text, in quotes
    (PostgreSQL's manual, "Array Input and Output Syntax").
    """
    # Most of a column's values are the same, and a moment's text costs ten times what looking it up does.
    known = _Written()
    elements = [str(value) if value.__class__ is int else known[value] for value in values]
    return "{" + ",".join(elements) + "}"


def among(column: InstrumentedAttribute[int], ids: Iterable[int]) -> ColumnElement[bool]:
    """Whether `column` is one of `ids`, however many: one parameter, where `in_` makes one of each and the
    protocol allows 65,535 (PostgreSQL's manual, "Message Formats", Bind)."""
    return column == any_(cast(literal(as_array(ids)), ARRAY(BigInteger)))


class _Written(dict[object, str]):
    """Values as they stand in an array, each written once."""

    def __missing__(self, value: object) -> str:
        self[value] = element = _element(value)
        return element


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    words = str(value)
    if "\\" in words or '"' in words:
        words = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{words}"'


def ask_to_wake(session: Session, lane: str) -> None:
    """Have the workers of `lane` told after this session's commit."""
    session.info.setdefault("lanes_to_wake", set()).add(lane)


def business_now(session: Session) -> datetime:
    """The moment that due times are compared with: the database's clock, or the demo's stepped one."""
    now: datetime = session.execute(
        text("SELECT coalesce((SELECT stepped_at FROM instance WHERE id = 1), clock_timestamp())")
    ).scalar_one()
    return now


def clock_now(session: Session) -> datetime:
    """The database's own clock, which runs on while business time stands or is stepped.

    Whatever is compared between machines goes by it: leases, limits, sessions, alarms.
    """
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def step_clock(session: Session, to: datetime | None) -> None:
    """Let business time stand still at `to`, or go with the real clock again (None); see `business_now`.

    For the demo, the fault run and tests.
    """
    session.execute(text("UPDATE instance SET stepped_at = :to WHERE id = 1"), {"to": to})


def written_out(word: str) -> BindParameter[str]:
    """`word` as it stands in a partial index, written into the statement itself.

    A prepared statement could not use that index otherwise: the planner would not know that its
    parameter is the index's own word.
    """
    return bindparam(None, str(word), literal_execute=True)


def cause(error: OperationalError) -> str:
    """What the server or the network said, in one line; libpq leaves passwords out of it."""
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()]
    return lines[0].rstrip(":") if lines else type(error.orig).__name__


def _is_no_server(error: OperationalError) -> bool:
    """Whether the connection could not be made at all (psycopg gives no SQLSTATE then)."""
    return getattr(error.orig, "sqlstate", None) is None
