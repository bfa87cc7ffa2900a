"""What will leave in the coming days, hour by hour, by the same decisions as the tick. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, narrowing
from mailer.audience.recipients import count_by_zone, list_ids_of
from mailer.launch.backlog import PLACES
from mailer.models import (
    Campaign,
    CampaignState,
    Delivery,
    Enrollment,
    Period,
    SendLimit,
    Series,
    Subscriber,
    Subscription,
    SubscriptionState,
    Transport,
)
from mailer.rules import BadRule, Rule, as_sql
from mailer.schedule.conditions import NOT_ASKED, Met, met_of, rules_of
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.local_time import LocalTime
from mailer.schedule.place import Place
from mailer.schedule.plan import IS_ACTIVE, place_of
from mailer.schedule.series import coming
from mailer.schedule.simulate import live

HOUR = timedelta(hours=1)
MOST_COMING = 400
"""So many occurrences of a series are looked at: more than a year has days."""


@dataclass(frozen=True)
class Hour:
    """One hour (its beginning, UTC) and its mails by what they are part of."""

    begins_at: datetime
    mails: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.mails.values())


@dataclass(frozen=True)
class Collision:
    """A campaign on a day on which these many of its readers get a lesson too."""

    campaign: str
    starts_at: datetime
    readers: int


@dataclass(frozen=True)
class Forecast:
    """Every hour in which something leaves, what may leave in an hour (None: no limit), and collisions.

    `undecided` are courses whose rules cannot be asked, with the reason: their readers wait.
    """

    hours: tuple[Hour, ...]
    most_per_hour: int | None
    collisions: tuple[Collision, ...]
    undecided: Mapping[str, str]

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "hours": [
                {"begins_at": hour.begins_at.isoformat(), "mails": dict(hour.mails), "total": hour.total}
                for hour in self.hours
            ],
            "most_per_hour": self.most_per_hour,
            "over_the_limit": [hour.begins_at.isoformat() for hour in self.too_much()],
            "collisions": [
                {"campaign": one.campaign, "starts_at": one.starts_at.isoformat(), "readers": one.readers}
                for one in self.collisions
            ],
            "undecided": dict(self.undecided),
        }

    def too_much(self) -> list[Hour]:
        """The hours in which more is due than may leave; the rest of it leaves in those that follow."""
        return [hour for hour in self.hours if self.most_per_hour and hour.total > self.most_per_hour]


def forecast(session: Session, now: datetime, days: int) -> Forecast:
    """What leaves within `days` days from `now` on, if nobody joins, leaves, changes their pace or answers.

    Readers who stand at the same place of a course and meet the same of its rules are looked at once,
    however many they are. Rules are asked of what is known of each reader now.
    """
    until = now + timedelta(days=days)
    hours: dict[datetime, Counter[str]] = {}
    undecided: dict[str, str] = {}
    for course_id in session.execute(select(Enrollment.course_id).where(IS_ACTIVE).distinct()).scalars():
        plan = load_plan(session, course_id)
        try:
            rules = rules_of(session, plan)
        except BadRule as error:
            undecided[plan.slug] = error.what
            continue
        for row, met in _places(session, plan, rules, now):
            for moment in _moments(plan, place_of(row, plan.zone, met), now, until):
                _count(hours, moment, f"course {plan.slug}", row.readers)
    campaigns = _campaigns(session, now, until)
    for campaign in campaigns:
        for due_at, people in _leaving(session, campaign, now):
            _count(hours, due_at, f"campaign {campaign.slug}", people)
    for name, due_at, people in _series(session, now, until):
        _count(hours, due_at, name, people)
    return Forecast(
        tuple(Hour(begins_at, dict(mails)) for begins_at, mails in sorted(hours.items())),
        _most_per_hour(session),
        tuple(found for campaign in campaigns if (found := _collision(session, campaign, now)).readers),
        undecided,
    )


def _count(hours: dict[datetime, Counter[str]], moment: datetime, name: str, mails: int) -> None:
    begins_at = moment.replace(minute=0, second=0, microsecond=0)
    hours.setdefault(begins_at, Counter())[name] += mails


def _places(
    session: Session, plan: CoursePlan, rules: Mapping[str, Rule], now: datetime
) -> Iterator[tuple[Any, Met]]:
    """Places in a course, with how many readers stand there and which of its rules they meet."""
    answers = [as_sql(rule, now).label(f"rule_{at}") for at, rule in enumerate(rules.values())]
    everybody = (
        select(*PLACES, *answers)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .outerjoin(Delivery, Delivery.id == Enrollment.last_delivery_id)
        .where(IS_ACTIVE, Enrollment.course_id == plan.id)
        .subquery()
    )
    for row in session.execute(select(*everybody.c, func.count().label("readers")).group_by(*everybody.c)):
        held = {text: row._mapping[f"rule_{at}"] for at, text in enumerate(rules)}
        yield row, met_of(plan, held) if rules else NOT_ASKED


def _moments(plan: CoursePlan, place: Place, now: datetime, until: datetime) -> Iterator[datetime]:
    """When a reader at this place gets mails, for whom the course's rules stay as they are."""
    met = Met(place.holds, place.stop)
    for mail in live(plan, place, now, until, meets=lambda *_: met):
        if mail.is_sent:
            yield mail.due_at


