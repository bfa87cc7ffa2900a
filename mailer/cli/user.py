"""`steadypost user`: people with a login."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mailer.accounts.operators import add_operator, is_set_up, list_operators
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import session_now
from mailer.cli.asking import operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.cli.stack import running_web_url
from mailer.errors import Refused
from mailer.links import Signer
from mailer.models import Role

NOBODY = "Nobody has a login yet: steadypost user add ADDRESS --role owner"

app = typer.Typer(help="People with a login, and what each may do.", no_args_is_help=True)


@app.command("list")
def list_(as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show everybody with a login."""
    with connect() as connected, connected.session() as session:
        people = [
            {
                "email": one.email,
                "name": one.name,
                "role": one.role,
                "second_factor": one.totp_since is not None,
                "disabled": one.disabled_at is not None,
            }
            for one in list_operators(session)
        ]
    if as_json_:
        as_json(people)
        return
    rows = [[str(one["email"]), str(one["role"]), "disabled" if one["disabled"] else ""] for one in people]
    as_table(["address", "role", ""], rows, NOBODY)


@app.command("add")
def add(
    email: Annotated[str, typer.Argument(help="Their address.")],
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.READER,
    name: Annotated[str, typer.Option(help="Their name.")] = "",
) -> None:
    """Give somebody a login; the password is asked for, or read from standard input."""
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if sys.stdin.isatty()
        else sys.stdin.readline().rstrip("\n")
    )
    with connect() as connected, connected.session() as session:
        actor = at_the_machine(operator())
        added = add_operator(session, actor, email, role, session_now(session), name=name, password=password)
        say(f"{added.email} can sign in as {added.role}.")


@app.command("setup")
def setup() -> None:
    """Print the address of the setup page, for as long as nobody has a login."""
    with connect() as connected, connected.session() as session:
        if is_set_up(session):
            raise Refused("Somebody has a login already: `steadypost user list` shows who.")
        settings = connected.settings
    say(Signer(settings.secret_key).setup_url(running_web_url(settings)))
