"""Whom a mail to some lists reaches: read some at a time, in the order of their ids, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array

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

COUNT = text("""
    SELECT count(*) FILTER (WHERE p.is_active) AS people,
           count(*) FILTER (WHERE p.is_active AND x.id IS NOT NULL) AS suppressed,
           count(*) FILTER (WHERE NOT p.is_active AND p.is_pending) AS pending,
           count(*) FILTER (WHERE NOT p.is_active AND NOT p.is_pending) AS unsubscribed
    FROM (
        SELECT subscriber_id, bool_or(state = 'active') AS is_active, bool_or(state = 'pending') AS is_pending
        FROM subscriptions WHERE list_id = ANY(CAST(:lists AS bigint[])) GROUP BY subscriber_id
    ) AS p
    JOIN subscribers AS s ON s.id = p.subscriber_id
    LEFT JOIN suppressions AS x
      ON x.email_hash = sha256(convert_to(s.email_key, 'UTF8')) AND (x.until IS NULL OR x.until > :now)
    """)


@dataclass(frozen=True)
class Reach:
    """Whom a mail would go to, and whom not.

    `people` are the lists' active subscribers, each once; `suppressed` are those of them whose mail will
    end as suppressed. `pending` and `unsubscribed` are people of the lists who are active on none.
    """

    people: int
    suppressed: int
    pending: int
    unsubscribed: int


def count_recipients(session: Session, list_ids: Sequence[int], now: datetime) -> Reach:
    """Whom a mail to these lists would reach at `now`."""
    row = session.execute(COUNT, {"lists": as_array(list_ids), "now": now}).one()
    return Reach(row.people, row.suppressed, row.pending, row.unsubscribed)
