"""Whom a mail to some lists reaches: read some at a time, in the order of their ids, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Subquery,
    exists,
    false,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.models import MailingList, Subscriber, Suppression

# For each list a walk along its index from where the last one ended, however long the lists are. Never by a
# time: many people have the same one (imports), and those beside the border would be passed over.
RECIPIENTS = """
    SELECT DISTINCT ON (one.subscriber_id) one.subscriber_id, l.id AS list_id
    FROM unnest(CAST(:lists AS bigint[])) WITH ORDINALITY AS l (id, place)
    CROSS JOIN LATERAL (
        SELECT s.subscriber_id FROM subscriptions AS s
        WHERE s.list_id = l.id AND s.state = 'active' AND s.subscriber_id > :after
        ORDER BY s.subscriber_id
        LIMIT :limit
    ) AS one
    ORDER BY one.subscriber_id, l.place
    LIMIT :limit
    """
"""(subscriber_id, list_id) of the next :limit active subscribers of :lists after the id :after.

Somebody on several of the lists is there once, by the first of them.
"""

PEOPLE = """
    SELECT subscriber_id, bool_or(state = 'active') AS is_active, bool_or(state = 'pending') AS is_pending
    FROM subscriptions WHERE list_id = ANY(CAST(:lists AS bigint[])) GROUP BY subscriber_id
    """
"""(subscriber_id, is_active, is_pending) of everybody who is or was on one of :lists."""


@dataclass(frozen=True)
class Reach:
    """Whom a mail would go to, and whom not.

    `people` are the lists' active subscribers whom it is for, each once; `suppressed` are those of them
    whose mail will end as suppressed. `pending` and `unsubscribed` are people of the lists who are active on
    none. Of the active ones it is not for those `outside` (not in its segment), nor those `excluded`.
    """

    people: int
    suppressed: int
    pending: int
    unsubscribed: int
    outside: int = 0
    excluded: int = 0


def is_suppressed(now: datetime) -> ColumnElement[bool]:
    """Whether a subscriber's address must not be mailed at `now`."""
    return exists(
        select(Suppression.id)
        .where(
            Suppression.email_hash == func.sha256(func.convert_to(Subscriber.email_key, "UTF8")),
            or_(Suppression.until.is_(None), Suppression.until > now),
        )
        .correlate(Subscriber)
    )


def is_suppressed_for_now(now: datetime) -> ColumnElement[bool]:
    """Whether a subscriber's address must not be mailed at `now`, and will be again by itself."""
    return exists(
        select(Suppression.id)
        .where(
            Suppression.email_hash == func.sha256(func.convert_to(Subscriber.email_key, "UTF8")),
            Suppression.until > now,
        )
        .correlate(Subscriber)
    )


def list_ids_of(session: Session, chosen: Sequence[int]) -> list[int]:
    """The lists that are meant: those that are chosen, or every one there is when none is."""
    if chosen:
        return list(chosen)
    every = select(MailingList.id).where(MailingList.removed_at.is_(None)).order_by(MailingList.id)
    return list(session.execute(every).scalars())


def count_recipients(
    session: Session,
    list_ids: Sequence[int],
    now: datetime,
    inside: ColumnElement[bool] | None = None,
    excluded: ColumnElement[bool] | None = None,
) -> Reach:
    """Whom a mail to these lists would reach at `now`: those `inside` and not `excluded`, if said."""
    is_in = true() if inside is None else inside
    is_out = false() if excluded is None else excluded
    people = _people(list_ids)
    # Materialised, so that each condition is asked once for each person, not once for each number.
    asked = (
        select(
            people.c.is_active,
            people.c.is_pending,
            is_in.label("is_in"),
            is_out.label("is_out"),
            is_suppressed(now).label("is_suppressed"),
        )
        .select_from(people)
        .join(Subscriber, Subscriber.id == people.c.subscriber_id)
        .cte("asked")
        .prefix_with("MATERIALIZED")
    )
    active, pending, is_meant, is_left_out = (
        asked.c.is_active,
        asked.c.is_pending,
        asked.c.is_in,
        asked.c.is_out,
    )
    row = session.execute(
        select(
            func.count().filter(active, is_meant, ~is_left_out),
            func.count().filter(active, is_meant, ~is_left_out, asked.c.is_suppressed),
            func.count().filter(~active, pending),
            func.count().filter(~active, ~pending),
            func.count().filter(active, ~is_meant),
            func.count().filter(active, is_meant, is_left_out),
        ).select_from(asked)
    ).one()
    return Reach(*row)


def count_by_zone(
    session: Session, list_ids: Sequence[int], chosen: ColumnElement[bool] | None = None
) -> dict[str | None, int]:
    """How many people of these lists a mail would reach in each zone; None are those without one."""
    people = _people(list_ids)
    rows = session.execute(
        select(Subscriber.zone, func.count())
        .select_from(people)
        .join(Subscriber, Subscriber.id == people.c.subscriber_id)
        .where(people.c.is_active, true() if chosen is None else chosen)
        .group_by(Subscriber.zone)
    )
    return dict(rows.all())


def _people(list_ids: Sequence[int]) -> Subquery:
    return (
        text(PEOPLE)
        .bindparams(lists=as_array(list_ids))
        .columns(subscriber_id=BigInteger, is_active=Boolean, is_pending=Boolean)
        .subquery("people")
    )
