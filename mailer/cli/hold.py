"""`steadypost hold`: what is on hold by itself after an outage or a restore, and going on with a policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import Connected, connect
from mailer.cli.show import as_json, as_table, console, count, say
from mailer.db import business_now
from mailer.delivery.holds import guarded
from mailer.delivery.installation import Installation
from mailer.launch.backlog import Backlog, backlog
from mailer.launch.carry_out import carry_out
from mailer.launch.release import NOTHING_HELD, Choice, choose
from mailer.models import Hold, HoldCause, HoldScope, Lane
from mailer.schedule.catchup import STALE_AFTER, Policy

app = typer.Typer(
    help="What is on hold after an outage or a restore, and how to go on.", no_args_is_help=True
)

HOURS = STALE_AFTER / timedelta(hours=1)
MEANING = {
    Policy.SHIFT: "nothing is passed over; all that follows moves too",
    Policy.RHYTHM: "back to the course's own dates, caught up one a day where there is room",
    Policy.SKIP_STALE: "what is more than {hours:g} h late is passed over, the rest moves",
}

AFTER_A_RESTORE = (
    "If another installation goes on sending from this data, leave everything on hold here. Releasing",
    "makes this installation the one that sends. What left after the backup was made cannot be known:",
    "`--policy skip-stale --stale-after 0` sends nothing that was due until now.",
)

StaleAfter = Annotated[float, typer.Option(min=0, help="Hours after which skip-stale passes a mail over.")]


@app.command("show")
def show(
    stale_after: StaleAfter = HOURS,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what is on hold and why, what is overdue, and what each policy would do about it."""
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        holds = guarded(session)
        lanes = _lanes(holds) or (Lane.COURSE, Lane.CAMPAIGN)
        found = backlog(session, now, lanes, timedelta(hours=stale_after))
    if as_json_:
        as_json(_values(holds, found))
        return
    if not holds:
        say(NOTHING_HELD)
        return
    for hold in holds:
        name = f"{hold.scope} {hold.target}".strip()
        say(f"On hold: {name} since {hold.since:%Y-%m-%d %H:%M} UTC: {hold.reason}.")
    _print(found)
    if any(hold.cause == HoldCause.FENCE for hold in holds):
        say("")
        for line in AFTER_A_RESTORE:
            say(line)
    say("")
    say("`steadypost hold release --policy shift` (or rhythm, or skip-stale) goes on; it asks first.")


@app.command("release")
def release(
    policy: Annotated[Policy, typer.Option(help="What becomes of the mail that is overdue.")],
    lane: Annotated[Lane | None, typer.Option(help="This lane alone.")] = None,
    stale_after: StaleAfter = HOURS,
    yes: Yes = False,
) -> None:
    """Send again, after doing with overdue mail what the policy says."""
    with connect() as connected:
        with connected.session() as session:
            now = business_now(session)
            choice = choose(session, policy, lane, timedelta(hours=stale_after))
            found = backlog(session, now, choice.lanes, choice.stale_after)
        ask_first(_question(choice, found), yes=yes)
        passed_over = _carry_out(connected, choice, now)
    name = "everything" if choice.is_fence else "lane " + " and lane ".join(choice.lanes)
    say(f"Released: {name}. {count(passed_over, 'mail')} passed over; what is due leaves now.")
    if choice.is_fence:
        say("This installation is now the one that sends from this database.")


def _carry_out(connected: Connected, choice: Choice, now: datetime) -> int:
    settings = connected.settings
    here = Installation(settings.data_dir, settings.instance_token)
    with console.status("") as status:

        def show(done: int, total: int) -> None:
            status.update(f"{done:,} of {total:,} readers…")

        return carry_out(connected.session, choice, here, now, who=operator(), show=show)


def _lanes(holds: Sequence[Hold]) -> tuple[Lane, ...]:
    if any(hold.scope == HoldScope.EVERYTHING for hold in holds):
        return tuple(Lane)
    return tuple(Lane(hold.target) for hold in holds if hold.scope == HoldScope.LANE)


def _print(found: Backlog) -> None:
    say("")
    as_table(
        ("lane", "of", "people", "overdue mails", "oldest due (UTC)"),
        [
            (each.lane, each.name, each.people, each.mails, f"{each.oldest:%Y-%m-%d %H:%M}")
            for each in found.overdue
        ],
        "Nothing is overdue.",
    )
    if not found.overdue:
        return
    say("")
    hours = found.stale_after / timedelta(hours=1)
    rows = []
    for policy in Policy:
        effect = found.total(policy)
        later = f"{count(effect.delay, 'day')}" if effect.delay else "-"
        meaning = MEANING[policy].format(hours=hours)
        rows.append((str(policy), effect.late, effect.passed_over, effect.over, later, meaning))
    names = ("policy", "leave late", "passed over", "courses over", "end later by", "meaning")
    as_table(names, rows, "")
    say("")
    say("Whatever the policy, nobody gets two mails of one course on one day.")
    if found.drain_minutes is not None:
        minutes = max(1, round(found.drain_minutes))
        say(f"At the rate of the busiest minute lately, a first mail to each takes {minutes:,} min.")


def _question(choice: Choice, found: Backlog) -> str:
    effect = found.total(choice.policy)
    what = "Everything" if choice.is_fence else f"The lane {' and the lane '.join(choice.lanes)}"
    verb = "goes" if choice.is_fence or len(choice.lanes) == 1 else "go"
    parts = [
        f"{count(effect.late, 'overdue mail')} will leave late",
        f"{effect.passed_over:,} be passed over",
    ]
    if effect.over:
        parts.append(f"{count(effect.over, 'reader')} will get no further mail of the course")
    if effect.delay:
        parts.append(f"courses will end up to {count(effect.delay, 'day')} later")
    readers = count(found.first_wave, "reader")
    return f"{what} {verb} on ({choice.policy}), with {readers} behind: {', '.join(parts)}. Go on?"


def _values(holds: Sequence[Hold], found: Backlog) -> dict[str, Any]:
    """For programs; moments as ISO 8601."""
    return {
        "at": found.at.isoformat(),
        "holds": [
            {
                "scope": hold.scope,
                "target": hold.target,
                "cause": hold.cause,
                "reason": hold.reason,
                "since": hold.since.isoformat(),
            }
            for hold in holds
        ],
        "stale_after_hours": found.stale_after / timedelta(hours=1),
        "overdue": [
            asdict(each) | {"oldest": each.oldest and each.oldest.isoformat()} for each in found.overdue
        ],
        "policies": {str(policy): asdict(found.total(policy)) for policy in Policy},
        "drain_minutes": found.drain_minutes,
    }
