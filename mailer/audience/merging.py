"""Merging one part of an import: a few set-based statements over people who are in a table already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.lists import Evidence
from mailer.models import ConsentKind, SubscriptionState, SuppressionReason


@dataclass(frozen=True)
class KeptAway:
    """Somebody who is not mailed although the file names them; `line` is the last that does."""

    line: int
    email: str
    left_on: datetime | None
    suppression: str | None
    suppressed_at: datetime | None

    @property
    def has_left(self) -> bool:
        """Whether it was their own wish."""
        return self.suppression in (None, SuppressionReason.EVERYTHING)


@dataclass(frozen=True)
class Merged:
    """What a merge did: people by what they were before, and the ids of the new subscriptions.

    `moved` are those whom it gave a zone, by their ids as subscribers: they were known without one.
    """

    people: int
    new_people: int
    unconfirmed: int
    joined: Sequence[int]
    kept_away: Sequence[KeptAway]
    moved: Sequence[int]


@dataclass(frozen=True)
class Joining:
    """What everybody in an import is put on, and with which consent; not active means: has to confirm."""

    list_id: int
    evidence: Evidence
    is_active: bool


def merge_people(
    session: Session, people: str, after: str, upto: str | None, joining: Joining, now: datetime
) -> Merged:
    """Add people or complete what is known of them, and put them on a list.

    `people` is the table they are in (see `staging`), of which those count whose key is above `after`
    and, if it is given, at most `upto`. Of somebody who comes twice all is taken that is said, and the
    later word where two differ. Nobody is put on the list who was ever on it, who left everything, or
    whose address is not mailed.
    """
    keys = {"after": after, "upto": upto}
    session.execute(text(_GATHER.format(people=people, end="" if upto is None else _END)), keys)
    session.execute(text(_DECLARED))
    session.execute(text(_MERGED))
    session.execute(text(_MERGE), {"now": now})
    session.execute(text(_KNOW_TAGS))
    session.execute(text(_UNCHANGED))
    session.execute(text(_STANDING), {"list_id": joining.list_id, "now": now})
    count, new, unconfirmed = session.execute(text(_COUNT)).one()
    kept_away = [KeptAway(*row) for row in session.execute(text(_KEPT_AWAY))]
    joined = _join(session, joining, now)
    moved = session.scalars(text("SELECT id FROM merged WHERE is_moved ORDER BY id")).all()
    session.execute(text("DROP TABLE gathered, merged, standing"))
    return Merged(count, new, unconfirmed, joined, kept_away, moved)


_END = "AND email_key <= :upto"

# Nearly everybody is named once; only the others have anything to be gathered.
_GATHER = """
    CREATE TEMPORARY TABLE gathered ON COMMIT DROP AS
    WITH named AS (
        SELECT *, count(*) OVER (PARTITION BY email_key) AS times FROM {people}
        WHERE email_key > :after {end}
    ), again AS (
        SELECT * FROM named WHERE times > 1
    ), said AS (
        SELECT email_key,
               max(line) AS line,
               (array_agg(email ORDER BY line DESC))[1] AS email,
               (array_agg(name ORDER BY line DESC) FILTER (WHERE name <> ''))[1] AS name,
               (array_agg(language ORDER BY line DESC) FILTER (WHERE language IS NOT NULL))[1] AS language,
               (array_agg(zone ORDER BY line DESC) FILTER (WHERE zone IS NOT NULL))[1] AS zone
        FROM again GROUP BY email_key
    ), all_tags AS (
        SELECT email_key, array_agg(DISTINCT tag ORDER BY tag) AS tags
        FROM again, unnest(tags) AS tag GROUP BY email_key
    ), all_fields AS (
        SELECT email_key, jsonb_object_agg(key, value ORDER BY line) AS fields
        FROM again, jsonb_each(fields) GROUP BY email_key
    )
    SELECT email_key COLLATE "default" AS email_key, line, email, name, language, zone, tags, fields
    FROM named WHERE times = 1
    UNION ALL
    SELECT email_key COLLATE "default", line, email, coalesce(name, ''), language, zone,
           coalesce(tags, '{{}}'), coalesce(fields, '{{}}')
    FROM said LEFT JOIN all_tags USING (email_key) LEFT JOIN all_fields USING (email_key)
"""

# A field may have been taken away since the rows were read; nobody is to have what is no field any more.
_DECLARED = """
    UPDATE gathered SET fields = (SELECT coalesce(jsonb_object_agg(key, value), '{}')
                                  FROM jsonb_each(fields) WHERE key IN (SELECT key FROM custom_fields))
    WHERE fields - (SELECT coalesce(array_agg(key), '{}') FROM custom_fields) <> '{}'
"""

_MERGED = """
    CREATE TEMPORARY TABLE merged (
        id bigint, line bigint, email text, email_key text, is_new bool, is_moved bool
    ) ON COMMIT DROP
