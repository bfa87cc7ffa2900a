"""A campaign's canary and its variants at the command line: how they do, choosing one, going on in spite."""

from __future__ import annotations

from typing import Annotated

import typer

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import connect
from mailer.cli.show import as_table, printable, say
from mailer.db import business_now
from mailer.delivery.holds import stopped_by_canary
from mailer.launch.campaign_phases import choose, go_on, look_at_choice
from mailer.reports.phase_words import Phases

Reason = Annotated[str, typer.Option(help="Why, for whoever looks next.")]
VariantName = Annotated[str, typer.Option("--variant", help="Which of its variants, such as B.")]


def resume_campaign(slug: str, reason: Reason = "", yes: Yes = False) -> None:
    """Go on sending a paused campaign; asks first when its canary has stopped it."""
    with connect() as connected:
        with connected.session() as session:
            stop = stopped_by_canary(session, slug)
        if stop is not None:
            ask_first(f"{stop.reason}. Go on in spite of it?", yes=yes)
        with connected.session() as session:
            now, in_spite = business_now(session), stop is not None
            done = go_on(session, slug, now, who=operator(), reason=plain(reason), in_spite=in_spite)
    say(f"Resumed: {slug}." if done else f"Not paused: {slug}.")


def choose_variant(slug: str, variant: VariantName, yes: Yes = False) -> None:
    """Decide an A/B test yourself: the rest of the audience gets this variant. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            chosen = look_at_choice(session, slug, variant)
        words = f"Send variant {chosen.letter} (“{printable(chosen.subject)}”) to the rest of {slug}?"
        ask_first(words, yes=yes)
        with connected.session() as session:
            choose(session, slug, variant, business_now(session), who=operator())
    say(f"The rest of {slug} gets variant {chosen.letter}.")


def print_phases(phases: Phases | None) -> None:
    """Where a campaign with a canary or variants is, how they do, and what comes next."""
    if phases is None:
        return
    *before, last = phases.lines
    for line in before:
        say(line)
    say(f"{last} {phases.hint}".strip())
    scores = {score.name: score for score in phases.scores}
    rows = []
    for one in phases.trial.variants if phases.trial else ():
        score = scores.get(one.name)
        figures = (score.accepted, score.clicks, score.opens, score.unsubscribes) if score else ("-",) * 4
        rows.append((one.letter, one.subject, *figures, "yes" if phases.winner == one.name else ""))
    if rows:
        columns = ("variant", "subject", "accepted", "clicked", "opened", "left", "won")
        as_table(columns, rows, "")


def plain(reason: str) -> str:
    """What was typed, in letters that a database takes."""
    return reason.encode(errors="replace").decode().replace("\0", "").strip()
