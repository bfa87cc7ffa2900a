"""What the last check of each draft found: kept by the draft's digest, and asked again of what has a time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.content.course_source import Problem
from mailer.models import Campaign, CampaignState, CheckedKind, DraftCheck

log = logging.getLogger(__name__)

CHECKED_AGAIN = timedelta(hours=1)
"""After how long what is scheduled is checked once more: its people, lists and segments change."""
LONGEST = 300
"""Characters of the one error that is kept in words."""


def keep_check(
    session: Session, kind: CheckedKind, slug: str, digest: str, problems: Sequence[Problem]
) -> None:
    """Keep what was just found of the draft that has this digest."""
    errors = [one for one in problems if not one.is_warning]
    _keep(session, kind, slug, digest, len(errors), str(errors[0]) if errors else "")


def keep_refusal(session: Session, kind: CheckedKind, slug: str, digest: str, why: str) -> None:
    """Keep that the draft could not even be checked, and why."""
    _keep(session, kind, slug, digest, 1, why)


def _keep(session: Session, kind: CheckedKind, slug: str, digest: str, errors: int, first: str) -> None:
    found = {"digest": digest, "at": func.clock_timestamp(), "errors": errors, "first": first[:LONGEST]}
    new = insert(DraftCheck).values(kind=kind, slug=slug, **found)
    session.execute(new.on_conflict_do_update(index_elements=["kind", "slug"], set_=found))


def next_to_check(session: Session, clock: datetime) -> str | None:
    """The scheduled campaign whose check is the oldest, when it is old or there was none."""
    return session.execute(
        select(Campaign.slug)
        .outerjoin(DraftCheck, (DraftCheck.slug == Campaign.slug) & (DraftCheck.kind == CheckedKind.CAMPAIGN))
        .where(
            Campaign.state == CampaignState.SCHEDULED,
            or_(DraftCheck.at.is_(None), DraftCheck.at < clock - CHECKED_AGAIN),
        )
        .order_by(DraftCheck.at.asc().nulls_first(), Campaign.starts_at)
        .limit(1)
    ).scalar_one_or_none()
