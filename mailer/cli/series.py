"""`steadypost campaign series`: campaigns that recur, by the calendar or from a feed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from mailer.cli.asking import Yes, ask_first, operator
from mailer.cli.campaign_asking import shown
from mailer.cli.connect import Connected, connect
from mailer.cli.preflight import ask_about
from mailer.cli.show import as_json, as_table, console, count, say, warn
from mailer.db import business_now
from mailer.errors import Refused
from mailer.fetch import Fetcher, fetcher_of
from mailer.launch.campaign import Approval
from mailer.launch.mailing import of_files
from mailer.launch.series import (
    add_series,
    is_first_look,
    items_to_skip,
    pause_series,
    reach_of,
    remove_series,
    resume_series,
    skip_items,
)
from mailer.launch.series_look import Look, look_at_feed
from mailer.launch.series_make import Due, Made, as_if_due, due_now, make
from mailer.launch.series_preview import Preview, preview
from mailer.launch.series_template import CheckedSeries, check_series
from mailer.links import Signer
from mailer.models import Outcome
from mailer.reports.series import SeriesReport, describe_series, series_overview
from mailer.schedule.series import get_series

app = typer.Typer(help="Series: campaigns that recur, by the calendar or from a feed.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Files = Annotated[list[Path], typer.Argument(help="The series' file; after it its translations.")]


@app.command("add")
def add(files: Files, yes: Yes = False) -> None:
    """Check a series and have its campaigns made from now on; again after a change."""
    with connect() as connected:
        checked = _checked(connected, files)
        with connected.session() as session:
            mailing = of_files(session, checked.sample)
            needs_look = is_first_look(session, checked)
            now = business_now(session)
        # Its links are invented until something is in the feed.
        ask_about(connected, mailing, f"Add {checked.slug}", yes=yes, no_links=True)
        # No transaction is open while another machine is asked.
        look = look_at_feed(checked.repeats.feed, {}, _fetcher(connected), now) if needs_look else None
        with connected.session() as session:
            done = add_series(session, checked, look, business_now(session), who=operator())
            report = describe_series(session, checked.slug, business_now(session))
    if not done.is_changed:
        say(f"{checked.slug} is as it is here.")
    else:
        say(f"{checked.slug} is {'added' if done.is_new else 'brought up to date'}: {report.row.repeats}.")
    if look is not None:
        say(f"Of its feed {count(done.old_items, 'item is', 'items are')} old, and not mailed.")
    _print_state(report)


@app.command("list")
def list_all(as_json_: AsJson = False) -> None:
    """Show every series and when it comes next."""
    with connect() as connected, connected.session() as session:
        rows = series_overview(session, business_now(session))
    if as_json_:
        as_json([row.as_values() for row in rows])
        return
    as_table(
        ("series", "state", "repeats", "to", "made", "next (UTC)", "trouble"),
        [
            (row.slug, row.state, row.repeats, row.to_whom, row.made, shown(row.next_at), row.trouble or "-")
            for row in rows
        ],
        "There is no series yet; `steadypost campaign series add FILE` makes one (docs/campaigns.md).",
    )


@app.command("show")
def show(
    slug: str,
    next_: Annotated[int, typer.Option("--next", min=1, max=100, help="So many of its next moments.")] = 3,
    as_json_: AsJson = False,
) -> None:
    """Show what a series has made, what is to come, and what is the matter with it."""
    with connect() as connected, connected.session() as session:
        report = describe_series(session, slug, business_now(session), ahead=next_)
    if as_json_:
        as_json(
            report.row.as_values()
            | {
                "coming": [{"day": f"{day}", "at": at.isoformat()} for day, at in report.coming],
                "past": [one.as_values() for one in report.past],
                "looked_at": report.looked_at.isoformat() if report.looked_at else None,
                "feed_title": report.feed_title,
            }
        )
        return
    _print_report(report)


@app.command("preview")
def preview_(
    slug: str,
    html: Annotated[Path | None, typer.Option(help="Write the mail's HTML into this new file.")] = None,
    as_json_: AsJson = False,
) -> None:
    """Make what would go out now, and show it. Nothing is sent or kept."""
    with connect() as connected:
        due, look = _look(connected, slug)
        with connected.session() as session:
            signer, base_url = Signer(connected.settings.secret_key), connected.settings.base_url
            now = business_now(session)
            found = preview(session, due, look, now, signer=signer, base_url=base_url)
    if html is not None:
        _write(html, found.mails[0].html)
    if as_json_:
        mails = [vars(mail) for mail in found.mails]
        as_json({"campaign": found.campaign, "items": found.items, "notices": found.notices, "mails": mails})
        return
    _print_preview(found)


@app.command("run")
def run(slug: str, yes: Yes = False) -> None:
    """Make the next occurrence of a series now, in place of when it was to come. Asks first."""
    with connect() as connected:
        due, look = _look(connected, slug, to_make=True)
        with connected.session() as session:
            reach = reach_of(session, get_series(session, slug), business_now(session))
        ask_first(
            f"Make {slug} of {due.next_on} now, for {count(reach.people, 'person', 'people')}?", yes=yes
        )
        with connected.session() as session:
            settings = connected.settings
            made = make(
                *(session, due, look, business_now(session)),
                who=operator(),
                signer=Signer(settings.secret_key),
                base_url=settings.base_url,
                approval=Approval(settings.needs_approval),
            )
    _tell_made(slug, made)


@app.command("skip")
def skip(slug: str, yes: Yes = False) -> None:
    """Take all that is in a series' feed now as known: it is not mailed. Asks first."""
    with connect() as connected:
        due, look = _look(connected, slug)
        if look is None:
            raise Refused(f"{slug} has no feed, so there is nothing to skip.")
        with connected.session() as session:
            seen = len(items_to_skip(session, slug, look))
        new_items = count(seen, "new item", "new items")
        ask_first(f"Take all of {due.feed_url} as known now, {new_items}, without a mail?", yes=yes)
        with connected.session() as session:
            new = skip_items(session, slug, look, business_now(session), who=operator(), at_most=seen)
    say(f"Of its feed {count(new, 'new item is', 'new items are')} known now, and not mailed.")


