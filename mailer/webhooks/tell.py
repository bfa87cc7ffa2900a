"""Noting what webhooks are to be told, in the transaction in which it happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.db import as_array
from mailer.models import WebhookKind

# The address is read here, so that whoever tells need not: nothing is read where nobody listens.
_TELL = text("""
    INSERT INTO webhook_calls (webhook_id, call_id, kind, subscriber_id, at, body, created_at, due_at)
    SELECT w.id, gen_random_uuid(), :kind, o.subscriber_id, :at,
        jsonb_strip_nulls(jsonb_build_object('subscriber_id', s.id, 'email', s.email)) || o.body,
        clock_timestamp(), clock_timestamp()
    FROM webhooks AS w
    CROSS JOIN unnest(CAST(:people AS bigint[]), CAST(:bodies AS jsonb[])) AS o (subscriber_id, body)
    LEFT JOIN subscribers AS s ON s.id = o.subscriber_id
    WHERE w.paused_at IS NULL AND w.kinds ? :kind
    """)


@dataclass(frozen=True)
class Fact:
    """One thing that happened, to a subscriber if it did; `more` is what is told beside the address."""

    subscriber_id: int | None = None
    more: dict[str, Any] = field(default_factory=dict)


def tell(session: Session, kind: WebhookKind, at: datetime, facts: Sequence[Fact]) -> None:
    """Note calls to every webhook that listens to `kind`; one statement, and next to nothing without one."""
    if facts:
        session.execute(
            _TELL,
            {
                "kind": kind,
                "at": at,
                "people": as_array(fact.subscriber_id for fact in facts),
                "bodies": as_array(json.dumps(fact.more) for fact in facts),
            },
        )
