"""What will leave in the coming days, hour by hour, by the same decisions as the tick. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Subquery, and_, func, or_, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim, narrowing
from mailer.audience.recipients import count_by_zone, list_ids_of
from mailer.clock import instant_of
from mailer.db import written_out
from mailer.launch.backlog import PLACES
from mailer.launch.collisions import Collision, Meetings, place_key
from mailer.models import (
    Batch,
    Campaign,
    CampaignState,
    Course,
    Delivery,
    DeliveryState,
    Enrollment,
    Lane,
    Period,
    SendLimit,
    Series,
    Step,
    Subscriber,
    Transport,
)
from mailer.outbox import FOR_PHASE
from mailer.rules import BadRule, Rule, as_sql
from mailer.schedule.cap import Cap, read_cap
from mailer.schedule.conditions import NOT_ASKED, Met, met_of, rules_of
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.local_time import LocalTime
from mailer.schedule.place import Place
from mailer.schedule.plan import IS_ACTIVE, place_of
from mailer.schedule.series import coming
from mailer.schedule.simulate import Mail, Reading, live

HOUR = timedelta(hours=1)
MOST_COMING = 400
"""So many occurrences of a series are looked at: more than a year has days."""


@dataclass(frozen=True)
class Hour:
    """One hour (its beginning, UTC), its mails by what they are part of, and those of courses by step
    ("calm/hello")."""

    begins_at: datetime
    mails: Mapping[str, int]
    steps: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.mails.values())


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
                {
                    **{"begins_at": hour.begins_at.isoformat(), "mails": dict(hour.mails)},
                    **{"steps": dict(hour.steps), "total": hour.total},
                }
                for hour in self.hours
            ],
            "most_per_hour": self.most_per_hour,
            "over_the_limit": [hour.begins_at.isoformat() for hour in self.too_much()],
            "collisions": [
                {**asdict(one), "starts_at": one.starts_at.isoformat(), "hangs_on": list(one.hangs_on)}
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
    however many they are. Rules are asked of what is known of each reader now; collisions say which of them
    are asked again at the moment and may turn out otherwise.
    """
    until = now + timedelta(days=days)
    hours: dict[datetime, Counter[str]] = {}
    steps: dict[datetime, Counter[str]] = {}
    undecided: dict[str, str] = {}
    campaigns, cap = _campaigns(session, now, until), read_cap(session)
    meetings = Meetings(campaigns, now)
    for course_id in session.execute(select(Enrollment.course_id).where(IS_ACTIVE).distinct()).scalars():
        plan = load_plan(session, course_id)
        try:
            rules = rules_of(session, plan)
        except BadRule as error:
            undecided[plan.slug] = error.what
            continue
        people = _people(plan, rules, now)
        for row in _places(session, people):
            place = place_of(row, plan.zone, _met(plan, rules, row), plan.weeks)
            begin = now
            if row.paused_until is not None:
                begin = max(now, instant_of(row.paused_until, time.min, place.zone))
            mails = _mails(plan, place, begin, until, cap)
            for mail in mails:
                if mail.is_sent:
                    _count(hours, mail.due_at, f"course {plan.slug}", row.readers)
                    _count(steps, mail.due_at, f"{plan.slug}/{mail.step.key}", row.readers)
            meetings.add((plan, rules, people), row.place_key, (row.zone, place.zone), mails)
    for campaign in campaigns:
        for due_at, readers in _leaving(session, campaign, now):
            _count(hours, due_at, f"campaign {campaign.slug}", readers)
    for slug, step, due_at, lessons in _lessons_under_way(session, now, until):
        _count(hours, due_at, f"course {slug}", lessons)
        if step is not None:
            _count(steps, due_at, f"{slug}/{step}", lessons)
    for name, due_at, readers in (*_under_way(session, now, until), *_series(session, now, until)):
        _count(hours, due_at, name, readers)
    return Forecast(
        tuple(Hour(at, dict(mails), dict(steps.get(at, {}))) for at, mails in sorted(hours.items())),
        _most_per_hour(session),
        meetings.found(session),
        undecided,
    )


