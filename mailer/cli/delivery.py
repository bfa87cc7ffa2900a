"""`steadypost delivery`: what became of every mail, and doing something about it."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, printable, say
from mailer.db import business_now
from mailer.delivery.ledger import Chosen, Filter, act, choose
from mailer.delivery.verbs import CANCEL, HOLD, RELEASE, RETRY, SETTLE, Verb
from mailer.errors import Refused
from mailer.models import DeliveryState
from mailer.reports.csv_file import csv_lines
from mailer.reports.ledger import action_log, ledger_rows
from mailer.reports.statement import Statement, campaign_statement, course_statement
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.courses import get_course

app = typer.Typer(help="What became of every mail, and what to do about it.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
CourseName = Annotated[str | None, typer.Option(help="The course's slug.")]
CampaignName = Annotated[str | None, typer.Option(help="The campaign's slug.")]
StepName = Annotated[str | None, typer.Option(help="A step's key, or confirm or welcome.")]
States = Annotated[list[DeliveryState] | None, typer.Option("--state", help="May be given more than once.")]
Domain = Annotated[str | None, typer.Option(help="The addresses' domain, such as example.org.")]
Reason = Annotated[str | None, typer.Option(help="A part of the reason.")]
Email = Annotated[str | None, typer.Option(help="One reader's address.")]
Ids = Annotated[list[int] | None, typer.Option("--id", help="A mail's id; may be given more than once.")]
Because = Annotated[str, typer.Option(help="Why; kept with each mail and in the action log.")]


class Resolved(StrEnum):
    """What a person may say of uncertain mails."""

    ACCEPTED = DeliveryState.ACCEPTED
    CANCELLED = DeliveryState.CANCELLED


@app.command("statement")
def statement(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    as_json_: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV: state, reason, mails.")] = False,
) -> None:
    """Show the balanced statement of a course, a step or a campaign; exit 1 when it does not balance."""
    if as_json_ and as_csv:
        raise Refused("Choose one of --json and --csv.")
    if (course is None) == (campaign is None) or (campaign and step):
        raise typer.BadParameter("give either --course, if you like with --step, or --campaign")
    with connect() as connected, connected.session() as session:
        if campaign is not None:
            result = campaign_statement(session, get_campaign(session, campaign))
        else:
            found = get_course(session, str(course))
            result = course_statement(session, found, business_now(session), step)
    if as_json_:
        as_json({**statement_values(result), "reasons": result.reasons})
    elif as_csv:
        print_csv(result)
    else:
        print_statement(result)
    if not result.is_balanced:
        raise Refused(_imbalance(str(course or campaign), result))


@app.command("list")
def list_(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    limit: Annotated[int, typer.Option(min=1, help="How many mails at most.")] = 100,
    as_json_: AsJson = False,
) -> None:
    """Show mails one by one: to whom, their state and why, and what a server said last."""
    chosen = _filter(course, campaign, step, state, domain, reason, email, id_)
    with connect() as connected, connected.session() as session:
        rows = ledger_rows(session, chosen, limit + 1)
    if as_json_:
        as_json([row.as_values() for row in rows[:limit]])
        return
    as_table(
        ("id", "address", "course", "mail", "state", "reason", "due (UTC)", "last reply"),
        [
            (
                *(row.id, row.email, row.course or "-", row.mail, row.state, row.reason or "-"),
                *(f"{row.due_at:%Y-%m-%d %H:%M}", row.reply or "-"),
            )
            for row in rows[:limit]
        ],
        "There are no such mails.",
    )
    if len(rows) > limit:
        say(f"There are more than {limit:,}; --limit shows more.")


@app.command("retry")
def retry(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    yes: Yes = False,
) -> None:
    """Plan failed and quarantined mails once more.

    Uncertain ones only with --state uncertain: they may arrive a second time.
    """
    _act(RETRY, _filter(course, campaign, step, state, domain, reason, email, id_), yes=yes)


@app.command("hold")
def hold(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Set planned mails aside until `release`."""
    _act(HOLD, _filter(course, campaign, step, state, domain, reason, email, id_), yes=yes, because=because)


@app.command("release")
def release(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    yes: Yes = False,
) -> None:
    """Let held mails go on."""
    _act(RELEASE, _filter(course, campaign, step, state, domain, reason, email, id_), yes=yes)


