"""The coming week as home shows it: worked out in the background now and then, and kept.

The forecast asks every reader's place, half a minute of work at a million people: no page waits for that.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.clock import zone
from mailer.db import business_now, clock_now
from mailer.errors import MailerError
from mailer.launch.collisions import Collision
from mailer.launch.forecast import Forecast, forecast
from mailer.models import LimitOrigin, Outlook, Period, SendLimit, Transport

log = logging.getLogger(__name__)

DAYS = 7
FRESH = timedelta(minutes=15)
"""How old it may become before it is worked out anew."""

LOCK = 0x5354_4541_4448
"""The advisory lock of whoever works it out."""

PER_DAY = {Period.DAY: 1, Period.HOUR: 24, Period.MINUTE: 24 * 60}


@dataclass(frozen=True)
class Part:
    """What leaves of one course, campaign or series (`kind`) on a day; `first_at` is its first hour.

    `steps` are those of a course by key, with how many get each, most first.
    """

    kind: str
    slug: str
    mails: int
    first_at: datetime
    if_news: bool = False
    steps: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True)
class Day:
    """One day on somebody's clock. `busiest` is the beginning of its fullest hour, with `most` mails."""

    begins_at: datetime
    parts: Sequence[Part]
    busiest: datetime | None = None
    most: int = 0

    @property
    def total(self) -> int:
        return sum(part.mails for part in self.parts)


@dataclass(frozen=True)
class Week:
    """What was found. `age` is in seconds, None while nothing was found yet; `is_asked`: a new one is coming.

    `per_day` and `per_hour` are what all transports together may send; None: no limit. `steps` are the mails
    of courses in each hour by step, as in the forecast.
    """

    age: float | None
    is_asked: bool
    error: str
    seconds: float
    hours: Sequence[tuple[datetime, Mapping[str, int]]]
    per_day: int | None
    per_hour: int | None
    collisions: Sequence[Collision]
    undecided: Mapping[str, str]
    steps: Mapping[datetime, Mapping[str, int]] = field(default_factory=dict)

    @property
    def too_much(self) -> list[tuple[datetime, int]]:
        """The hours in which more is due than may leave in one."""
        if self.per_hour is None:
            return []
        totals = ((begins_at, sum(mails.values())) for begins_at, mails in self.hours)
        return [(begins_at, mails) for begins_at, mails in totals if mails > self.per_hour]

    def days(self, now: datetime, zone_name: str) -> list[Day]:
        """The week from the day of `now` on a clock of this zone; hours that are over are left out."""
        here = zone(zone_name)
        today = now.astimezone(here).replace(hour=0, minute=0, second=0, microsecond=0)
        begins = [today + timedelta(days=number) for number in range(DAYS)]
        over = now.replace(minute=0, second=0, microsecond=0)
        by_day: dict[str, list[tuple[datetime, Mapping[str, int]]]] = {}
        for begins_at, mails in self.hours:
            if begins_at >= over:
                by_day.setdefault(f"{begins_at.astimezone(here):%Y%m%d}", []).append((begins_at, mails))
        return [_day(day, by_day.get(f"{day:%Y%m%d}", ()), self.steps) for day in begins]


def see_week(session: Session) -> Week:
    """What was worked out last."""
    row = session.get(Outlook, 1)
    if row is None:
        return Week(None, False, "", 0.0, (), None, None, (), {})
    found: dict[str, Any] = row.found or {}
    made = datetime.fromisoformat(found["at"]) if found else None
    age = None if made is None else (clock_now(session) - made).total_seconds()
    return Week(
        *(age, _is_asked(row), row.error, row.seconds),
        [(datetime.fromisoformat(at), mails) for at, mails in found.get("hours", ())],
        *(found.get("per_day"), found.get("per_hour")),
        # What an older version found says less; it is worked out anew within a quarter of an hour.
        [_collision(*one) for one in found.get("collisions", ()) if len(one) > 2],
        found.get("undecided", {}),
        {datetime.fromisoformat(at): mails for at, mails in found.get("steps", ())},
    )


def ask(session: Session) -> None:
    """Have it worked out anew by the next errand."""
    new = insert(Outlook).values(id=1, asked_at=func.clock_timestamp())
    session.execute(
        new.on_conflict_do_update(index_elements=["id"], set_={"asked_at": new.excluded.asked_at})
    )


