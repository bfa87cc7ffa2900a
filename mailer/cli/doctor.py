"""`steadypost doctor`: whether this Steadypost keeps what it promises."""

from __future__ import annotations

import random
from typing import Annotated

import typer

from mailer import tally
from mailer.cli.connect import connect
from mailer.cli.faults import CONVERSATIONS, MAILS_A_PERSON, SECONDS_A_KILL, FaultRun
from mailer.cli.show import as_json, as_table, console, say
from mailer.cli.stack import Stack
from mailer.embedded.counting import CountingServer
from mailer.embedded.runtime import short_folder
from mailer.errors import Refused
from mailer.settings import Settings

app = typer.Typer(help="Prove that nothing is lost and nothing sent twice.", no_args_is_help=True)


@app.callback()
def doctor() -> None:
    """Prove that nothing is lost and nothing sent twice."""


@app.command("counts")
def counts(
    mend: Annotated[bool, typer.Option("--mend", help="Put right what is wrong.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Count every mail and hold that against the counts that are kept; exit 1 when they differ."""
    with connect() as connected, console.status("Counting every mail…"), connected.session() as session:
        wrong = tally.mend(session) if mend else tally.recount(session)
    if as_json_:
        as_json([each._asdict() for each in wrong])
    else:
        as_table(
            ("source", "state", "mails", "kept as"),
            [(each.source, each.state, each.counted, each.kept) for each in wrong],
            "Every mail is counted as what it is.",
        )
    if wrong and not mend:
        raise Refused(f"{len(wrong)} counts are wrong; `steadypost doctor counts --mend` puts them right.")


@app.command("faults")
def faults(
    kills: Annotated[int, typer.Option(min=1, help="How many times a worker is killed.")] = 50,
    mails: Annotated[int, typer.Option(min=MAILS_A_PERSON, help="About how many mails are sent.")] = 3000,
    seed: Annotated[int | None, typer.Option(help="Break the same things in the same order.")] = None,
) -> None:
    """Send thousands of mails while workers are killed, Redis is emptied and PostgreSQL restarted.

    It brings up servers of its own in a temporary folder and touches nothing that is configured.
    """
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    # Slow enough that there is somebody to kill: a worker would be done before it is hit.
    delay = SECONDS_A_KILL * CONVERSATIONS * kills / mails
    with short_folder() as folder, CountingServer(delay) as server:
        stack = Stack(Settings(data_dir=folder / "data", smtp_url=server.url), lambda _: None)
        with console.status("Starting a stack of its own…") as status:
            stack.start()
            try:
                run = FaultRun(
                    stack,
                    mails // MAILS_A_PERSON,
                    kills,
                    seed,
                    lambda what: status.update(f"{what}, {sum(server.copies.values())} mails taken"),
                )
                run.play(folder / "course")
                score = run.score(server.copies)
            finally:
                stack.stop()
    say(f"Redis emptied: {run.emptied}, PostgreSQL restarted: {run.restarted}, seed: {seed}")
    for name in ("kills", "sent", "lost", "duplicates", "uncertain"):
        say(f"{name}: {getattr(score, name)}")
    raise typer.Exit(0 if score.is_clean else 1)
