"""A segment as a condition on subscribers: its rule, asked at the moment that it is needed."""

from __future__ import annotations

from datetime import datetime
from importlib import import_module

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session


def segment_condition(session: Session, slug: str, now: datetime) -> ColumnElement[bool]:
    """Whether a subscriber is in the segment at `now`; raises NotFound when there is no such segment."""
    rule = import_module("mailer.audience.segments").rule_of(session, slug)
    condition: ColumnElement[bool] = import_module("mailer.rules").as_sql(rule, now)
    return condition