@app.command("cancel")
def cancel(
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Take back planned, held and quarantined mails for good; readers go on with the next step.

    Uncertain ones only with --state uncertain: they may have arrived.
    """
    _act(CANCEL, _filter(course, campaign, step, state, domain, reason, email, id_), yes=yes, because=because)


@app.command("settle")
def settle(
    as_: Annotated[Resolved, typer.Option("--as", help="What the evidence says became of them.")],
    course: CourseName = None,
    campaign: CampaignName = None,
    step: StepName = None,
    state: States = None,
    domain: Domain = None,
    reason: Reason = None,
    email: Email = None,
    id_: Ids = None,
    because: Because = "",
    yes: Yes = False,
) -> None:
    """Resolve uncertain mails by what you know, such as the relay's log: accepted or cancelled."""
    verb = SETTLE[DeliveryState(as_)]
    _act(verb, _filter(course, campaign, step, state, domain, reason, email, id_), yes=yes, because=because)


@app.command("actions")
def actions(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50, as_json_: AsJson = False
) -> None:
    """Show what people did to mails and suppressions, newest first."""
    with connect() as connected, connected.session() as session:
        log = action_log(session, limit)
    if as_json_:
        names = ("id", "who", "what", "rows", "detail")
        as_json([{"at": each.at.isoformat()} | {name: getattr(each, name) for name in names} for each in log])
        return
    as_table(
        ("when (UTC)", "who", "what", "rows", "detail"),
        [(f"{each.at:%Y-%m-%d %H:%M}", each.who, each.what, each.rows, _words(each.detail)) for each in log],
        "Nobody has done anything yet.",
    )


def _filter(
    course: str | None,
    campaign: str | None,
    step: str | None,
    states: list[DeliveryState] | None,
    domain: str | None,
    reason: str | None,
    email: str | None,
    ids: list[int] | None,
) -> Filter:
    return Filter(course, step, tuple(states or ()), domain, reason, email, tuple(ids or ()), campaign)


def _act(verb: Verb, filter_: Filter, *, yes: bool, because: str = "") -> None:
    """Count, ask, and change what was counted: no lock is held while somebody thinks."""
    with connect() as connected:
        with connected.session() as session:
            chosen = choose(session, verb, filter_)
        if not chosen.total:
            say(f"No mail here can be {verb.done}{_rest(chosen)}.")
            return
        ask_first(_question(chosen), yes=yes)
        with connected.session() as session:
            words = because.encode(errors="replace").decode().strip()
            done = act(session, chosen, business_now(session), who=operator(), because=words)
    say(f"{count(done, 'mail')} {verb.done}; now {verb.to}.")
    if done < chosen.total:
        say(f"{count(chosen.total - done, 'mail')} had moved on meanwhile and stayed as they were.")


def _question(chosen: Chosen) -> str:
    states = ", ".join(f"{number:,} {state}" for state, number in sorted(chosen.counts().items()))
    risk = ""
    if DeliveryState.UNCERTAIN in chosen.ids and chosen.verb is RETRY:
        risk = " Uncertain ones may arrive a second time."
    name = chosen.verb.name.capitalize()
    return f"{name} {count(chosen.total, 'mail')} ({states}){_rest(chosen)}?{risk}"


def _rest(chosen: Chosen) -> str:
    """What the filter names besides, and which stays as it is."""
    others = ", ".join(f"{number:,} {state}" for state, number in sorted(chosen.others.items()))
    return f"; as they are stay {others}" if others else ""


def _words(detail: dict[str, Any]) -> str:
    """The detail of an action on one line: `course=calm from=failed:2`."""
    flat = {**detail.get("filter", {}), **{name: value for name, value in detail.items() if name != "filter"}}
    return " ".join(f"{name}={_word(value)}" for name, value in flat.items()) or "-"


def _word(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{number}" for name, number in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _imbalance(name: str, result: Statement) -> str:
    if not result.is_complete:
        return f"The audience of {name} is not written yet; `steadypost campaign show {name}` shows its time."
    return (
        f"The statement of {name} does not balance: {result.open:,} open, {result.missing:,} missing, "
        f"{result.duplicates:,} duplicates. Open mails need the workers (`steadypost up`)."
    )


def statement_values(result: Statement) -> dict[str, object]:
    """The statement's figures by name."""
    return {
        "audience": result.audience,
        "states": {str(state): number for state, number in result.states.items()},
        "forgotten": result.forgotten,
        "open": result.open,
        "missing": result.missing,
        "duplicates": result.duplicates,
        "balanced": result.is_balanced,
    }


def print_csv(result: Statement) -> None:
    """The statement's lines as CSV; a cell that a spreadsheet would run is shown with a ' before it."""
    lines = [(line.state, printable(line.reason), line.mails) for line in result.lines]
    sys.stdout.write(csv_lines([("state", "reason", "mails"), *lines]))


def print_statement(result: Statement, *, is_under_way: bool = False) -> None:
    """The statement as people read it: what was due, where it went, and whether that adds up.

    What is under way need not add up yet.
    """
    rows = [(str(state), number) for state, number in result.states.items() if number]
    if result.forgotten:
        rows.append(("forgotten (erased or old)", result.forgotten))
    as_table(("state", "mails"), [*rows, ("= audience", result.audience)], "Nothing was due yet.")
    for reason, number in sorted(result.reasons.items()):
        say(f"  {reason}: {number}")
    say(f"open: {result.open}")
    say(f"missing: {result.missing}")
    say(f"duplicates: {result.duplicates}")
    if not result.is_complete:
        say("Its audience is not written yet.")
    if is_under_way and not (result.missing or result.duplicates):
        say("It is still under way.")
        return
    say("The statement balances." if result.is_balanced else "The statement does NOT balance.")
