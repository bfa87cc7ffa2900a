"""What publishing does to each group of readers, and what is asked about those who are past a new step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import click
import typer

from mailer.cli.show import as_table, count, say
from mailer.errors import Refused
from mailer.launch.effect import Bring, Change, ChangeKind, Past, Plan


def print_plan(plan: Plan) -> None:
    """Each change with the groups of readers that it means something for."""
    rows = [(change.kind, change.key, change.what, _groups(plan, change)) for change in plan.changes]
    as_table(("change", "step", "what", "readers"), rows, f"{plan.slug} is published as it is here.")


def _groups(plan: Plan, change: Change) -> str:
    if change.kind not in (ChangeKind.ADD, ChangeKind.MOVE):
        return f"{change.reached:,}"
    date = "new date" if change.kind is ChangeKind.MOVE else "on its day"
    words = [f"{change.reached:,} waiting: {date}"]
    if past := plan.past.get(change.key):
        words.append(f"{len(past):,} already past: --past skip | next | end")
    if ended := plan.finished.get(change.key):
        words.append(f"{ended:,} finished: nothing, or --finished {change.key}")
    return "; ".join(words)


def refuse_unknown(bring: Bring, plans: Sequence[Plan]) -> None:
    """Raises Refused for a step about which there is nothing to say."""
    past = {key for plan in plans for key in plan.past}
    finished = {key for plan in plans for key in plan.finished}
    for key in (*(bring.of.keys() - past), *(bring.finished - finished)):
        raise Refused(f"Nobody is past the step {key!r} without it, so there is nothing to say about it.")


def ask_of_past(plan: Plan, bring: Bring, *, yes: bool) -> Bring:
    """What becomes of each step that readers are past, from whoever sits there; with `yes` they do without.

    Raises Refused where there is nobody to ask.
    """
    if yes or not (plan.past or plan.finished):
        return bring
    if not sys.stdin.isatty():
        if not plan.past:
            return bring
        told = ", ".join(f"{count(len(readers), 'reader')} past {key}" for key, readers in plan.past.items())
        raise Refused(f"{told}: say --past skip, next or end (or --past KEY=next of one step), or --yes.")
    choice = click.Choice([str(one) for one in Past])
    of = dict(bring.of)
    for key, readers in plan.past.items():
        say(f"{count(len(readers), 'reader')} past the day of {key}: skip it, send it next, or at the end?")
        of[key] = Past(typer.prompt(key, type=choice, default=str(Past.SKIP)))
    finished = set(bring.finished)
    for key, people in plan.finished.items():
        asked = f"Send {key} to {count(people, 'reader')} who finished too?"
        if key not in finished and typer.confirm(asked):
            finished.add(key)
    return replace(bring, of=of, finished=frozenset(finished))