@app.command("pause")
def pause(slug: str) -> None:
    """Make nothing of a series until it is resumed; campaigns that it has made go on."""
    with connect() as connected, connected.session() as session:
        done = pause_series(session, slug, business_now(session), who=operator())
    say(
        f"Paused: {slug}. `steadypost campaign series resume {slug}` goes on."
        if done
        else f"Paused already: {slug}."
    )


@app.command("resume")
def resume(slug: str) -> None:
    """Go on with a paused series; what fell into the pause is not made up for."""
    with connect() as connected, connected.session() as session:
        next_on = resume_series(session, slug, business_now(session), who=operator())
    say(f"Resumed: {slug}. It comes next on {next_on}." if next_on else f"{slug} has ended meanwhile.")


@app.command("remove")
def remove(slug: str, yes: Yes = False) -> None:
    """Forget a series; the campaigns that it has made stay. Asks first."""
    with connect() as connected:
        with connected.session() as session:
            get_series(session, slug)
        ask_first(f"Remove the series {slug}, and what it knows of its feed?", yes=yes)
        with connected.session() as session:
            remove_series(session, slug, business_now(session), who=operator())
    say(f"Removed: {slug}. Its campaigns stay; `steadypost campaign cancel` ends one that has not left.")


def _checked(connected: Connected, files: list[Path]) -> CheckedSeries:
    with connected.session() as session:
        checked, problems = check_series(session, files, business_now(session))
    for problem in problems:
        warn(str(problem))
    if checked is None:
        errors = sum(not problem.is_warning for problem in problems)
        raise Refused(f"The series has {count(errors, 'error')}; mend the lines named above.")
    return checked


def _look(connected: Connected, slug: str, *, to_make: bool = False) -> tuple[Due, Look | None]:
    with connected.session() as session:
        due = (due_now if to_make else as_if_due)(session, slug, business_now(session))
    look = look_at_feed(due.feed_url, due.marks, _fetcher(connected), due.at) if due.feed_url else None
    return due, look


def _fetcher(connected: Connected) -> Fetcher:
    settings = connected.settings
    return fetcher_of(settings)


def _write(path: Path, html: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(html)
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}); name a new file.") from None


def _tell_made(slug: str, made: Made) -> None:
    if made.trouble:
        raise Refused(f"Nothing was made of {slug}. {made.trouble}")
    if made.outcome is None:
        raise Refused(f"{slug} was changed or made a moment ago; `steadypost campaign series show {slug}`.")
    if made.outcome == Outcome.MADE:
        say(f"{made.campaign} is on its way; `steadypost campaign show {made.campaign}` shows how far it is.")
    elif made.outcome == Outcome.NOTHING_NEW:
        say("There is nothing new in its feed, so there is no mail.")
    if made.words:
        say(made.words)


def _print_state(report: SeriesReport) -> None:
    row = report.row
    if row.trouble:
        say(f"Trouble: {row.trouble}")
    if row.notice:
        say(f"Of its feed: {row.notice}")
    for day, at in report.coming:
        say(f"next {day}, at {shown(at)} UTC")


def _print_report(report: SeriesReport) -> None:
    row = report.row
    say(f"{row.subject} ({row.slug}): {row.state}")
    say(f"{row.repeats}, to {row.to_whom}; {count(row.made, 'campaign')} made")
    if row.feed_url:
        say(f"from {report.feed_title} ({row.feed_url}), looked at {shown(report.looked_at)} UTC")
    _print_state(report)
    if not report.past:
        return
    console.print(Text())
    as_table(
        ("day", "made (UTC)", "outcome", "campaign", "state", "items", ""),
        [
            (
                one.day,
                shown(one.made_at),
                one.outcome,
                one.campaign or "-",
                one.state or "-",
                one.items,
                one.words,
            )
            for one in report.past
        ],
        "",
    )


def _print_preview(found: Preview) -> None:
    if found.items == 0:
        say("There is nothing new in its feed, so there would be no mail; this is one with an invented item.")
    elif found.items:
        say(f"{count(found.items, 'new item')} in its feed.")
    for notice in found.notices:
        say(f"Of its feed: {notice}")
    for mail in found.mails:
        console.print(Text())
        say(f"{found.campaign} ({mail.language}): {mail.subject}")
        console.print(Text())
        say(mail.text)
