"""The two tables of an unfinished import: people as the file names them, and rows that were not taken.

Both are made for one import and dropped with it. They are ordinary tables, so that a server that
crashes in the middle keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.reading import PersonRow
from mailer.db import DatabaseDown


class NotTaken(NamedTuple):
    """A row that was refused, or somebody who is kept away; `value` is the address."""

    line: int
    value: str
    reason: str
    is_kept_away: bool = False


class Staging:
    """The tables of the import with this id."""

    def __init__(self, import_id: int) -> None:
        self.people = f"import_{import_id}_people"
        self.not_taken = f"import_{import_id}_not_taken"

    def create(self, session: Session) -> None:
        """Make both, empty."""
        # Compared byte by byte: only their order and their equality matter, and languages' rules are slow.
        session.execute(
            text(
                f'CREATE TABLE {self.people} (line bigint, email_key text COLLATE "C", email text, '
                "name text, language text, zone text, tags text[], fields jsonb) "
                "WITH (autovacuum_enabled = false)"
            )
        )
        session.execute(
            text(f"CREATE TABLE {self.not_taken} (line bigint, value text, reason text, is_kept_away bool)")
        )

    def drop(self, session: Session) -> None:
        """Forget both; the addresses in them are gone."""
        session.execute(text(f"DROP TABLE IF EXISTS {self.people}, {self.not_taken}"))

    def add_people(self, session: Session, rows: Iterable[PersonRow]) -> None:
        """Copy rows into the table as they come."""
        with _copy(session, f"COPY {self.people} FROM STDIN") as copy:
            copy.set_types(["int8", *["text"] * 7])
            for row in rows:
                copy.write_row(row)

    def add_not_taken(self, session: Session, rows: Sequence[NotTaken]) -> None:
        """The same for rows that were not taken."""
        if rows:
            with _copy(session, f"COPY {self.not_taken} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def make_ready(self, session: Session) -> None:
        """To be called when everybody is in, before anything is asked of the people."""
        session.execute(text(f"CREATE INDEX ON {self.people} (email_key)"))
        session.execute(text(f"ANALYZE {self.people} (email_key)"))

    def bounds(self, session: Session, people_at_once: int) -> list[str]:
        """The last key of each part of the people but the last part, in order; the same whenever asked."""
        rows = session.execute(
            text(
                "SELECT DISTINCT email_key FROM (SELECT email_key, row_number() OVER (ORDER BY email_key) "  # noqa: S608
                f"FROM {self.people}) AS numbered WHERE row_number % :size = 0 ORDER BY email_key"
            ),
            {"size": people_at_once},
        )
        return list(rows.scalars())

    def rows_not_taken(
        self, session: Session, *, is_kept_away: bool | None = None, limit: int | None = None
    ) -> Iterator[NotTaken]:
        """The rows that were not taken, in the order of the file, a few at a time."""
        statement = text(
            f"SELECT line, value, reason, is_kept_away FROM {self.not_taken} "  # noqa: S608
            "WHERE is_kept_away = coalesce(:is_kept_away, is_kept_away) ORDER BY line LIMIT :limit"
        )
        options = {"yield_per": 1000}
        values = {"is_kept_away": is_kept_away, "limit": limit}
        for row in session.execute(statement, values, execution_options=options):
            yield NotTaken(*row)


@contextmanager
def _copy(session: Session, statement: str) -> Iterator[Any]:
    raw: Any = session.connection().connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy
    except psycopg.OperationalError as error:
        raise DatabaseDown from error
