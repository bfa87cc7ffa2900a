"""`steadypost campaign`: one message, sent once, to the active people of one or more lists."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mailer.audience.aim import Again, Aim
from mailer.cli import series
from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.campaign_approval import (
    approval_of,
    approve_campaign,
    says_that_it_waits,
    unschedule_campaign,
)
from mailer.cli.campaign_asking import (
    CanaryLimits,
    CanarySize,
    CanaryWait,
    MuchLarger,
    SameMessage,
    agree,
    asked_canary,
    choose_past,
    local_time,
    look,
    shown,
    to_whom,
    when_local,
)
from mailer.cli.campaign_phases import choose_variant, plain, print_phases, resume_campaign
from mailer.cli.connect import Connected, connect
from mailer.cli.delivery import print_statement, statement_values
from mailer.cli.one_mail import hand_over
from mailer.cli.preflight import NoLinks, ask_about_campaign, campaign_preflight
from mailer.cli.show import as_json, as_table, console, count, say, warn
from mailer.clock import refuse_far, zone
from mailer.content.course_source import Problem
from mailer.db import business_now
from mailer.delivery.holds import pause
from mailer.delivery.signing import Keyring
from mailer.errors import Refused
from mailer.launch.campaign import Launch, cancel, put_draft, refuse_ended, schedule, schedule_local
from mailer.launch.campaign_again import draft_again
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.campaign_source import read_source
from mailer.launch.campaign_tick import wind_up
from mailer.launch.send_test import compose_campaign_test, transport_for_test
from mailer.launch.surprises import Surprise
from mailer.links import Signer
from mailer.models import CampaignPhase, CampaignState, HoldScope
from mailer.reports.campaigns import CampaignReport, CampaignRow, campaigns_overview, describe_campaign
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.local_time import Past
from mailer.sealing import Seal

app = typer.Typer(help="Campaigns: one mail, sent once, to lists.", no_args_is_help=True)
app.add_typer(series.app, name="series")

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
        ("campaign", "subject", "state", "to", "audience", "starts (UTC)"),
        [
            (row.slug, row.subject, _state(row), row.to_whom, row.audience, shown(row.starts_at))
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


app.command("preflight")(campaign_preflight)


@app.command("create")
def create(files: Files) -> None:
    """Make a draft of a campaign's files, or bring the draft up to date; nothing is sent."""
    with connect() as connected, connected.session() as session:
        compiled, problems = check_campaign(session, files)
        for problem in problems:
            warn(str(problem))
        ready = _ready(compiled, problems)
        text = read_source(files, ready)
        done = put_draft(session, ready, business_now(session), who=operator(), text=text)
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
                "phases": report.phases.as_values() if report.phases else None,
                "statement": statement_values(report.statement),
            }
        )
        return
    _print_report(report)


@app.command("test")
def send_test(
    slug: str,
    to: Annotated[str, typer.Option(help="Where the test mail goes.")],
    as_: Annotated[str | None, typer.Option("--as", help="Show it as this subscriber would get it.")] = None,
    language: Annotated[str | None, typer.Option(help="Which of its languages, such as de.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which of its variants, such as B.")] = None,
) -> None:
    """Send a campaign to an address of yours, by the way that it will go; nothing is counted."""
    with connect() as connected:
        settings = connected.settings
        with connected.session() as session:
            campaign = get_campaign(session, slug)
            transport = transport_for_test(session, campaign)
            email = compose_campaign_test(
                session,
                campaign,
                to=to,
                as_email=as_,
                language=language,
                signer=Signer(settings.secret_key),
                base_url=settings.base_url,
                now=business_now(session),
                keyring=Keyring(Seal(settings.secret_key)),
                variant=variant,
            )
        hand_over(connected, transport, email)
    say(f"Sent {slug} to {to}.")


@app.command("again")
def again(
    slug: str,
    to: Annotated[Again, typer.Option(help="Those who did not get it, or who got it and clicked nothing.")],
    new_slug: Annotated[str, typer.Option("--slug", help="The new campaign's own slug.")],
) -> None:
    """Draft a campaign once more for those whom it missed, or who did not click; nothing is sent."""
    with connect() as connected, connected.session() as session:
        made = draft_again(session, slug, to, new_slug, business_now(session), who=operator())
        aim = Aim.of(made.aim)
    but_not = f", but nobody {aim.without()}" if aim.without() else ""
    say(f"{new_slug} is a draft, for people {aim.within()}{but_not}.")
    say(f"Next: `steadypost campaign send {new_slug}`, which says how many they are, and asks first.")


