"""`steadypost db`: the schema."""

from __future__ import annotations

import typer

from mailer.cli.connect import complete, database_url, prepare_database
from mailer.cli.show import say
from mailer.settings import load_settings

app = typer.Typer(help="The database and its schema.", no_args_is_help=True)


@app.command("upgrade")
def upgrade() -> None:
    """Bring the schema and the system mails up to date."""
    with database_url(complete(load_settings())) as url:
        prepare_database(url)
    say("The database is up to date.")
