"""Why mails were refused or put off lately, grouped, however many there were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.delivery.reasons import MEANING, ReasonKind

WITHIN = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
COUNTED = 5_000
"""As many are counted of a kind; more are shown as more than this."""

SAMPLE = 300
"""Of so many of the newest the domains and answers are looked at."""


@dataclass(frozen=True)
class ReasonGroup:
    """One kind of reason: how often (`is_more`: at least so often), where most, and the newest answer."""

    kind: str
    words: str
    mails: int
    is_more: bool
    given_up: int
    domains: tuple[tuple[str, int], ...]
    answer: str
    last_at: datetime | None


_COUNTS = text("""
    SELECT k.kind, n.attempts, n.given_up, n.last_at, newest.answer
    FROM unnest(CAST(:kinds AS text[])) AS k (kind) CROSS JOIN LATERAL (
        SELECT count(*) AS attempts, count(*) FILTER (WHERE a.outcome <> 'planned') AS given_up,
               max(a.at) AS last_at
        FROM (
            SELECT at, outcome FROM attempts
            WHERE kind = k.kind AND at > :since ORDER BY at DESC LIMIT :counted
        ) AS a
    ) AS n CROSS JOIN LATERAL (
        SELECT concat_ws(' ', code, reply) AS answer FROM attempts
        WHERE kind = k.kind ORDER BY at DESC LIMIT 1
    ) AS newest
    WHERE n.attempts > 0 ORDER BY n.attempts DESC, k.kind
    """)
_DOMAINS = text("""
    SELECT split_part(p.email_key, '@', 2) AS domain, count(*) AS mails
    FROM (
        SELECT delivery_id FROM attempts WHERE kind = :kind AND at > :since ORDER BY at DESC LIMIT :sample
    ) AS a
    JOIN deliveries AS d ON d.id = a.delivery_id
    JOIN subscribers AS p ON p.id = d.subscriber_id
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3
    """)


def reasons(
    session: Session, now: datetime, within: timedelta, *, with_domains: bool = True
) -> list[ReasonGroup]:
    """The reasons of the attempts since `now - within` (business time), the most frequent first."""
    since = now - within
    values = {"kinds": as_array(ReasonKind), "since": since, "counted": COUNTED}
    found = []
    for row in session.execute(_COUNTS, values).all():
        domains: tuple[tuple[str, int], ...] = ()
        if with_domains:
            asked = {"kind": row.kind, "since": since, "sample": SAMPLE}
            domains = tuple((one.domain, one.mails) for one in session.execute(_DOMAINS, asked))
        found.append(
            ReasonGroup(
                *(row.kind, MEANING[ReasonKind(row.kind)], row.attempts, row.attempts >= COUNTED),
                *(row.given_up, domains, row.answer or "", row.last_at),
            )
        )
    return found