@app.command("send")
def send(
    slug: str,
    yes: Yes = False,
    much_larger: MuchLarger = False,
    same_message: SameMessage = False,
    canary: CanarySize = None,
    canary_wait: CanaryWait = None,
    canary_limit: CanaryLimits = None,
    no_links: NoLinks = False,
) -> None:
    """Send a campaign now. Says to how many people, and asks first."""
    first = asked_canary(canary, canary_wait, canary_limit)
    with connect() as connected:
        launch = look(connected, slug, first)
        agreed = agree(launch, much_larger=much_larger, same_message=same_message)
        ask_about_campaign(connected, slug, "Send", yes=yes, no_links=no_links)
        ask_first(f"Send {to_whom(launch)}", yes=yes)
        _schedule(connected, launch, None, agreed)
    if says_that_it_waits(connected, slug):
        return
    say(f"{slug} is on its way; `steadypost campaign show {slug}` shows how far it is.")
    say(f"`steadypost campaign pause {slug}` stops it at once.")


@app.command("schedule")
def schedule_(
    slug: str,
    at: Annotated[
        str | None, typer.Option(help="When, as 2026-12-01T09:00+01:00, or without the offset and --zone.")
    ] = None,
    local: Annotated[
        str | None, typer.Option(help="When by each reader's own clock, as 2026-12-01 09:00.")
    ] = None,
    zone_: Annotated[
        str | None,
        typer.Option("--zone", help="The zone of --at; with --local that of people without one (else UTC)."),
    ] = None,
    past: Annotated[
        Past | None, typer.Option(help="With --local: what becomes of people for whom that is past.")
    ] = None,
    yes: Yes = False,
    much_larger: MuchLarger = False,
    same_message: SameMessage = False,
    canary: CanarySize = None,
    canary_wait: CanaryWait = None,
    canary_limit: CanaryLimits = None,
    no_links: NoLinks = False,
) -> None:
    """Have a campaign sent at a moment. Says to how many people as of now, and asks first."""
    if (at is None) == (local is None) or (past is not None and local is None):
        raise typer.BadParameter("Give --at, or --local and perhaps --past.")
    first = asked_canary(canary, canary_wait, canary_limit)
    with connect() as connected:
        launch = look(connected, slug, first, is_local=local is not None)
        agreed = agree(launch, much_larger=much_larger, same_message=same_message)
        if at is not None:
            _schedule_at(connected, launch, at, zone_, agreed, yes=yes, no_links=no_links)
        elif local is not None:
            _schedule_local(
                connected, launch, (local, zone_ or "Etc/UTC", past), agreed, yes=yes, no_links=no_links
            )


def _schedule_at(
    connected: Connected,
    launch: Launch,
    at: str,
    zone_name: str | None,
    agreed: tuple[Surprise, ...],
    *,
    yes: bool,
    no_links: bool,
) -> None:
    starts_at = _moment_of(at, zone_name)
    slug = launch.campaign.slug
    with connected.session() as session:
        if starts_at <= business_now(session):
            raise Refused(f"{at} is past; say a later moment, or `steadypost campaign send {slug}`.")
    ask_about_campaign(connected, launch.campaign.slug, "Schedule", yes=yes, no_links=no_links)
    ask_first(f"At {shown(starts_at)} UTC send {to_whom(launch)}", yes=yes)
    _schedule(connected, launch, starts_at, agreed)
    say(f"{slug} is scheduled for {shown(starts_at)} UTC, to whoever {_audience(launch)} then.")
    says_that_it_waits(connected, slug)


def _schedule(
    connected: Connected, launch: Launch, starts_at: datetime | None, agreed: tuple[Surprise, ...]
) -> None:
    """Have it sent at a moment, or (None) now."""
    with connected.session() as session:
        now = business_now(session)
        schedule(
            *(session, launch, starts_at or now, now),
            who=operator(),
            agreed=agreed,
            canary=launch.canary,
            approval=approval_of(connected),
        )


