"""Mailboxes that refuse mail after mail without being gone: full, disabled, a host that is not found.

There is a row for each person who has any since their last accepted mail. So an acceptance, which is what
nearly all mails end with, finds next to nothing to look through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.suppression import suppress_all
from mailer.db import as_array
from mailer.models import SuppressionReason


@dataclass(frozen=True)
class SoftBounces:
    """After `most` of them in a row (0: never), the first at least `over` ago, an address is not mailed for
    `ends` (None: for good)."""

    most: int = 3
    over: timedelta = timedelta(days=7)
    ends: timedelta | None = timedelta(days=30)


# In the order of the people, as everybody who writes several of these rows does.
_FORGET = text("""
    DELETE FROM soft_bounces WHERE subscriber_id IN (
        SELECT subscriber_id FROM soft_bounces
        WHERE subscriber_id = ANY (CAST(:people AS bigint[])) ORDER BY subscriber_id FOR UPDATE
    )
    """)
# Somebody may have been erased since their mail left.
_COUNT = text("""
    WITH counted AS (
        INSERT INTO soft_bounces AS s (subscriber_id, bounces, first_at)
        SELECT p.id, count(*), :now
        FROM unnest(CAST(:people AS bigint[])) AS b (id) JOIN subscribers AS p ON p.id = b.id
        GROUP BY p.id ORDER BY p.id
        ON CONFLICT (subscriber_id) DO UPDATE SET bounces = s.bounces + excluded.bounces
        RETURNING subscriber_id, bounces, first_at
    )
    SELECT p.id, p.email FROM counted AS c JOIN subscribers AS p ON p.id = c.subscriber_id
    WHERE c.bounces >= :most AND c.first_at <= :since ORDER BY p.id
    """)


def forget_soft_bounces(session: Session, people: Sequence[int]) -> None:
    """A server took a mail for these people (ids of subscribers): what was counted is past."""
    if people:
        session.execute(_FORGET, {"people": as_array(people)})


def count_soft_bounces(
    session: Session, people: Sequence[int], rule: SoftBounces, now: datetime
) -> Sequence[int]:
    """Count a soft bounce for each of `people` (ids of subscribers, once for each mail).

    Who has had enough of them is suppressed as `rule` says, and counted anew when that has ended; their ids.
    """
    if not people or not rule.most:
        return []
    values = {"people": as_array(people), "now": now, "most": rule.most, "since": now - rule.over}
    found = session.execute(_COUNT, values).all()
    if found:
        until = None if rule.ends is None else now + rule.ends
        emails = [row.email for row in found]
        detail = f"{rule.most} mails or more in a row"
        suppress_all(session, emails, SuppressionReason.SOFT_BOUNCE, now, detail, until=until)
    stopped = [row.id for row in found]
    forget_soft_bounces(session, stopped)
    return stopped
