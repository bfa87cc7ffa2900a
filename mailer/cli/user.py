"""`steadypost user`: people with a login."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from mailer.accounts.invitations import invite_back
from mailer.accounts.operators import add_operator, find_operator, is_set_up
from mailer.accounts.people import change_role, restore, suspend, take_factor_away
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import session_now
from mailer.cli.asking import operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.cli.stack import running_web_url
from mailer.errors import NotFound, Refused
from mailer.links import Signer
from mailer.models import Role
from mailer.reports.people import list_colleagues

NOBODY = "Nobody has a login yet: steadypost user add ADDRESS --role owner"

app = typer.Typer(help="People with a login, and what each may do.", no_args_is_help=True)


@app.command("list")
def list_(as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show everybody with a login."""
    with connect() as connected, connected.session() as session:
        people = [
            {
                "email": one.operator.email,
                "name": one.operator.name,
                "role": one.operator.role,
                "second_factor": one.has_factor,
                "disabled": one.operator.disabled_at is not None,
            }
            for one in list_colleagues(session)
        ]
    if as_json_:
        as_json(people)
        return
    rows = [[str(one["email"]), str(one["role"]), "suspended" if one["disabled"] else ""] for one in people]
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


@app.command("role")
def role(
    email: Annotated[str, typer.Argument(help="Their address.")],
    role: Annotated[Role, typer.Argument(help="What they may do from now on.")],
) -> None:
    """Give somebody another role; the last owner stays one."""
    with connect() as connected, connected.session() as session:
        changed = change_role(session, at_the_machine(operator()), _id_of(session, email), role)
        say(f"{changed.email} is {changed.role} from now on.")


@app.command("suspend")
def suspend_(email: Annotated[str, typer.Argument(help="Their address.")]) -> None:
    """Sign somebody out everywhere, and let neither them nor their tokens in."""
    with connect() as connected, connected.session() as session:
        actor, now = at_the_machine(operator()), session_now(session)
        say(f"{suspend(session, actor, _id_of(session, email), now).email} cannot sign in any more.")


@app.command("restore")
def restore_(email: Annotated[str, typer.Argument(help="Their address.")]) -> None:
    """Let somebody in again, in the role they had."""
    with connect() as connected, connected.session() as session:
        back = restore(session, at_the_machine(operator()), _id_of(session, email))
        say(f"{back.email} can sign in again, as {back.role}.")


@app.command("link")
def link(email: Annotated[str, typer.Argument(help="Their address.")]) -> None:
    """Print a link by which somebody with a login chooses a new password; it works once, for a week."""
    with connect() as connected, connected.session() as session:
        actor, now = at_the_machine(operator()), session_now(session)
        made = invite_back(session, actor, _id_of(session, email), now)
        base_url = running_web_url(connected.settings)
    say(f"{base_url}/desk/join/{made.secret}")


@app.command("factor-off")
def factor_off(email: Annotated[str, typer.Argument(help="Their address.")]) -> None:
    """Forget the second factor of somebody who lost it; their password alone lets them in."""
    with connect() as connected, connected.session() as session:
        them = take_factor_away(session, at_the_machine(operator()), _id_of(session, email))
        say(f"{them.email} signs in with the password alone.")


def _id_of(session: Session, email: str) -> int:
    found = find_operator(session, email)
    if found is None:
        raise NotFound(f"Nobody here has the login {email}; `steadypost user list` shows all.")
    return found.id


@app.command("setup")
def setup() -> None:
    """Print the address of the setup page, for as long as nobody has a login."""
    with connect() as connected, connected.session() as session:
        if is_set_up(session):
            raise Refused("Somebody has a login already: `steadypost user list` shows who.")
        settings = connected.settings
    say(Signer(settings.secret_key).setup_url(running_web_url(settings)))
