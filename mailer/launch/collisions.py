"""Campaigns that fall on a day on which their readers get a lesson too, by the tick's own decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, Text, any_, cast, exists, func, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger

from mailer.audience.aim import Aim, narrowing
from mailer.audience.recipients import list_ids_of
from mailer.clock import local_date
from mailer.models import Campaign, Subscriber, Subscription, SubscriptionState
from mailer.rules import Rule, conditions, sentence
from mailer.rules.model import Answered, Clicked, Compare, Field, InCourse, Mailed, OnList, Reached
from mailer.schedule.courses import CoursePlan
from mailer.schedule.local_time import LocalTime
from mailer.schedule.simulate import Mail


@dataclass(frozen=True)
class Collision:
    """A campaign on a day on which these many of its readers get a lesson too; a day is each reader's own.

    `readers` are those who get one by what is known now, each once; of `unsettled` ones it is decided when
    the lesson comes due. `hangs_on` are the rules that are asked only then and may turn out otherwise.
    """

    campaign: str
    starts_at: datetime
    readers: int
    unsettled: int = 0
    hangs_on: tuple[str, ...] = ()

    def words(self) -> str:
        """Its readers as a sentence without the day: "12 of its readers get a lesson too"."""
        gets = "gets" if self.readers == 1 else "get"
        said = f"{self.readers:,} of its readers {gets} a lesson too"
        if self.unsettled:
            said += f", and perhaps {self.unsettled:,} more"
        if self.hangs_on:
            said += f"; it is asked only when the lesson comes due who {'; who '.join(self.hangs_on)}"
        return said


@dataclass
class _Places:
    """Of one course the places that have a lesson on a campaign's day: surely, or perhaps."""

    people: Subquery
    sure: list[int] = field(default_factory=list)
    perhaps: list[int] = field(default_factory=list)


@dataclass
class Meetings:
    """Which places of courses have a lesson on the day of which campaign; collected, and then counted."""

    campaigns: Sequence[Campaign]
    now: datetime
    _places: dict[tuple[int, int], _Places] = field(default_factory=dict)
    _hangs_on: dict[int, dict[str, None]] = field(default_factory=dict)

    def add(
        self,
        course: tuple[CoursePlan, Mapping[str, Rule], Subquery],
        key: int,
        zone: tuple[str | None, str],
        mails: Iterable[Mail],
    ) -> None:
        """Note what those get who stand at the place with this `key` of a course: its plan, its rules, and
        its people with their keys. `zone` is the readers' own, and the one that they go by in the course."""
        plan, rules, people = course
        own, here = zone
        by_day: dict[date, list[Mail]] = {}
        for mail in mails:
            by_day.setdefault(local_date(mail.due_at, here), []).append(mail)
        for campaign in self.campaigns:
            leaves_at = _leaves_at(campaign, own, self.now)
            on_day = by_day.get(local_date(leaves_at, here)) if leaves_at else None
            if not on_day:
                continue
            waits_for = _asked_then(plan, rules, on_day)
            is_sure = any(mail.is_sent for mail in on_day)
            if is_sure or waits_for:
                places = self._places.setdefault((campaign.id, plan.id), _Places(people))
                (places.sure if is_sure else places.perhaps).append(key)
                exits = _unsettled(plan.flow.stop_when, rules) if is_sure else []
                self._hangs_on.setdefault(campaign.id, {}).update(dict.fromkeys([*waits_for, *exits]))

    def found(self, session: Session) -> tuple[Collision, ...]:
        """The campaigns that collide, or may."""
        counted = (self._count(session, campaign) for campaign in self.campaigns)
        return tuple(one for one in counted if one.readers or one.unsettled)

    def _count(self, session: Session, campaign: Campaign) -> Collision:
        places = [one for (id_, _), one in self._places.items() if id_ == campaign.id]
        starts_at = campaign.starts_at or self.now
        if not places:
            return Collision(campaign.slug, starts_at, 0)
        # Somebody may be in two courses: each person once, and surely if one of their lessons is sure.
        each = union_all(*(_standing(one) for one in places)).subquery()
        people = (
            select(each.c.subscriber_id, func.bool_or(each.c.is_sure).label("is_sure"))
            .group_by(each.c.subscriber_id)
            .subquery()
        )
        is_active = exists().where(
            Subscription.subscriber_id == Subscriber.id,
            Subscription.list_id.in_(list_ids_of(session, campaign.list_ids)),
            Subscription.state == SubscriptionState.ACTIVE,
        )
        sure, perhaps = session.execute(
            select(func.count().filter(people.c.is_sure), func.count().filter(~people.c.is_sure))
            .select_from(Subscriber)
            .join(people, people.c.subscriber_id == Subscriber.id)
            .where(is_active, narrowing(session, Aim.of(campaign.aim), self.now).chosen)
        ).one()
        return Collision(campaign.slug, starts_at, sure, perhaps, tuple(self._hangs_on[campaign.id]))


def place_key(columns: Iterable[ColumnElement[Any]]) -> ColumnElement[int]:
    """One number for all columns that make a place: 64 bits, so that two places hardly ever share one."""
    key: ColumnElement[int] = func.hashtextextended(cast(func.row(*columns), Text), 0)
    return key


def _standing(places: _Places) -> Any:
    people = places.people
    key = place_key(column for column in people.c if column.key != "subscriber_id")
    sure = cast(places.sure, ARRAY(BigInteger))
    either = cast([*places.sure, *places.perhaps], ARRAY(BigInteger))
    # Equal to any of an array, which PostgreSQL looks up by hash; the key is worked out once for each person.
    each = select(people.c.subscriber_id, key.label("key")).offset(0).subquery()
    return select(each.c.subscriber_id, (each.c.key == any_(sure)).label("is_sure")).where(
        each.c.key == any_(either)
    )


def _leaves_at(campaign: Campaign, zone_name: str | None, now: datetime) -> datetime | None:
    """When the campaign leaves for readers of this zone; None when it passes them over."""
    local = LocalTime.of(campaign.local)
    if local is None:
        return max(campaign.starts_at or now, now)
    departure = local.departure(local.zone_of(zone_name))
    return None if departure.is_skipped else max(departure.due_at, now)


def _asked_then(plan: CoursePlan, rules: Mapping[str, Rule], mails: Sequence[Mail]) -> list[str]:
    """What is asked only when these mails come due, of all the steps that stand on one day with them."""
    days = {mail.step.day for mail in mails}
    return _unsettled((step.condition for step in plan.steps if step.day in days), rules)


def _unsettled(texts: Iterable[str], rules: Mapping[str, Rule]) -> list[str]:
    return [sentence(rules[text]) for text in texts if text and _may_turn(rules[text])]


def _may_turn(rule: Rule) -> bool:
    """Whether what is known now tells nothing of a later moment: somebody may still click or answer, and
    days go by. What is said of somebody, such as a tag, is taken to stay."""
    for one in conditions(rule):
        match one:
            case Clicked() | Answered() | Reached() | Mailed() | Field(compare=Compare.DAY):
                return True
            case OnList(span=span) | InCourse(span=span) if span is not None:
                return True
    return False
