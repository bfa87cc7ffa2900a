"""`steadypost campaign`: one message, sent once, to the active people of one or more lists."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import Connected, connect
from mailer.cli.delivery import print_statement, statement_values
from mailer.cli.show import as_json, as_table, console, count, printable, say, warn
from mailer.clock import zone
from mailer.content.course_source import Problem
from mailer.db import business_now
from mailer.delivery.holds import pause, resume
from mailer.errors import Refused
from mailer.launch.campaign import Launch, cancel, look_ahead, put_draft, refuse_ended, schedule
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.campaign_tick import wind_up
from mailer.models import CampaignState, HoldScope
from mailer.reports.campaigns import CampaignReport, CampaignRow, campaigns_overview, describe_campaign
from mailer.schedule.campaigns import get_campaign

app = typer.Typer(help="Campaigns: one mail, sent once, to lists.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Files = Annotated[list[Path], typer.Argument(help="The campaign's file; after it its translations.")]
Reason = Annotated[str, typer.Option(help="Why, for whoever looks next.")]


@app.command("list")
def list_all(as_json_: AsJson = False) -> None:
    """Show every campaign, the newest first."""
    with connect() as connected, connected.session() as session:
        rows = campaigns_overview(session)
    if as_json_:
        as_json([row.as_values() for row in rows])
        return
    as_table(
        ("campaign", "subject", "state", "lists", "audience", "starts (UTC)"),
        [
            (row.slug, row.subject, _state(row), ", ".join(row.lists), row.audience, _moment(row.starts_at))
            for row in rows
        ],
        "There is no campaign yet; `steadypost campaign create FILE` makes one (docs/campaigns.md).",
    )


@app.command("check")
def check(files: Files, as_json_: AsJson = False) -> None:
    """Find everything in a campaign's files that would go wrong, with file, line and fix."""
    with connect() as connected, connected.session() as session:
        compiled, problems = check_campaign(session, files)
    if as_json_:
        as_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            say(str(problem))
    ready = _ready(compiled, problems)
    if not as_json_:
        say(f"{ready.source.slug} is in order: {count(len(ready.messages), 'language')}.")
        say(f"Next: `steadypost campaign create {' '.join(map(str, files))}`.")


@app.command("create")
def create(files: Files) -> None:
    """Make a draft of a campaign's files, or bring the draft up to date; nothing is sent."""
    with connect() as connected, connected.session() as session:
        compiled, problems = check_campaign(session, files)
        for problem in problems:
            warn(str(problem))
        ready = _ready(compiled, problems)
        done = put_draft(session, ready, business_now(session), who=operator())
        slug, state = done.campaign.slug, done.campaign.state
    if not done.is_changed:
        say(f"{slug} is a {state} campaign as it is here." if state == "draft" else f"{slug} is {state}.")
    else:
        say(f"{slug} is {'a draft' if done.is_new else 'brought up to date, a draft'}.")
    if done.was_scheduled:
        say("It was scheduled, and is not any more: schedule it anew.")
    if state == CampaignState.DRAFT:
        say(f"Next: `steadypost campaign send {slug}`, or `campaign schedule {slug} --at …`. Both ask first.")


@app.command("show")
def show(slug: str, as_json_: AsJson = False) -> None:
    """Show how far a campaign is, and what became of every mail of it."""
    with connect() as connected, connected.session() as session:
        report = describe_campaign(session, slug)
    if as_json_:
        as_json(
            {
                **report.row.as_values(),
                "sender": report.sender,
                "languages": report.languages,
                "statement": statement_values(report.statement),
            }
        )
        return
    _print_report(report)


@app.command("send")
def send(slug: str, yes: Yes = False) -> None:
    """Send a campaign now. Says to how many people, and asks first."""
    with connect() as connected:
        launch = _look_ahead(connected, slug)
        ask_first(f"Send {_to_whom(launch)}", yes=yes)
        with connected.session() as session:
            now = business_now(session)
            schedule(session, launch, now, now, who=operator())
    say(f"{slug} is on its way; `steadypost campaign show {slug}` shows how far it is.")
    say(f"`steadypost campaign pause {slug}` stops it at once.")