def work_out(session: Session) -> bool:
    """Work it out if it is old or somebody asked; whether it was. Two who do so at once are one."""
    if not session.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
        return False
    row = session.get(Outlook, 1)
    began = clock_now(session)
    if row is not None and not _is_due(row, began):
        return False
    now, clock = business_now(session), time.perf_counter()
    found, error = {}, ""
    try:
        found = {"at": began.isoformat(), **_kept(forecast(session, now, DAYS), _per_day(session))}
    except MailerError as problem:
        error = str(problem)
    values = {"made_at": began, "seconds": time.perf_counter() - clock, "error": error}
    if not error:
        values["found"] = found
    # Whoever asks while it is worked out asks for the next one: `began` is older than that.
    new = insert(Outlook).values(id=1, **values)
    session.execute(new.on_conflict_do_update(index_elements=["id"], set_=values))
    return True


def _is_due(row: Outlook, clock: datetime) -> bool:
    return _is_asked(row) or row.made_at is None or clock - row.made_at >= FRESH


def _is_asked(row: Outlook) -> bool:
    """Whether somebody has asked for it since it was worked out."""
    return row.asked_at is not None and (row.made_at is None or row.asked_at > row.made_at)


def _kept(found: Forecast, per_day: int | None) -> dict[str, Any]:
    return {
        "hours": [[hour.begins_at.isoformat(), dict(hour.mails)] for hour in found.hours],
        "steps": [[hour.begins_at.isoformat(), dict(hour.steps)] for hour in found.hours if hour.steps],
        "per_hour": found.most_per_hour,
        "per_day": per_day,
        "collisions": [
            [one.campaign, one.starts_at.isoformat(), one.readers, one.unsettled, one.hangs_on]
            for one in found.collisions
        ],
        "undecided": dict(found.undecided),
    }


def _collision(campaign: str, at: str, readers: int, unsettled: int, hangs_on: Sequence[str]) -> Collision:
    return Collision(campaign, datetime.fromisoformat(at), readers, unsettled, tuple(hangs_on))


def _per_day(session: Session) -> int | None:
    """What all transports together may send in a day by their limits; None when one of them has none.

    How far a busy server slowed us down is no plan, and left out.
    """
    most: dict[int, list[int]] = {id_: [] for id_ in session.scalars(select(Transport.id))}
    rows = session.execute(
        select(SendLimit.transport_id, SendLimit.period, SendLimit.most).where(
            SendLimit.domain_group == "", SendLimit.origin != LimitOrigin.SLOWED
        )
    )
    for transport_id, period, mails in rows:
        most[transport_id].append(mails * PER_DAY[Period(period)])
    return sum(min(each) for each in most.values()) if most and all(most.values()) else None


def _day(
    begins_at: datetime,
    hours: Iterable[tuple[datetime, Mapping[str, int]]],
    steps: Mapping[datetime, Mapping[str, int]],
) -> Day:
    counted: Counter[str] = Counter()
    by_step: Counter[str] = Counter()
    first: dict[str, datetime] = {}
    totals: Counter[datetime] = Counter()
    for at, mails in hours:
        for name, number in mails.items():
            counted[name] += number
            first.setdefault(name, at)
            totals[at] += number
        by_step.update(steps.get(at, {}))
    parts = sorted((_part(name, mails, first[name], by_step) for name, mails in counted.items()), key=_order)
    busiest, most = totals.most_common(1)[0] if totals else (None, 0)
    return Day(begins_at, parts, busiest, most)


def _part(name: str, mails: int, first_at: datetime, by_step: Counter[str]) -> Part:
    """As the forecast names them: "course calm", "series weekly (if its feed has news)"."""
    kind, _, rest = name.partition(" ")
    slug, _, news = rest.partition(" ")
    begins = f"{slug}/"
    ranked = by_step.most_common() if kind == "course" else []
    own = [(key.removeprefix(begins), number) for key, number in ranked if key.startswith(begins)]
    return Part(kind, slug, mails, first_at, bool(news), own)


def _order(part: Part) -> tuple[datetime, str, str]:
    return part.first_at, part.kind, part.slug
