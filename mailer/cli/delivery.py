"""`steadypost delivery`: what became of every mail."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say
from mailer.db import business_now
from mailer.delivery.again import count_in, try_again
from mailer.errors import Refused
from mailer.models import DeliveryState
from mailer.reports.statement import Statement, course_statement
from mailer.schedule.courses import get_course

app = typer.Typer(help="What became of every mail.", no_args_is_help=True)


@app.command("statement")
def statement(
    course: Annotated[str, typer.Option(help="The course's slug.")],
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the balanced statement of a course; exit 1 when it does not balance."""
    with connect() as connected, connected.session() as session:
        result = course_statement(session, get_course(session, course), business_now(session))
    if as_json_:
        as_json({**statement_values(result), "reasons": result.reasons})
    else:
        print_statement(result)
    if not result.is_balanced:
        raise Refused(
            f"The statement of {course} does not balance: {result.open:,} open, {result.missing:,} missing, "
            f"{result.duplicates:,} duplicates. Open mails need the workers (`steadypost up`)."
        )


@app.command("retry")
def retry(
    course: Annotated[str, typer.Option(help="The course's slug.")],
    state: Annotated[DeliveryState, typer.Option(help="quarantined, failed or uncertain.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Plan a course's mails of one state once more. Uncertain ones may arrive a second time."""
    with connect() as connected, connected.session() as session:
        chosen = get_course(session, course)
        found = count_in(session, chosen, state)
        if found and not yes:
            typer.confirm(f"Try {count(found, 'mail')} of {course} again?", abort=True)
        planned = try_again(session, chosen, state, business_now(session))
    say(f"{count(planned, 'mail')} planned again.")


def statement_values(result: Statement) -> dict[str, object]:
    """The statement's figures by name."""
    return {
        "audience": result.audience,
        "states": {str(state): number for state, number in result.states.items()},
        "open": result.open,
        "missing": result.missing,
        "duplicates": result.duplicates,
        "balanced": result.is_balanced,
    }


def print_statement(result: Statement) -> None:
    """The statement as people read it: what was due, where it went, and whether that adds up."""
    rows = [(str(state), number) for state, number in result.states.items() if number]
    as_table(("state", "mails"), [*rows, ("= audience", result.audience)], "Nothing was due yet.")
    for reason, number in sorted(result.reasons.items()):
        say(f"  {reason}: {number}")
    say(f"open: {result.open}")
    say(f"missing: {result.missing}")
    say(f"duplicates: {result.duplicates}")
    say("The statement balances." if result.is_balanced else "The statement does NOT balance.")
