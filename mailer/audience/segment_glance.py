"""Who meets a rule, looked at while somebody still writes it: within two seconds, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, and_, any_, func, literal, not_, or_, select, tablesample, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from mailer.audience.segments import SAMPLE
from mailer.db import in_time, one_by_one
from mailer.models import Subscriber
from mailer.rules import Rule, as_sql

COUNT_SECONDS = 1.2
ESTIMATE_SECONDS = 0.3
SAMPLE_SECONDS = 0.3
ASKED_FOR_ESTIMATE = 5000
"""People whose answers stand for everybody's: half of them meeting a rule is told to two per cent."""


@dataclass(frozen=True)
class Glance:
    """How many people meet a rule, and the first few of them.

    `is_about`: there was no time to ask everybody, so some were. `people` is None when not even those
    could be asked. `comes_in` and `goes_out` compare with the rule before; None: there was no other, or
    no time.
    """

    people: int | None
    sample: tuple[str, ...] = ()
    is_about: bool = False
    comes_in: int | None = None
    goes_out: int | None = None


def glance(
    session: Session,
    rule: Rule,
    now: datetime,
    *,
    before: Rule | None = None,
    seconds: float = COUNT_SECONDS,
) -> Glance:
    """Look at a whole rule at `now`; `before` is what it would take the place of."""
    meets = as_sql(rule, now)
    met = None if before is None else as_sql(before, now)
    counts = in_time(session, seconds, lambda: _counted(session, meets, met))
    sample = None
    if counts is None or counts.people:
        sample = in_time(session, SAMPLE_SECONDS, lambda: _first(session, meets))
    if counts is not None:
        return replace(counts, sample=sample or ())
    about = in_time(session, ESTIMATE_SECONDS, lambda: _estimated(session, meets, met))
    return replace(about or Glance(None), sample=sample or ())


def _first(session: Session, meets: Any) -> tuple[str, ...]:
    some = select(Subscriber.email).where(meets).order_by(Subscriber.id).limit(SAMPLE)
    return tuple(session.execute(some).scalars())


def _counted(session: Session, meets: Any, met: Any | None) -> Glance:
    if met is None:
        counted = select(func.count()).select_from(Subscriber).where(meets)
        return Glance(session.execute(counted).scalar_one())
    row = session.execute(
        select(
            func.count().filter(meets),
            func.count().filter(and_(meets, not_(met))),
            func.count().filter(and_(met, not_(meets))),
        )
        .select_from(Subscriber)
        .where(or_(meets, met))
    ).one()
    return Glance(row[0], comes_in=row[1], goes_out=row[2])


def _estimated(session: Session, meets: Any, met: Any | None) -> Glance | None:
    """What a few thousand people, from all over the table, let expect of all."""
    everybody = session.execute(
        text("SELECT reltuples FROM pg_class WHERE oid = 'subscribers'::regclass")
    ).scalar_one()
    if everybody <= 0:
        return None
    percent = min(100.0, 100 * ASKED_FOR_ESTIMATE / everybody)
    some = tablesample(Subscriber.__table__, percent, name="some")
    asked = session.execute(select(some.c.id)).scalars().all()
    if not asked:
        return None
    # A join would go through the tables of everybody's mails first.
    among = Subscriber.id == any_(literal(list(asked), ARRAY(BigInteger)))
    counts = [func.count().filter(meets)]
    if met is not None:
        counts += [func.count().filter(and_(meets, not_(met))), func.count().filter(and_(met, not_(meets)))]
    with one_by_one(session):
        found = session.execute(select(*counts).select_from(Subscriber).where(among)).one()
    return Glance(**_of_all(found, everybody / len(asked)))


def _of_all(found: Sequence[int], factor: float) -> dict[str, Any]:
    names = ("people", "comes_in", "goes_out")
    return {
        "is_about": True,
        **{name: round(count * factor) for name, count in zip(names, found, strict=False)},
    }
