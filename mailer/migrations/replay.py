"""A backup's SQL, replayed on a connection: all of it in the caller's transaction, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from alembic import command
from sqlalchemy import Connection, text

from mailer.errors import Refused
from mailer.migrations import ADVISORY_LOCK, config, refuse_unknown

LOCK_PATIENCE = "10s"
ROWS_AT_ONCE = 500

OTHERS = text("""
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    """)
# An extension's own are left to whoever made it.
THINGS = text("""
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    """)


def refuse_in_use(connection: Connection) -> None:
    """Raise Refused while anybody else is connected to this database."""
    others = connection.execute(OTHERS).scalar_one()
    if others:
        raise Refused(
            f"The database is in use by {others} other connections; stop Steadypost (and its workers) first."
        )


def replay(connection: Connection, lines: Iterator[bytes]) -> None:
    """Put the backup whose SQL `lines` are in place of all that is in the schema public, and bring it up to
    date. Nothing is committed here. Raises Refused, NewerDatabase, or the database's own errors.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": LOCK_PATIENCE})
    # Tables first: what belongs to one goes with it.
    for kind, name in sorted(connection.execute(THINGS).all(), key=lambda thing: thing.kind != "TABLE"):
        connection.exec_driver_sql(f"DROP {kind} IF EXISTS {name} CASCADE")
    driver: psycopg.Connection[tuple[object, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
    _replay(driver, lines)
    # The backup's SQL names every schema itself and leaves none to be looked in.
    connection.exec_driver_sql("RESET ALL")
    refuse_unknown(connection)
    command.upgrade(config(connection), "head")


def _replay(connection: psycopg.Connection[tuple[object, ...]], lines: Iterator[bytes]) -> None:
    known = {str(name) for (name,) in connection.execute("SELECT name FROM pg_settings").fetchall()}
    statement: list[bytes] = []
    for line in lines:
        if not statement and (not line.strip() or line.startswith((b"--", b"\\"))):
            continue  # comments, and words to psql
        statement.append(line)
        if statement[0].startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
            _copy(connection, b"".join(statement), lines)
            statement = []
        elif _is_whole(statement):
            _execute(connection, b"".join(statement), known)
            statement = []
    if b"".join(statement).strip():
        raise Refused("The backup ends in the middle of a statement; it is damaged.")


def _is_whole(statement: list[bytes]) -> bool:
    """Whether these lines end a statement: pg_dump puts a blank line, or a comment, only between them,
    and functions' bodies between $$."""
    whole = b"".join(statement)
    return whole.rstrip().endswith(b";") and whole.count(b"$$") % 2 == 0 and whole.count(b"'") % 2 == 0


def _execute(connection: psycopg.Connection[tuple[object, ...]], statement: bytes, known: set[str]) -> None:
    words = statement.split()
    if words[0] == b"SET" and words[1].decode() not in known:
        return  # a setting of a newer PostgreSQL, which pg_dump names for its own sake
    connection.execute(statement)


def _copy(
    connection: psycopg.Connection[tuple[object, ...]], statement: bytes, lines: Iterator[bytes]
) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        rows: list[bytes] = []
        for line in lines:
            if line.rstrip(b"\n") == b"\\.":
                copy.write(b"".join(rows))
                return
            rows.append(line)
            if len(rows) >= ROWS_AT_ONCE:
                copy.write(b"".join(rows))
                rows.clear()
        raise Refused("The backup ends in the middle of a table; it is damaged.")
