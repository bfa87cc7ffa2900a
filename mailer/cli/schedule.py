"""`steadypost schedule`: what is to come."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from mailer.cli.asking import actor
from mailer.cli.connect import connect
from mailer.cli.show import as_json, as_table, count, say
from mailer.db import business_now
from mailer.desk.settings import set_cap
from mailer.errors import Refused
from mailer.launch.forecast import forecast
from mailer.models import Losing
from mailer.schedule.cap import Cap, read_cap, wished_cap

app = typer.Typer(help="What leaves in the coming days, and against which limits.", no_args_is_help=True)


@app.command("forecast")
def forecast_(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look ahead.")] = 14,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show the load hour by hour, and what collides. Nothing is sent or written."""
    with connect() as connected, connected.session() as session:
        found = forecast(session, business_now(session), days)
    if as_json_:
        as_json(found.as_values())
        return
    rows = [
        (f"{hour.begins_at:%a %Y-%m-%d %H:%M} UTC", name, mails)
        for hour in found.hours
        for name, mails in sorted(hour.mails.items())
    ]
    as_table(
        ("hour", "what", "mails"), rows, "Nothing is to come; enroll people with `steadypost course enroll`."
    )
    for hour in found.too_much():
        say(
            f"{hour.begins_at:%a %Y-%m-%d %H:%M} UTC: {hour.total:,} mails are due, and an hour takes "
            f"{found.most_per_hour:,}; the rest follows in the next ones."
        )
    for one in found.collisions:
        say(f"{one.campaign}, on {one.starts_at:%a %d %b}: {one.words()}.")
    for slug, why in found.undecided.items():
        say(f"{slug}: its readers wait, since a rule of it cannot be asked. {why}")
    say(f"{count(sum(hour.total for hour in found.hours), 'mail')} in {count(days, 'day')}.")


@app.command("cap")
def cap_(
    per_day: Annotated[int | None, typer.Option(min=1, max=50, help="At most so many mails a day.")] = None,
    per_week: Annotated[
        int | None, typer.Option(min=1, max=200, help="At most so many in seven days.")
    ] = None,
    quiet: Annotated[str | None, typer.Option(help="No mail in these hours: 22:00-07:00.")] = None,
    losing: Annotated[
        Losing, typer.Option(help="What becomes of a campaign's mail without room.")
    ] = Losing.MOVE,
    none: Annotated[bool, typer.Option("--none", help="Lift the cap.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Set how many mails one person gets at most, over all courses and campaigns; or show it.

    Lessons win over campaigns. Days and hours are each person's own.
    """
    is_setting = per_day or per_week or quiet
    if none and is_setting:
        raise Refused("Say either --none or what the cap is to be.")
    with connect() as connected, connected.session() as session:
        if none:
            set_cap(session, actor(), None)
        elif is_setting:
            set_cap(session, actor(), wished_cap(per_day, per_week, *_hours(quiet), losing))
        cap = read_cap(session)
    if as_json_:
        as_json(asdict(cap) if cap else None)
    elif cap is None:
        say("There is no cap: each course and campaign sends as it is due.")
    else:
        say(_told(cap))


def _told(cap: Cap) -> str:
    words = [f"One person gets {cap}"] if cap.per_day or cap.per_week else []
    if cap.quiet:
        words.append(f"nothing leaves from {cap.quiet[0]:%H:%M} to {cap.quiet[1]:%H:%M} by their clock")
    what = "waits for another day" if cap.losing is Losing.MOVE else "is dropped"
    return f"{'; '.join(words)}. A campaign's mail without room {what}; lessons win."


def _hours(quiet: str | None) -> tuple[str, str]:
    if quiet is None:
        return "", ""
    begins, hyphen, ends = quiet.partition("-")
    if not hyphen:
        raise Refused(f"{quiet!r} are no hours; write them as 22:00-07:00.")
    return begins, ends
