"""Series by their slugs, and the days on which they are to come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from itertools import islice

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import NotFound
from mailer.models import Series, SeriesOccurrence, SeriesState
from mailer.schedule.cadence import Cadence


def find_series(session: Session, slug: str, *, to_change: bool = False) -> Series | None:
    """The series of this slug as it is now, or None. `to_change`: whoever else would change it waits."""
    chosen = select(Series).where(Series.slug == slug).execution_options(populate_existing=True)
    return session.execute(chosen.with_for_update() if to_change else chosen).scalar_one_or_none()


def get_series(session: Session, slug: str, *, to_change: bool = False) -> Series:
    """The series of this slug; raises NotFound."""
    found = find_series(session, slug, to_change=to_change)
    if found is None:
        raise NotFound(f"There is no series {slug!r}; `steadypost campaign series list` shows them all.")
    return found


def set_next(session: Session, series: Series, now: datetime) -> None:
    """Let its next occurrence be the first whose moment is still to come; without one it has ended.

    A day of which an occurrence is known, as after `run`, is over.
    """
    cadence = Cadence.of(series.cadence)
    series.next_on = next(_days(session, series, cadence, now), None)
    series.wakes_at = cadence.due_at(series.next_on) if series.next_on else None
    if series.state == SeriesState.ACTIVE and series.next_on is None:
        series.state = SeriesState.ENDED
    elif series.state == SeriesState.ENDED and series.next_on is not None:
        series.state = SeriesState.ACTIVE
    if series.state != SeriesState.ACTIVE:
        series.next_on, series.wakes_at = None, None


def coming(
    session: Session, series: Series, now: datetime, number: int, until: datetime | None = None
) -> list[tuple[date, datetime]]:
    """Its next days and their moments, so many at most; none while it is not active.

    One that is overdue (after a trouble, say) is among them.
    """
    if series.state != SeriesState.ACTIVE or series.next_on is None:
        return []
    cadence = Cadence.of(series.cadence)
    rest = cadence.days_from(series.next_on)
    left = number if cadence.times is None else min(number, max(0, cadence.times - series.made))
    done = _known_days(session, series)
    found = ((day, cadence.due_at(day)) for day in rest if day not in done)
    latest = cadence.latest_due(series.next_on, now)[0]
    chosen = (one for one in found if one[0] >= latest)
    return [one for one in islice(chosen, left) if until is None or one[1] < until]


def _days(session: Session, series: Series, cadence: Cadence, now: datetime) -> Iterator[date]:
    if cadence.times is not None and series.made >= cadence.times:
        return
    first = cadence.first_after(now)
    done = _known_days(session, series)
    if first is not None:
        yield from (day for day in cadence.days_from(first) if day not in done)


def _known_days(session: Session, series: Series) -> set[date]:
    """The last days that have an occurrence; more than a `run` could have put ahead of the calendar."""
    chosen = select(SeriesOccurrence.day).where(SeriesOccurrence.series_id == series.id)
    return set(session.execute(chosen.order_by(SeriesOccurrence.day.desc()).limit(1_000)).scalars())