"""

# Sorted, so that rows are locked in the same order whoever locks them.
_MERGE = """
    WITH upserted AS (
        INSERT INTO subscribers AS s (email, email_key, name, language, zone, tags, fields, created_at)
        SELECT email, email_key, name, language, zone, tags, fields, :now FROM gathered ORDER BY email_key
        ON CONFLICT (email_key) DO UPDATE SET
            -- What is known may be what the person chose since the file was written.
            name = coalesce(nullif(s.name, ''), excluded.name),
            language = coalesce(s.language, excluded.language),
            zone = coalesce(s.zone, excluded.zone),
            tags = (SELECT coalesce(array_agg(DISTINCT tag ORDER BY tag), '{}')
                    FROM unnest(s.tags || excluded.tags) AS tag),
            fields = excluded.fields || s.fields
        WHERE (s.name = '' AND excluded.name <> '')
           OR (s.language IS NULL AND excluded.language IS NOT NULL)
           OR (s.zone IS NULL AND excluded.zone IS NOT NULL)
           OR NOT s.tags @> excluded.tags
           OR excluded.fields || s.fields <> s.fields
        -- A look into the table finds the row as it was before this statement.
        RETURNING id, email_key, xmax = 0 AS is_new,
                  CASE WHEN xmax = 0 OR zone IS NULL THEN false
                       ELSE (SELECT o.zone IS NULL FROM subscribers AS o WHERE o.id = s.id) END AS is_moved
    )
    INSERT INTO merged
    SELECT u.id, g.line, g.email, email_key, u.is_new, u.is_moved
    FROM upserted u JOIN gathered g USING (email_key)
"""

_KNOW_TAGS = """
    INSERT INTO tags (name)
    SELECT DISTINCT tag FROM gathered, unnest(tags) AS tag ORDER BY tag
    ON CONFLICT DO NOTHING
"""

# Those of whom nothing more is said are locked, but neither written nor returned.
_UNCHANGED = """
    INSERT INTO merged
    SELECT s.id, g.line, g.email, g.email_key, false, false
    FROM gathered g
    CROSS JOIN LATERAL (SELECT id FROM subscribers WHERE email_key = g.email_key LIMIT 1) s
    WHERE g.email_key NOT IN (SELECT email_key FROM merged)
"""

# A statement of its own: only now are all these people locked, and what others wrote before is seen.
# Looked up person by person (LIMIT keeps it so): just after a big import PostgreSQL has no statistics of
# these tables, and a join that is planned without them may compare everybody with everybody.
# The hash is that of `addresses.address_hash`.
_STANDING = """
    CREATE TEMPORARY TABLE standing ON COMMIT DROP AS
    SELECT m.id, m.line, m.email, m.is_new, p.state, p.changed_at, x.reason, x.at
    FROM merged m
    LEFT JOIN LATERAL (
        SELECT state, changed_at FROM subscriptions
        WHERE NOT m.is_new AND subscriber_id = m.id AND list_id = :list_id LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT reason, at FROM suppressions
        WHERE email_hash = sha256(convert_to(m.email_key, 'UTF8')) AND (until IS NULL OR until > :now) LIMIT 1
    ) x ON true
"""

_COUNT = """
    SELECT count(*), count(*) FILTER (WHERE is_new),
           count(*) FILTER (WHERE state = 'pending' AND reason IS NULL)
    FROM standing
"""

_KEPT_AWAY = """
    SELECT line, email, CASE WHEN state = 'ended' THEN changed_at END, reason, at
    FROM standing WHERE state = 'ended' OR reason IS NOT NULL
"""

_JOIN = """
    WITH joined AS (
        INSERT INTO subscriptions (subscriber_id, list_id, state, changed_at)
        SELECT id, :list_id, :state, :now FROM standing WHERE state IS NULL AND reason IS NULL ORDER BY id
        ON CONFLICT (subscriber_id, list_id) DO NOTHING
        RETURNING id
    ), evidence AS (
        INSERT INTO consents (subscription_id, kind, at, wording, source)
        SELECT id, :kind, :now, :wording, :source FROM joined
    )
    SELECT id FROM joined ORDER BY id
"""


def _join(session: Session, joining: Joining, now: datetime) -> Sequence[int]:
    """Put on the list who is free to come, with evidence; returns the new subscriptions."""
    values: dict[str, Any] = {
        "list_id": joining.list_id,
        "state": SubscriptionState.ACTIVE if joining.is_active else SubscriptionState.PENDING,
        "now": now,
        "kind": ConsentKind.GIVEN if joining.is_active else ConsentKind.ASKED,
        "wording": joining.evidence.wording,
        "source": joining.evidence.source,
    }
    return session.execute(text(_JOIN), values).scalars().all()
