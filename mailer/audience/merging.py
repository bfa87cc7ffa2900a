"""Merging many people at once: a copy into a staging table, then a few set-based statements."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.audience.lists import Evidence
from mailer.audience.subscribers import Person
from mailer.db import DatabaseDown
from mailer.models import ConsentKind, MailingList, SubscriptionState, SuppressionReason

ONE_AT_A_TIME = 7_301_994
"""Our key among PostgreSQL's advisory locks: of two merges at the same time one waits for the other."""


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
    """What a merge did: people by what they were before, and the ids of the new subscriptions."""

    people: int
    new_people: int
    joined: Sequence[int]
    unconfirmed: int
    kept_away: Sequence[KeptAway]


def merge_people(
    session: Session,
    people: Iterable[tuple[int, Person]],
    list_: MailingList,
    evidence: Evidence,
    now: datetime,
    *,
    is_active: bool,
) -> Merged:
    """Add people (each with a line number) or complete what is known of them, and put them on a list.

    Of somebody who comes twice all is taken that is said, and the later word where two differ. Nobody is
    put on the list who was ever on it, who left everything, or whose address is not mailed.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
    _stage(session, people)
    session.execute(text(_GATHER))
    session.execute(text("ANALYZE gathered"))
    count, new = session.execute(text(_MERGE)).one()
    kept_away = [KeptAway(*row) for row in session.execute(text(_KEPT_AWAY), {"list_id": list_.id})]
    unconfirmed = session.execute(text(_UNCONFIRMED), {"list_id": list_.id}).scalar_one()
    joined = _join(session, list_, evidence, now, is_active=is_active)
    session.execute(text("DROP TABLE incoming, gathered"))
    return Merged(count, new, joined, unconfirmed, kept_away)


def _stage(session: Session, people: Iterable[tuple[int, Person]]) -> None:
    """Copy the people into a table of this transaction alone, as they come."""
    session.execute(
        text(
            "CREATE TEMPORARY TABLE incoming (line bigint, email text, email_key text, name text, "
            "language text, zone text, tags text[], fields jsonb) ON COMMIT DROP"
        )
    )
    raw: Any = session.connection().connection.driver_connection
    try:
        with raw.cursor() as cursor, cursor.copy("COPY incoming FROM STDIN") as copy:
            # The fields as text: with jsonb, psycopg would write our JSON as one JSON string.
            copy.set_types(["int8", "text", "text", "text", "text", "text", "text[]", "text"])
            for line, person in people:
                _, key = normalise(person.email)
                fields, tags = json.dumps(person.fields), list(person.tags)
                copy.write_row(
                    (line, person.email, key, person.name, person.language, person.zone, tags, fields)
                )
    except psycopg.OperationalError as error:
        raise DatabaseDown from error


# Sorted, so that rows are locked in the same order whoever locks them.
_GATHER = """
    CREATE TEMPORARY TABLE gathered ON COMMIT DROP AS
    WITH said AS (
        SELECT email_key,
               max(line) AS line,
               (array_agg(email ORDER BY line DESC))[1] AS email,
               (array_agg(name ORDER BY line DESC) FILTER (WHERE name <> ''))[1] AS name,
               (array_agg(language ORDER BY line DESC) FILTER (WHERE language IS NOT NULL))[1] AS language,
               (array_agg(zone ORDER BY line DESC) FILTER (WHERE zone IS NOT NULL))[1] AS zone
        FROM incoming GROUP BY email_key
    ), all_tags AS (
        SELECT email_key, array_agg(DISTINCT tag ORDER BY tag) AS tags
        FROM incoming, unnest(tags) AS tag GROUP BY email_key
    ), all_fields AS (
        SELECT email_key, jsonb_object_agg(key, value ORDER BY line) AS fields
        FROM incoming, jsonb_each(fields) GROUP BY email_key
    )
    SELECT email_key, line, email, coalesce(name, '') AS name, language, zone,
           coalesce(tags, '{}') AS tags, coalesce(fields, '{}') AS fields
    FROM said LEFT JOIN all_tags USING (email_key) LEFT JOIN all_fields USING (email_key)
    ORDER BY email_key
"""

_MERGE = """
    WITH merged AS (
        INSERT INTO subscribers AS s (email, email_key, name, language, zone, tags, fields)
        SELECT email, email_key, name, language, zone, tags, fields FROM gathered ORDER BY email_key
        ON CONFLICT (email_key) DO UPDATE SET
            -- What is known may be what the person chose since the file was written.
            name = coalesce(nullif(s.name, ''), excluded.name),
            language = coalesce(s.language, excluded.language),
            zone = coalesce(s.zone, excluded.zone),
            tags = (SELECT coalesce(array_agg(DISTINCT tag ORDER BY tag), '{}')
                    FROM unnest(s.tags || excluded.tags) AS tag),
            fields = excluded.fields || s.fields
        RETURNING xmax = 0 AS is_new
    )
    SELECT count(*), count(*) FILTER (WHERE is_new) FROM merged
"""

# Looked up person by person (LIMIT keeps it so): just after a big import PostgreSQL has no statistics of
# these tables, and a join that is planned without them may compare everybody with everybody.
# The hash is that of `addresses.address_hash`.
_STANDING = """
    FROM gathered g
    JOIN subscribers s USING (email_key)
    LEFT JOIN LATERAL (
        SELECT id, state, changed_at FROM subscriptions
        WHERE subscriber_id = s.id AND list_id = :list_id LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT id, reason, at FROM suppressions
        WHERE email_hash = sha256(convert_to(email_key, 'UTF8')) LIMIT 1
    ) x ON true
"""

_KEPT_AWAY = f"""
    SELECT g.line, g.email, CASE WHEN p.state = 'ended' THEN p.changed_at END, x.reason, x.at
    {_STANDING}
    WHERE p.state = 'ended' OR x.id IS NOT NULL
    ORDER BY g.line
"""

_UNCONFIRMED = f"SELECT count(*) {_STANDING} WHERE p.state = 'pending' AND x.id IS NULL"

_JOIN = f"""
    WITH joined AS (
        INSERT INTO subscriptions (subscriber_id, list_id, state, changed_at)
        SELECT s.id, :list_id, :state, :now
        {_STANDING}
        WHERE p.id IS NULL AND x.id IS NULL
        ON CONFLICT (subscriber_id, list_id) DO NOTHING
        RETURNING id
    ), evidence AS (
        INSERT INTO consents (subscription_id, kind, at, wording, source)
        SELECT id, :kind, :now, :wording, :source FROM joined
    )
    SELECT id FROM joined ORDER BY id
"""  # noqa: S608


def _join(
    session: Session, list_: MailingList, evidence: Evidence, now: datetime, *, is_active: bool
) -> Sequence[int]:
    """Put on the list who is free to come, with evidence; returns the new subscriptions."""
    values = {
        "list_id": list_.id,
        "state": SubscriptionState.ACTIVE if is_active else SubscriptionState.PENDING,
        "now": now,
        "kind": ConsentKind.GIVEN if is_active else ConsentKind.ASKED,
        "wording": evidence.wording,
        "source": evidence.source,
    }
    return session.execute(text(_JOIN), values).scalars().all()
