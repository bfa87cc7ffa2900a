"""What was sent lately, at a glance: the last campaigns and every course, by the counts that are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import as_array
from mailer.models import Campaign, CampaignState, Course, DeliveryState
from mailer.outbox import campaign_source
from mailer.reports.course_list import AtAGlance, courses_at_a_glance
from mailer.reports.sending import NOT_REACHED

LAST = 20
CLICKS = 1_000
"""So many requests of a campaign are looked at; of one that had more its own page counts them."""

_S = DeliveryState


@dataclass(frozen=True)
class CampaignFigures:
    """One campaign. `clicked` are people; None where there are too many to be counted at a glance."""

    slug: str
    subject: str
    state: str
    starts_at: datetime | None
    audience: int
    accepted: int
    not_reached: int
    open: int
    clicked: int | None


@dataclass(frozen=True)
class CourseSums:
    """One course: its readers, and all mails of its steps so far."""

    line: AtAGlance
    accepted: int
    not_reached: int
    open: int


@dataclass(frozen=True)
class Overview:
    """The last campaigns that have begun, the newest first, and the courses by their titles."""

    campaigns: Sequence[CampaignFigures]
    courses: Sequence[CourseSums]


_CLICKED = text("""
    SELECT s.source, count(c.source) AS requests,
           count(DISTINCT c.subscriber_id) FILTER (WHERE c.verdict = 'person' AND c.link >= 0) AS people
    FROM unnest(CAST(:sources AS text[])) AS s (source)
    LEFT JOIN LATERAL (
        SELECT source, subscriber_id, verdict, link FROM clicks WHERE source = s.source LIMIT :most
    ) AS c ON true
    GROUP BY s.source
    """)


def overview(session: Session, now: datetime) -> Overview:
    """All of it; it costs the same however many mails there are."""
    begun = CampaignState.SENDING, CampaignState.FINISHED, CampaignState.CANCELLED
    campaigns = session.scalars(
        select(Campaign)
        .where(Campaign.state.in_(begun), Campaign.starts_at.is_not(None))
        .order_by(Campaign.starts_at.desc(), Campaign.id.desc())
        .limit(LAST)
    ).all()
    names = [campaign_source(one.id) for one in campaigns]
    clicks = {
        row.source: None if row.requests >= CLICKS else row.people
        for row in session.execute(_CLICKED, {"sources": as_array(names), "most": CLICKS})
    }
    ids = dict(session.execute(select(Course.slug, Course.id)).all())
    states = tally.by_source(session, [*names, *(f"course:{id_}" for id_ in ids.values())])
    return Overview(
        [
            CampaignFigures(
                *(one.slug, one.subject, one.state, one.starts_at, one.audience),
                *_sums(states[name]),
                clicks[name],
            )
            for one, name in zip(campaigns, names, strict=True)
        ],
        [
            CourseSums(line, *_sums(states[f"course:{ids[line.slug]}"]))
            for line in courses_at_a_glance(session, now)
        ],
    )


def _sums(states: Counter[str]) -> tuple[int, int, int]:
    """Accepted, not reached, and open mails."""
    ended = sum(states[state] for state in (*NOT_REACHED, _S.ACCEPTED, _S.UNCERTAIN, tally.FORGOTTEN))
    return states[_S.ACCEPTED], sum(states[state] for state in NOT_REACHED), states.total() - ended
