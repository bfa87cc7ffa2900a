"""The migrations and the models say the same, and every migration goes both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import Thread

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from mailer.cli.connect import prepare_database
from mailer.db import make_engine
from mailer.migrations import ForeignDatabase, NewerDatabase, config, is_current, upgrade
from mailer.models import Base

COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
      AND NOT a.attisdropped AND c.relname <> 'alembic_version'
      AND c.relname !~ '_[0-9]{4}_[0-9]{2}$'
    """
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
      AND conrelid::regclass::text !~ '_[0-9]{4}_[0-9]{2}$'
    """
INDEXES = """
    SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename <> 'alembic_version'
      AND tablename !~ '_[0-9]{4}_[0-9]{2}$'
    """


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def empty(engine: Engine) -> Engine:
    """A database without any tables."""
    clear(engine)
    return engine


def clear(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def schema(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Everything that PostgreSQL knows of the tables: defaults, checks and partial indexes too."""
    with engine.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(text(query))), key=repr)
            for name, query in (("columns", COLUMNS), ("constraints", CONSTRAINTS), ("indexes", INDEXES))
        }


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def migrate(engine: Engine, revision: str) -> None:
    with engine.connect() as connection:
        go = command.downgrade if revision == "base" else command.upgrade
        go(config(connection), revision)
        connection.commit()


def is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions are made by their table (models/sending.py, `REST`) and by the tick, not modelled."""
    return kind != "table" or not re.search(r"_(rest|\d{4}_\d{2})$", str(name))


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_no_partition}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def test_alembic_finds_nothing_to_migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        assert differences(connection) == []


def test_the_migrations_make_what_the_models_say(engine: Engine) -> None:
    migrated = schema(engine)
    clear(engine)
    Base.metadata.create_all(engine)
    modelled = schema(engine)
    for part, rows in modelled.items():
        assert migrated[part] == rows, part


def test_an_empty_database_is_brought_up_to_date_and_then_left_alone(empty: Engine) -> None:
    upgrade(empty)
    before = schema(empty)
    upgrade(empty)
    assert schema(empty) == before
    with empty.connect() as connection:
        assert is_current(connection)
        assert connection.execute(text("SELECT id, stepped_at FROM instance")).all() == [(1, None)]


def test_every_migration_can_be_taken_back_and_made_again(engine: Engine) -> None:
    before = schema(engine)
    migrate(engine, "base")
    assert tables(engine) == {"alembic_version"}
    migrate(engine, "head")
    assert schema(engine) == before


def test_processes_that_start_together_migrate_once(empty: Engine) -> None:
    url = empty.url.render_as_string(hide_password=False)
    failed: list[Exception] = []

    def start() -> None:
        try:
            prepare_database(url)
        except Exception as error:  # told below: a thread's own error would be lost
            failed.append(error)

    starts = [Thread(target=start) for _ in range(4)]
    for thread in starts:
        thread.start()
    for thread in starts:
        thread.join()
    assert failed == []
    with empty.connect() as connection:
        versions = connection.execute(text("SELECT count(*) FROM messages GROUP BY source, language"))
        assert set(versions.scalars()) == {1}


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = schema(engine)
    with pytest.raises(NewerDatabase):
        upgrade(engine)
    assert schema(engine) == before


def test_tables_of_another_program_are_left_alone(empty: Engine) -> None:
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE subscribers (id int)"))
    with pytest.raises(ForeignDatabase):
        upgrade(empty)
    assert tables(empty) == {"subscribers"}
