"""`steadypost subscriber pace`: one reader's course, as it stands and as they may ask support to have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from mailer.cli.asking import operator
from mailer.cli.connect import connect
from mailer.cli.show import as_json, say
from mailer.db import business_now
from mailer.errors import Refused
from mailer.models import PaceChange
from mailer.reports.pace import PacePage, enrollment_id_of, find_change, pace_of
from mailer.schedule import pace
from mailer.schedule.pace_case import Asker
from mailer.schedule.pace_words import DAYS, sentence

GAPS = {"as-written": None, "daily": 1, "every-other-day": 2, "weekly": 7}

Wish = Callable[[Session, int, Asker, datetime], PaceChange | None]


def pace_(
    email: str,
    course: str,
    next_: Annotated[bool, typer.Option("--next", help="The next lesson now.")] = False,
    gap: Annotated[
        str | None, typer.Option(help="as-written, daily, every-other-day or weekly.", metavar="GAP")
    ] = None,
    pause_until: Annotated[
        str | None, typer.Option("--pause-until", help="Nothing before this day.", metavar="YYYY-MM-DD")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on before the pause is over.")] = False,
    hour: Annotated[
        str | None, typer.Option(help="Their own hour such as 19:30, or as-written.", metavar="HH:MM")
    ] = None,
    weekdays: Annotated[
        str | None, typer.Option(help="Such as mon,wed,fri, or as-written.", metavar="DAYS")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Their time zone, such as Europe/Lisbon.")] = None,
    repeat: Annotated[bool, typer.Option("--repeat-week", help="The last week once more.")] = False,
    start_over: Annotated[bool, typer.Option("--start-over", help="From the first lesson.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End this course; the list stays.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Put back what was before the newest change.")] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Show what comes next in somebody's course and when; or change it, as they could themselves."""
    wishes = {
        "--next": pace.next_now if next_ else None,
        "--gap": _wish(pace.set_gap, _gap, gap),
        "--pause-until": _wish(pace.pause_until, _day, pause_until),
        "--resume": pace.resume if resume else None,
        "--hour": _wish(pace.set_hour, _hour, hour),
        "--weekdays": _wish(pace.set_weekdays, _weekdays, weekdays),
        "--zone": _wish(pace.set_zone, str, zone),
        "--repeat-week": pace.repeat_week if repeat else None,
        "--start-over": pace.start_over if start_over else None,
        "--stop": pace.stop if stop else None,
        "--undo": _undo if undo else None,
    }
    chosen = {name: wish for name, wish in wishes.items() if wish is not None}
    if len(chosen) > 1:
        raise Refused(f"One change at a time, please: {' or '.join(chosen)}.")
    with connect() as connected, connected.session() as session:
        now = business_now(session)
        number = enrollment_id_of(session, email, course)
        change = None
        for wish in chosen.values():
            change = wish(session, number, Asker(operator()), now)
        seen = pace_of(session, number, now)
    if as_json_:
        as_json({**asdict(seen), "change": sentence(change) if change else None})
        return
    if chosen:
        say(_told(change))
    _print(seen)


def _told(change: PaceChange | None) -> str:
    if change is None:
        return "It was so already; nothing was changed."
    return f"{'Undone: ' if change.undone_at else 'Done: '}{sentence(change)}."


def _print(seen: PacePage) -> None:
    say(f"{seen.title}: {seen.state}, by a clock in {seen.zone}")
    if seen.is_paused:
        say(f"Paused until {seen.paused_until}.")
    if seen.is_last_open:
        say("A lesson is on its way.")
    if seen.next_on is not None and seen.next_at is not None:
        when = "at the next tick" if seen.is_now else f"on {seen.next_on} at {seen.next_at:%H:%M}"
        say(f"Next: {seen.subject or 'a lesson'} {when}.")
    else:
        say("Nothing is to come.")


def _wish(
    change: Callable[..., PaceChange | None], read: Callable[[str], Any], written: str | None
) -> Wish | None:
    """The change with the value that was written; it is read now, before anything is touched."""
    if written is None:
        return None
    value = read(written)
    return lambda session, number, asker, now: change(session, number, value, asker, now)


def _undo(session: Session, number: int, asker: Asker, now: datetime) -> PaceChange | None:
    newest = find_change(session, number, pace_of(session, number, now).newest)
    if newest is None:
        raise Refused("There is no change of this reader's pace that could be undone.")
    return pace.undo(session, newest.id, asker, now)


def _gap(written: str) -> int | None:
    if written not in GAPS:
        raise Refused(f"{written!r} is not a pace; write --gap {', '.join(GAPS)}.")
    return GAPS[written]


def _day(written: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise Refused(f"{written!r} is not a day; write --pause-until 2026-04-20.") from None


def _hour(written: str) -> time | None:
    if written == "as-written":
        return None
    try:
        return time.fromisoformat(written).replace(tzinfo=None)
    except ValueError:
        raise Refused(f"{written!r} is not an hour; write --hour 19:30, or as-written.") from None


def _weekdays(written: str) -> int | None:
    if written == "as-written":
        return None
    short = {name[:3].lower(): bit for bit, name in enumerate(DAYS)}
    days = [part.strip().lower()[:3] for part in written.split(",")]
    if unknown := [day for day in days if day not in short]:
        raise Refused(f"{unknown[0]!r} is not a weekday; write --weekdays mon,wed,fri, or as-written.")
    return sum(1 << short[day] for day in set(days))