def _count(hours: dict[datetime, Counter[str]], moment: datetime, name: str, mails: int) -> None:
    begins_at = moment.replace(minute=0, second=0, microsecond=0)
    hours.setdefault(begins_at, Counter())[name] += mails


def _people(plan: CoursePlan, rules: Mapping[str, Rule], now: datetime) -> Subquery:
    """Everybody who is in a course: their place in it, and whether they meet each of its rules."""
    answers = [as_sql(rule, now).label(f"rule_{at}") for at, rule in enumerate(rules.values())]
    return (
        select(Enrollment.subscriber_id, *PLACES, *answers)
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .outerjoin(Delivery, Delivery.id == Enrollment.last_delivery_id)
        .where(IS_ACTIVE, Enrollment.course_id == plan.id)
        .subquery()
    )


def _places(session: Session, people: Subquery) -> Iterator[Any]:
    """Places in a course with the rules that are met there, each with how many `readers` stand at it."""
    columns = [column for column in people.c if column.key != "subscriber_id"]
    key = place_key(columns).label("place_key")
    yield from session.execute(select(*columns, key, func.count().label("readers")).group_by(*columns))


def _met(plan: CoursePlan, rules: Mapping[str, Rule], row: Any) -> Met:
    held = {text: row._mapping[f"rule_{at}"] for at, text in enumerate(rules)}
    return met_of(plan, held) if rules else NOT_ASKED


def _mails(plan: CoursePlan, place: Place, now: datetime, until: datetime, cap: Cap | None) -> list[Mail]:
    """What a reader at this place gets and what is passed over, if they meet the same rules all the time.

    Of the cap it knows the quiet hours, and what this course's own mails leave room for.
    """
    met = Met(place.holds, place.stop)
    return list(live(Reading(plan, place, now, meets=lambda *_: met), until, cap=cap))


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


def _under_way(session: Session, now: datetime, until: datetime) -> Iterator[tuple[str, datetime, int]]:
    """What campaigns that have begun have still to send: at the hours that are to come in other zones, and,
    for those in a canary or a test, as soon as their phase lets the rest go."""
    hour = func.date_trunc("hour", func.greatest(Delivery.next_attempt_at, now)).label("hour")
    rows = session.execute(
        select(Campaign.slug, Delivery.state, hour, func.count())
        .join(Delivery, Delivery.campaign_id == Campaign.id)
        .where(
            Campaign.state == CampaignState.SENDING,
            Delivery.lane == Lane.CAMPAIGN,
            or_(
                Delivery.state == DeliveryState.PLANNED,
                and_(Delivery.state == DeliveryState.HELD, Delivery.reason.startswith(FOR_PHASE)),
            ),
            Delivery.next_attempt_at < until,
        )
        .group_by(Campaign.slug, Delivery.state, hour)
    )
    for slug, state, at, mails in rows:
        rest = " (its rest)" if state == DeliveryState.HELD else ""
        yield f"campaign {slug}{rest}", at, mails


def _lessons_under_way(
    session: Session, now: datetime, until: datetime
) -> Iterator[tuple[str, str | None, datetime, int]]:
    """The mails of courses that are planned already, and wait for their hour, a limit or a worker: course,
    step (None for a welcome), hour and how many."""
    hour = func.date_trunc("hour", func.greatest(Delivery.next_attempt_at, now)).label("hour")
    columns = (Course.slug, Step.key, hour, func.count())
    # The state stands in the statement itself, where the planner sees that the index is for it. What workers
    # have is in few batches.
    planned = and_(
        Delivery.state == written_out(DeliveryState.PLANNED), Delivery.lane == written_out(Lane.COURSE)
    )
    in_hand = select(func.unnest(Batch.delivery_ids)).where(Batch.lane == Lane.COURSE)
    sending = and_(Delivery.id.in_(in_hand), Delivery.state == DeliveryState.SENDING)
    for chosen in (planned, sending):
        yield from session.execute(
            select(*columns)
            .select_from(Delivery)
            .join(Course, Course.id == Delivery.course_id)
            .outerjoin(Step, Step.id == Delivery.step_id)
            .where(chosen, Delivery.next_attempt_at < until)
            .group_by(Course.slug, Step.key, hour)
        )


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