def _schedule_local(
    connected: Connected,
    launch: Launch,
    typed: tuple[str, str, Past | None],
    agreed: tuple[Surprise, ...],
    *,
    yes: bool,
    no_links: bool,
) -> None:
    with connected.session() as session:
        local = local_time(*typed, business_now(session))
    local, found = choose_past(connected, launch, local)
    ask_about_campaign(connected, launch.campaign.slug, "Schedule", yes=yes, no_links=no_links)
    ask_first(f"{when_local(local, found)} send {to_whom(launch)}", yes=yes)
    with connected.session() as session:
        now, approval = local.decided_at, approval_of(connected)
        schedule_local(session, launch, local, now, who=operator(), agreed=agreed, approval=approval)
    slug, at = launch.campaign.slug, f"{local.at:%Y-%m-%d %H:%M}"
    say(f"{slug} is scheduled for {at} in each reader's zone, the first at {shown(found.first)} UTC.")
    say(f"Its audience is whoever {_audience(launch)} at that first moment.")
    says_that_it_waits(connected, slug)


def _audience(launch: Launch) -> str:
    if launch.aim.as_values():
        return "it is for"
    return "is on its lists"


@app.command("pause")
def pause_(slug: str, reason: Reason = "") -> None:
    """Stop sending a campaign, at once; what is due waits."""
    with connect() as connected, connected.session() as session:
        refuse_ended(get_campaign(session, slug))
        now = business_now(session)
        done = pause(session, HoldScope.CAMPAIGN, slug, now, who=operator(), reason=plain(reason))
    say(
        f"Paused: {slug}. `steadypost campaign resume {slug}` goes on."
        if done
        else f"Paused already: {slug}."
    )


app.command("approve")(approve_campaign)
app.command("unschedule")(unschedule_campaign)
app.command("resume")(resume_campaign)
app.command("choose")(choose_variant)


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
            cancel(session, slug, business_now(session), who=operator(), reason=plain(reason))
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


def _moment_of(at: str, zone_name: str | None) -> datetime:
    """What was typed as an instant; raises Refused, FarOff or UnknownZone."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise Refused(f"{at!r} is not a moment; write 2026-12-01T09:00+01:00.") from None
    if moment.tzinfo is None and zone_name is None:
        raise Refused(f"Whose clock shows {at}? Say it with --zone, such as --zone Europe/Lisbon.")
    if moment.tzinfo is not None and zone_name is not None:
        raise Refused("Give the offset in --at or the zone in --zone, not both.")
    refuse_far(moment)
    local = moment if zone_name is None else moment.replace(tzinfo=zone(zone_name))
    return local.astimezone(UTC)


def _ready(compiled: CompiledCampaign | None, problems: list[Problem]) -> CompiledCampaign:
    if compiled is None:
        errors = sum(not problem.is_warning for problem in problems)
        raise Refused(f"The campaign has {count(errors, 'error')}; mend the lines named above.")
    return compiled


def _state(row: CampaignRow) -> str:
    phase = f" ({row.phase})" if row.phase in (CampaignPhase.CANARY, CampaignPhase.TEST) else ""
    words = f"{row.state}{phase}" if row.state == CampaignState.SENDING else row.state
    words += ", waits for approval" if row.awaits_approval else ""
    return f"{words}, paused" if row.is_paused else words


def _print_report(report: CampaignReport) -> None:
    row = report.row
    say(f"{row.subject} ({row.slug}): {_state(row)}")
    say(f"from {report.sender} to {row.to_whom}, in {', '.join(report.languages)}")
    if row.local:
        zone_name, at = row.local.zone, f"{row.local.at:%Y-%m-%d %H:%M}"
        say(f"at {at} in each reader's zone ({zone_name} for people without one)")
    if row.starts_at:
        word = "starts" if row.state == CampaignState.SCHEDULED else "started"
        say(f"{word} {shown(row.starts_at)} UTC")
    if row.passed_over:
        say(f"{count(row.passed_over, 'person', 'people')} of the lists passed over, as it is not for them")
    if row.finished_at:
        say(f"ended {shown(row.finished_at)} UTC")
    print_phases(report.phases)
    if not report.statement.audience and not report.statement.is_complete:
        say("Nothing of it is due yet.")
        return
    console.print(Text())
    print_statement(report.statement, is_under_way=row.finished_at is None)
