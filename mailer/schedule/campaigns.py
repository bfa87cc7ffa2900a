"""Campaigns by their slugs."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.errors import NotFound
from mailer.models import Campaign


def find_campaign(session: Session, slug: str) -> Campaign | None:
    """The campaign of this slug as it is now, or None."""
    chosen = select(Campaign).where(Campaign.slug == slug).execution_options(populate_existing=True)
    return session.execute(chosen).scalar_one_or_none()


def get_campaign(session: Session, slug: str) -> Campaign:
    """The campaign of this slug; raises NotFound."""
    found = find_campaign(session, slug)
    if found is None:
        raise NotFound(f"There is no campaign {slug!r}; `steadypost campaign list` shows them all")
    return found
