"""`steadypost db`: the schema, and backups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import complete, database_url, prepare_database
from mailer.cli.show import console, count, say
from mailer.db import DatabaseDown, business_now, cause, make_engine
from mailer.delivery.guard import fence_off
from mailer.embedded.dump import as_sql, dump, refuse_foreign
from mailer.errors import Refused
from mailer.migrations.replay import refuse_in_use, replay
from mailer.models import Action
from mailer.settings import Settings, load_settings

app = typer.Typer(help="The database: its schema, backups.", no_args_is_help=True)

QUIET_SECONDS = 2.0
"""What takes longer shows how far it is."""

CONTENT = text("""
    SELECT (SELECT count(*) FROM subscribers) AS people, (SELECT count(*) FROM deliveries) AS mails,
           (SELECT count(*) FROM courses) AS courses
    """)
HAS_TABLES = text("SELECT to_regclass('public.subscribers') IS NOT NULL")
IS_FOREIGN = text("SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public')")


@app.command("upgrade")
def upgrade() -> None:
    """Bring the schema and the system mails up to date."""
    with database_url(complete(load_settings())) as url:
        prepare_database(url)
    say("The database is up to date.")


@app.command("backup")
def backup(file: Annotated[Path, typer.Argument(help="Where to write it; never overwritten.")]) -> None:
    """Write the whole database to a file, also while Steadypost runs; `db restore` brings it back."""
    settings = load_settings()
    with database_url(settings) as url, _Progress("written") as progress:
        dump(url, file, progress.at)
    say(f"Written: {file} ({_size(file.stat().st_size)}), for your eyes only: it holds people's addresses.")
    say(f"Not in it: the {_secret_words(settings)}. Keep that too, in another place, or the links")
    say("in mails that have left, unsubscribing among them, cannot be followed any more.")


@app.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="What `db backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Throw away what is in the database.")] = False,
    yes: Yes = False,
) -> None:
    """Bring back a backup, all of it or nothing. Everything is then on hold until `hold release`."""
    refuse_foreign(file)
    settings = load_settings()
    with database_url(settings) as url, ExitStack() as stack:
        engine = make_engine(url)
        stack.callback(engine.dispose)
        try:
            _refuse_to_replace(engine, replace=replace, yes=yes)
            people, doubted = _restore(engine, file)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) is None:
                raise DatabaseDown(cause(error)) from error
            raise _not_restored(file, error.orig) from None
        except DBAPIError as error:
            raise _not_restored(file, error.orig) from None
        except psycopg.Error as error:  # where a table's rows are copied, SQLAlchemy is not asked
            raise _not_restored(file, error) from None
        engine.dispose()
        prepare_database(url)
    say(f"Restored: {count(people, 'person', 'people')} from {file}.")
    if doubted:
        say(f"{count(doubted, 'mail')} on the way then: uncertain whether they arrived.")
    say("Everything is on hold, since mail may have left after the backup was made.")
    say("`steadypost hold show` says what is overdue, `steadypost hold release --policy …` goes on.")
    say(f"Links in mails that have left work as long as the {_secret_words(settings)} is that of then.")


def _not_restored(file: Path, error: BaseException | None) -> Refused:
    said = str(error).partition("\n")[0]
    return Refused(f"{file} could not be restored, and nothing was changed: {said}.")


def _refuse_to_replace(engine: Engine, *, replace: bool, yes: bool) -> None:
    """Ask before anything is thrown away; raises Refused."""
    with engine.connect() as connection:
        refuse_in_use(connection)
        if not connection.execute(HAS_TABLES).scalar_one():
            if connection.execute(IS_FOREIGN).scalar_one():
                raise Refused("The database has tables of another program; give Steadypost one of its own.")
            return
        found = connection.execute(CONTENT).one()
    if not any(found):
        return
    what = f"{count(found.people, 'person', 'people')}, {count(found.courses, 'course')} and "
    what += count(found.mails, "mail")
    if not replace:
        raise Refused(f"The database is not empty ({what}); say --replace to throw that away.")
    ask_first(f"This throws away {what} that are in the database now. Go on?", yes=yes)


def _restore(engine: Engine, file: Path) -> tuple[int, int]:
    """Replace, bring up to date and fence off in one transaction; people, and mails in doubt."""
    with engine.begin() as connection, as_sql(file) as lines, _Progress("read") as progress:
        refuse_in_use(connection)
        replay(connection, progress.lines(lines))
        return _fence_off(connection)


def _fence_off(connection: Connection) -> tuple[int, int]:
    with Session(connection, join_transaction_mode="rollback_only") as session:
        now = business_now(session)
        seen_at = session.execute(text("SELECT seen_at FROM instance")).scalar_one()
        state = f", in its state of {seen_at:%Y-%m-%d %H:%M} UTC" if seen_at else ""
        doubted = fence_off(session, now, f"the database was restored from a backup{state}")
        people = session.execute(CONTENT).one().people
        session.add(Action(at=now, who=operator(), what="db restore", rows=people))
        session.flush()
    return people, doubted


def _secret_words(settings: Settings) -> str:
    if settings.secret_key:
        return "STEADYPOST_SECRET_KEY"
    return f"secret key in {settings.data_dir / 'secret_key'}"


def _size(size: int) -> str:
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1000:,.0f} kB"


class _Progress:
    """Says how far it is, once it has taken longer than anybody should wait in silence."""

    def __init__(self, done: str) -> None:
        self._done = done
        self._began = time.monotonic()
        self._status = console.status("")
        self._is_shown = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def at(self, size: int) -> None:
        """So many bytes are done."""
        if not self._is_shown:
            if time.monotonic() - self._began < QUIET_SECONDS:
                return
            self._is_shown = True
            self._status.start()
        self._status.update(f"{_size(size)} {self._done}…")

    def lines(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The same lines, counted."""
        size = shown = 0
        for line in lines:
            size += len(line)
            if size - shown > 1_000_000:
                shown = size
                self.at(size)
            yield line