@app.command("schedule")
def schedule_(
    slug: str,
    at: Annotated[
        str, typer.Option(help="When, as 2026-12-01T09:00+01:00, or without the offset and --zone.")
    ],
    zone_: Annotated[
        str | None, typer.Option("--zone", help="The zone of --at, such as Europe/Lisbon.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Have a campaign sent at a moment. Says to how many people as of now, and asks first."""
    starts_at = _moment_of(at, zone_)
    with connect() as connected:
        launch = _look_ahead(connected, slug)
        with connected.session() as session:
            if starts_at <= business_now(session):
                raise Refused(f"{at} is past; say a later moment, or `steadypost campaign send {slug}`.")
        ask_first(f"At {_moment(starts_at)} UTC send {_to_whom(launch)}", yes=yes)
        with connected.session() as session:
            schedule(session, launch, starts_at, business_now(session), who=operator())
    say(f"{slug} is scheduled for {_moment(starts_at)} UTC, to whoever is on its lists then.")


@app.command("pause")
def pause_(slug: str, reason: Reason = "") -> None:
    """Stop sending a campaign, at once; what is due waits."""
    with connect() as connected, connected.session() as session:
        refuse_ended(get_campaign(session, slug))
        now = business_now(session)
        done = pause(session, HoldScope.CAMPAIGN, slug, now, who=operator(), reason=_plain(reason))
    say(
        f"Paused: {slug}. `steadypost campaign resume {slug}` goes on."
        if done
        else f"Paused already: {slug}."
    )


@app.command("resume")
def resume_(slug: str, reason: Reason = "") -> None:
    """Go on sending a paused campaign."""
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        done = resume(session, HoldScope.CAMPAIGN, slug, now, who=operator(), reason=_plain(reason))
    say(f"Resumed: {slug}." if done else f"Not paused: {slug}.")


@app.command("cancel")
def cancel_(slug: str, reason: Reason = "", yes: Yes = False) -> None:
    """End a campaign for good: what has not left is taken back. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            refuse_ended(get_campaign(session, slug))
            statement = describe_campaign(session, slug).statement
        out = statement.audience - statement.open
        ask_first(
            f"Cancel {slug} for good? {count(out, 'mail')} of it are out or ended, "
            f"{count(statement.open, 'mail')} are still open.",
            yes=yes,
        )
        with connected.session() as session:
            cancel(session, slug, business_now(session), who=operator(), reason=_plain(reason))
        taken_back = _wind_up(connected)
    say(f"{slug} is cancelled; {count(taken_back, 'mail')} taken back. What a worker has may still arrive.")


def _wind_up(connected: Connected) -> int:
    """Take back what is open, some at a time; the tick would do the same."""
    total = 0
    while True:
        with connected.session() as session:
            cancelled = wind_up(session, business_now(session))
        total += cancelled
        if not cancelled:
            return total


def _look_ahead(connected: Connected, slug: str) -> Launch:
    with connected.session() as session:
        return look_ahead(session, slug, business_now(session))


def _to_whom(launch: Launch) -> str:
    """The question's end: to how many people, and who is left out."""
    reach = launch.reach
    subject = printable(launch.campaign.subject)
    lists = ", ".join(launch.lists)
    words = f"“{subject}” ({launch.campaign.slug}) to {count(reach.people, 'person', 'people')} on {lists}?"
    if reach.suppressed:
        words += f" {reach.suppressed:,} of them are suppressed and will get nothing."
    left_out = [(reach.pending, "not confirmed"), (reach.unsubscribed, "unsubscribed")]
    told = ", ".join(f"{number:,} {what}" for number, what in left_out if number)
    return f"{words} Left out: {told}." if told else words


def _moment_of(at: str, zone_name: str | None) -> datetime:
    """What was typed as an instant; raises Refused or UnknownZone."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise Refused(f"{at!r} is not a moment; write 2026-12-01T09:00+01:00.") from None
    if moment.tzinfo is None and zone_name is None:
        raise Refused(f"Whose clock shows {at}? Say it with --zone, such as --zone Europe/Lisbon.")
    if moment.tzinfo is not None and zone_name is not None:
        raise Refused("Give the offset in --at or the zone in --zone, not both.")
    local = moment if zone_name is None else moment.replace(tzinfo=zone(zone_name))
    return local.astimezone(UTC)


def _ready(compiled: CompiledCampaign | None, problems: list[Problem]) -> CompiledCampaign:
    if compiled is None:
        errors = sum(not problem.is_warning for problem in problems)
        raise Refused(f"The campaign has {count(errors, 'error')}; mend the lines named above.")
    return compiled


def _plain(reason: str) -> str:
    """What was typed, in letters that a database takes."""
    return reason.encode(errors="replace").decode().replace("\0", "").strip()


def _state(row: CampaignRow) -> str:
    return f"{row.state}, paused" if row.is_paused else row.state


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def _print_report(report: CampaignReport) -> None:
    row = report.row
    say(f"{row.subject} ({row.slug}): {_state(row)}")
    say(f"from {report.sender} to {', '.join(row.lists)}, in {', '.join(report.languages)}")
    if row.starts_at:
        word = "starts" if row.state == CampaignState.SCHEDULED else "started"
        say(f"{word} {_moment(row.starts_at)} UTC")
    if row.finished_at:
        say(f"ended {_moment(row.finished_at)} UTC")
    if not report.statement.audience and not report.statement.is_complete:
        say("Nothing of it is due yet.")
        return
    console.print(Text())
    print_statement(report.statement, is_under_way=row.finished_at is None)
