"""Who followed the links of a course or a campaign: people, and what was taken for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from mailer.errors import NotFound
from mailer.feedback.verdicts import OPEN
from mailer.models import Click, Course, Verdict
from mailer.schedule.campaigns import find_campaign


@dataclass(frozen=True)
class LinkClicks:
    """One address. `people` counts each person once, `machines` counts requests."""

    url: str
    people: int
    machines: int


@dataclass(frozen=True)
class ClickReport:
    """A course or a campaign. `people` followed at least one link; `machines` are requests.

    `opened` counts those whose mail program loaded the open pixel, which need not mean that they read it.
    """

    name: str
    people: int
    machines: int
    opened: int
    links: tuple[LinkClicks, ...]

    def as_values(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def click_report(session: Session, slug: str) -> ClickReport:
    """The clicks of the campaign of this slug, or else of the course; raises NotFound."""
    ours = Click.source == _source(session, slug)
    people, machines = session.execute(select(*_counts()).where(ours, Click.link != OPEN)).one()
    opened = session.scalar(
        select(func.count(Click.subscriber_id.distinct())).where(ours, Click.link == OPEN)
    )
    by_link = session.execute(
        select(Click.url, *_counts())
        .where(ours, Click.link >= 0)
        .group_by(Click.url)
        .order_by(_counts()[0].desc(), Click.url)
    )
    return ClickReport(slug, people, machines, opened or 0, tuple(LinkClicks(*row) for row in by_link))


def _counts() -> tuple[ColumnElement[int], ColumnElement[int]]:
    people = func.count(Click.subscriber_id.distinct()).filter(Click.verdict == Verdict.PERSON)
    return people, func.count().filter(Click.verdict == Verdict.MACHINE)


def _source(session: Session, slug: str) -> str:
    campaign = find_campaign(session, slug)
    if campaign is not None:
        return f"campaign:{campaign.id}"
    course = session.scalar(select(Course.id).where(Course.slug == slug))
    if course is None:
        raise NotFound(f"There is no campaign and no course {slug!r}; `steadypost campaign list` shows them")
    return f"course:{course}"
