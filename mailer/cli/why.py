"""`steadypost why`: the story behind one person's mails."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, say
from mailer.reports.why import why

app = typer.Typer()


@app.command("why")
def why_(
    email: str,
    mail: Annotated[
        str | None, typer.Argument(help="A step's key, a campaign's slug, or confirm or welcome.")
    ] = None,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show everything that was decided about somebody: what was due, what was sent, and why not."""
    with connect() as connected, connected.session() as session:
        story = why(session, email, mail)
    if as_json_:
        as_json([decision.__dict__ for decision in story.decisions])
        return
    say(f"{story.email}, by a clock in {story.zone}")
    rows = [(decision.local(story.zone), decision.mail, decision.what) for decision in story.decisions]
    as_table(("when", "mail", "what"), rows, "Nothing was decided about this yet.")