def _campaigns(session: Session, now: datetime, until: datetime) -> list[Campaign]:
    return list(
        session.execute(
            select(Campaign)
            .where(
                Campaign.state == CampaignState.SCHEDULED,
                Campaign.starts_at < until,
                Campaign.starts_at >= now - HOUR,
            )
            .order_by(Campaign.starts_at, Campaign.id)
        ).scalars()
    )


def _leaving(session: Session, campaign: Campaign, now: datetime) -> Iterator[tuple[datetime, int]]:
    """How many of the campaign's mails leave when: at one moment, or at one for each zone."""
    chosen = narrowing(session, Aim.of(campaign.aim), now).chosen
    by_zone = count_by_zone(session, list_ids_of(session, campaign.list_ids), chosen)
    local = LocalTime.of(campaign.local)
    for zone_name, people in by_zone.items():
        if local is None:
            yield campaign.starts_at or now, people
        elif not (departure := local.departure(local.zone_of(zone_name))).is_skipped:
            yield departure.due_at, people


def _series(session: Session, now: datetime, until: datetime) -> Iterator[tuple[str, datetime, int]]:
    """What series will make: each occurrence as if all leave at once; of a feed if there is something new."""
    for series in session.execute(select(Series).where(Series.next_on.is_not(None))).scalars():
        moments = coming(session, series, now, MOST_COMING, until)
        if not moments:
            continue
        chosen = narrowing(session, Aim.of(series.aim), now).chosen
        by_zone = count_by_zone(session, list_ids_of(session, series.list_ids), chosen)
        if_new = " (if its feed has news)" if series.feed_url else ""
        for _, due_at in moments:
            yield f"series {series.slug}{if_new}", max(now, due_at), sum(by_zone.values())


def _most_per_hour(session: Session) -> int | None:
    """What all transports together may send in an hour; None when one of them has no limit."""
    is_hourly = and_(
        SendLimit.transport_id == Transport.id, SendLimit.period == Period.HOUR, SendLimit.domain_group == ""
    )
    rows = session.execute(
        select(Transport.id, func.min(SendLimit.most)).outerjoin(SendLimit, is_hourly).group_by(Transport.id)
    ).all()
    limits = [most for _, most in rows]
    return sum(limits) if limits and None not in limits else None


def _collision(session: Session, campaign: Campaign, now: datetime) -> Collision:
    """How many of the campaign's readers have a lesson due on the same day (UTC)."""
    starts_at = campaign.starts_at or now
    begins = starts_at.replace(hour=0, minute=0, second=0, microsecond=0)
    readers = session.execute(
        select(func.count(Subscription.subscriber_id.distinct()))
        .join(Enrollment, Enrollment.subscriber_id == Subscription.subscriber_id)
        .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
        .where(
            narrowing(session, Aim.of(campaign.aim), now).chosen,
            Subscription.list_id.in_(list_ids_of(session, campaign.list_ids)),
            Subscription.state == SubscriptionState.ACTIVE,
            IS_ACTIVE,
            or_(Enrollment.next_due_at >= begins, Enrollment.next_due_at <= now),
            Enrollment.next_due_at < begins + timedelta(days=1),
        )
    ).scalar_one()
    return Collision(campaign.slug, starts_at, readers)
