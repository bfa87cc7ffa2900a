"""Alembic migrations, run from the program itself: there is no alembic.ini to keep."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from mailer.errors import MailerError
from mailer.models import Base

ADVISORY_LOCK = 7_318_001
"""Held while migrating, so that two processes that start together do not both try."""


class NewerDatabase(MailerError):
    """A newer Steadypost (or another program) made this database; use that one, or an empty database."""


class ForeignDatabase(MailerError):
    """The database has tables of another program; give Steadypost an empty database of its own."""


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema; does nothing when it is there already.

    Raises NewerDatabase or ForeignDatabase, changing nothing.
    """
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()
        try:
            current = is_current(connection)
            # Alembic commits only what it began itself, and looking has begun a transaction already.
            connection.rollback()
            if not current:
                refuse_unknown(connection)
                connection.rollback()
                command.upgrade(config(connection), "head")
                connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
            connection.commit()


def refuse_unknown(connection: Connection) -> None:
    """Raise NewerDatabase or ForeignDatabase unless this program knows how to bring it up to date."""
    known = {script.revision for script in ScriptDirectory.from_config(config(connection)).walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= known:
        raise NewerDatabase
    if not present and Base.metadata.tables.keys() & set(inspect(connection).get_table_names()):
        raise ForeignDatabase


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one this program was written for."""
    return set(MigrationContext.configure(connection).get_current_heads()) == _newest()


@cache
def _newest() -> frozenset[str]:
    """What the newest migration is called. All of them are read to know it, so once for a process."""
    return frozenset(ScriptDirectory(str(Path(__file__).parent)).get_heads())


def config(connection: Connection) -> Config:
    """Alembic's settings for this connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings
