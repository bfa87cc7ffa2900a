"""What is asked before a campaign goes out: to whom, at which hours, and whatever is surprising about it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from mailer.cli.connect import Connected
from mailer.cli.show import count, printable
from mailer.clock import zone
from mailer.content.canary import Canary, read_canary
from mailer.db import business_now
from mailer.errors import Refused
from mailer.launch.campaign import Launch, look_ahead, look_at_zones, refuse_phases
from mailer.launch.surprises import Surprise
from mailer.schedule.local_time import LocalTime, Past, Spread

MuchLarger = Annotated[
    bool, typer.Option("--much-larger", help="It is meant for ten times as many people as the last one.")
]
SameMessage = Annotated[
    bool, typer.Option("--same-message", help="It is meant to say what was sent in the last two weeks.")
]

CanarySize = Annotated[
    str | None,
    typer.Option("--canary", help="So many people first, 500 or 2 %, and the rest if all is well."),
]
CanaryWait = Annotated[
    str | None, typer.Option("--canary-wait", help="How long the rest waits after them, such as 1 hour.")
]
CanaryLimits = Annotated[
    list[str] | None,
    typer.Option("--canary-limit", help="What stops it, such as bounces=3 %; may be given more than once."),
]


def asked_canary(size: str | None, wait: str | None, limits: list[str] | None) -> Canary | None:
    """The canary that was asked for; None when none was. Raises BadParameter or Refused."""
    if size is None:
        if wait or limits:
            raise typer.BadParameter("Give --canary with its size.")
        return None
    written = {"size": size.strip(), **({"wait": wait} if wait else {})}
    for one in limits or ():
        name, _, share = one.partition("=")
        written[name.strip()] = share.strip()

    def tell(_: str, what: str, fix: str) -> None:
        raise Refused(f"{what} {fix}")

    return read_canary(written, tell)


def agree(launch: Launch, *, much_larger: bool, same_message: bool) -> tuple[Surprise, ...]:
    """Which surprises somebody agrees to: by its own option, or else at the terminal, one by one.

    `--yes` is no answer to them: it is what a script says every day. Raises Refused when there is nobody
    to ask.
    """
    said = {Surprise.MUCH_LARGER: much_larger, Surprise.SAME_MESSAGE: same_message}
    for one in launch.surprising:
        if said[one.what]:
            continue
        if not sys.stdin.isatty():
            raise Refused(f"{one.words} Say --{one.what} if it is meant; --yes does not.")
        typer.confirm(f"{one.words} Is that meant?", abort=True)
    return tuple(one.what for one in launch.surprising)


def choose_past(connected: Connected, launch: Launch, local: LocalTime) -> tuple[LocalTime, Spread]:
    """The local time with what becomes of people for whom it is past, asked if need be; and how it falls."""
    with connected.session() as session:
        found = look_at_zones(session, launch, local, local.decided_at)
        if not found.past or local.past is not None:
            return local, found
    what = f"For {count(found.past, 'person', 'people')} of them {_clock(local)} is past."
    if not sys.stdin.isatty():
        raise Refused(f"{what} Say --past send (at once), --past skip or --past next-day.")
    words = tuple(Past)
    answer = ""
    while answer not in words:
        answer = typer.prompt(f"{what} {' / '.join(words)}?")
    chosen = local.with_past(Past(answer))
    with connected.session() as session:
        return chosen, look_at_zones(session, launch, chosen, chosen.decided_at)


def when_local(local: LocalTime, found: Spread) -> str:
    """How a local time falls, for a question."""
    words = (
        f"At {_clock(local)} in each reader's zone ({count(found.zones, 'zone')}; from "
        f"{shown(found.first)} to {shown(found.last)} UTC; {local.zone} for people without one)"
    )
    became = {
        Past.SEND: "leave at once",
        Past.SKIP: "are skipped",
        Past.NEXT_DAY: "get it on the next day",
    }
    if found.past and local.past is not None:
        words += f", and {found.past:,} for whom that is past {became[local.past]},"
    return words


def to_whom(launch: Launch) -> str:
    """The question's end: to how many people, and who is left out."""
    reach = launch.reach
    subject = printable(launch.campaign.subject)
    on = f"on {', '.join(launch.lists)}" if launch.lists else "on any list"
    inside = f", {launch.aim.within()}" if launch.aim.within() else ""
    who = f"{count(reach.people, 'person', 'people')} {on}{inside}"
    words = f"“{subject}” ({launch.campaign.slug}) to {who}?"
    if launch.canary is not None:
        words += f" {launch.canary.words()}."
    if launch.trial is not None:
        words += f" {launch.trial.words()}."
    if reach.suppressed:
        words += f" {reach.suppressed:,} of them are suppressed and will get nothing."
    left_out = [
        (reach.pending, "not confirmed"),
        (reach.unsubscribed, "unsubscribed"),
        (reach.outside, f"not {launch.aim.within()}"),
        (reach.excluded, f"excluded ({launch.aim.without()})"),
    ]
    told = ", ".join(f"{number:,} {what}" for number, what in left_out if number)
    return f"{words} Left out: {told}." if told else words


def look(connected: Connected, slug: str, canary: Canary | None = None, *, is_local: bool = False) -> Launch:
    """What sending it would mean now."""
    with connected.session() as session:
        launch = look_ahead(session, slug, business_now(session), canary)
    if is_local:
        refuse_phases(launch)
    return launch


def local_time(typed: str, zone_name: str, past: Past | None, now: datetime) -> LocalTime:
    """The wall-clock time that was typed, decided at `now`; raises Refused or UnknownZone."""
    zone(zone_name)
    try:
        at = datetime.fromisoformat(typed)
    except ValueError:
        raise Refused(f"{typed!r} is not a time; write 2027-03-01 09:00.") from None
    if at.tzinfo is not None:
        raise Refused(f"{typed} has an offset, and --local is by each reader's own clock; leave it out.")
    return LocalTime(at, zone_name, now, past)


def shown(moment: datetime | None) -> str:
    """A moment by the UTC clock."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else "-"


def _clock(local: LocalTime) -> str:
    return f"{local.at:%Y-%m-%d %H:%M}"
