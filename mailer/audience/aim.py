"""Who of a campaign's lists it is for: in a segment, not excluded, not reached by another campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, exists, literal, or_, select, true
from sqlalchemy.orm import Session

from mailer.audience.recipients import is_suppressed
from mailer.audience.segments import rule_of
from mailer.errors import Refused
from mailer.models import (
    Campaign,
    Click,
    Delivery,
    DeliveryKind,
    DeliveryState,
    MailingList,
    Subscriber,
    Subscription,
    SubscriptionState,
    Verdict,
)
from mailer.outbox import around_subscriber, campaign_source, first_id, period_of
from mailer.rules import as_sql

_S = DeliveryState

MISSED = (_S.BOUNCED, _S.FAILED, _S.SKIPPED, _S.CANCELLED)
"""Ends at which somebody surely did not get a mail. One that is uncertain may well have arrived."""

NEVER_WILL = (*MISSED, _S.SUPPRESSED)


class Again(StrEnum):
    """Whom a campaign is sent to again."""

    MISSED = "missed"
    NOT_CLICKED = "not-clicked"


@dataclass(frozen=True)
class Aim:
    """Who of the people active on its lists a campaign is for, by slugs; nothing said means all of them.

    `not_if_sent` are campaigns whose readers are left out; `again_of` is one whose readers it goes to
    again: those that `again_to` names.
    """

    segment: str = ""
    exclude_segment: str = ""
    exclude_lists: tuple[str, ...] = ()
    not_if_sent: tuple[str, ...] = ()
    again_of: str = ""
    again_to: str = ""

    def as_values(self) -> dict[str, Any]:
        """As it is stored: what is said, and nothing else."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value
        }

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Aim:
        """What was stored."""
        read: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**read)

    def again_as(self, was: Aim) -> Aim:
        """The same for a campaign that was to send another again: it still does, whatever else is chosen."""
        if not was.again_of:
            return self
        # Whoever got an earlier one that was sent again stays left out.
        left_out = tuple(dict.fromkeys((*self.not_if_sent, *was.not_if_sent)))
        return replace(self, again_of=was.again_of, again_to=was.again_to, not_if_sent=left_out)

    def within(self) -> str:
        """Whom it is for, for a sentence: "in segment keen"; empty, everybody."""
        again = {
            Again.MISSED: f"who did not get {self.again_of}",
            Again.NOT_CLICKED: f"who got {self.again_of} and clicked nothing in it",
        }
        words = [f"in segment {self.segment}"] if self.segment else []
        if self.again_to:
            words.append(again[Again(self.again_to)])
        return " and ".join(words)

    def without(self) -> str:
        """Whom it leaves out, for a sentence; empty, nobody."""
        words = [f"in segment {self.exclude_segment}"] if self.exclude_segment else []
        words += [f"on {slug}" for slug in self.exclude_lists]
        words += [f"who got {slug}" for slug in self.not_if_sent]
        return " or ".join(words)


@dataclass(frozen=True)
class Narrowing:
    """An aim as conditions on subscribers: whom it is `inside` for, and who of these is `excluded`.

    Each exclusion keeps its words, so that `why` can name the one that held.
    """

    inside: ColumnElement[bool]
    exclusions: tuple[tuple[str, ColumnElement[bool]], ...]

    @property
    def excluded(self) -> ColumnElement[bool]:
        """Whether any exclusion holds."""
        return or_(*(condition for _, condition in self.exclusions)) if self.exclusions else ~true()

    @property
    def chosen(self) -> ColumnElement[bool]:
        """Whether somebody belongs to the audience, once their subscription is active."""
        # One by one, so that the planner may join each of them.
        return and_(self.inside, *(~condition for _, condition in self.exclusions))


def narrowing(session: Session, aim: Aim, now: datetime) -> Narrowing:
    """The conditions of an aim at `now`; raises NotFound or Refused when what it names is not there."""
    inside: list[ColumnElement[bool]] = [true()]
    if aim.segment:
        inside.append(as_sql(rule_of(session, aim.segment), now))
    if aim.again_of:
        inside.append(_again(_campaign(session, aim.again_of), Again(aim.again_to), now))
    exclusions = []
    if aim.exclude_segment:
        words = f"in segment {aim.exclude_segment}"
        exclusions.append((words, as_sql(rule_of(session, aim.exclude_segment), now)))
    exclusions += [(f"on {slug}", _active_on(slug)) for slug in aim.exclude_lists]
    for slug in aim.not_if_sent:
        exclusions.append((f"got {slug}", _mail_of(_campaign(session, slug), but_not=NEVER_WILL)))
    return Narrowing(and_(*inside), tuple(exclusions))


def why_not(session: Session, aim: Aim, subscriber_id: int, now: datetime) -> str | None:
    """What keeps somebody out of what the aim is for; None when nothing does. Raises as `narrowing` does."""
    conditions = narrowing(session, aim, now)
    answers = session.execute(
        select(conditions.inside, *(condition for _, condition in conditions.exclusions))
        .select_from(Subscriber)
        .where(Subscriber.id == subscriber_id)
    ).one()
    if not answers[0]:
        return f"not {aim.within()}"
    held = [words for (words, _), holds in zip(conditions.exclusions, answers[1:], strict=True) if holds]
    return f"excluded: {held[0]}" if held else None


def _active_on(slug: str) -> ColumnElement[bool]:
    return exists(
        select(Subscription.id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(
            Subscription.subscriber_id == Subscriber.id,
            Subscription.state == SubscriptionState.ACTIVE,
            MailingList.slug == slug,
        )
        .correlate(Subscriber)
    )


def _again(first: Campaign, to: Again, now: datetime) -> ColumnElement[bool]:
    if to == Again.NOT_CLICKED:
        return and_(_mail_of(first, only=(_S.ACCEPTED,)), ~_clicked(first))
    # Whoever bounced for good would only be suppressed once more.
    return and_(_mail_of(first, only=MISSED), ~is_suppressed(now))


def _mail_of(
    campaign: Campaign, only: tuple[_S, ...] = (), but_not: tuple[_S, ...] = ()
) -> ColumnElement[bool]:
    """Whether somebody has a mail of the campaign in one of these states.

    Looked up by its key, of which there is one, in the campaign's own month: also where nothing is known yet
    of how many mails somebody has, as after a large campaign, no plan reads all of them for each person.
    """
    if campaign.starts_at is None:
        return ~true()
    period = period_of(campaign.starts_at)
    before, after = around_subscriber(DeliveryKind.CAMPAIGN, campaign.id, "-")
    chosen = select(Delivery.id).where(
        Delivery.dedup_key == literal(before) + cast(Subscriber.id, Text) + after,
        Delivery.id >= first_id(period),
        Delivery.id < first_id(period + 1),
    )
    if only:
        chosen = chosen.where(Delivery.state.in_(only))
    if but_not:
        chosen = chosen.where(Delivery.state.not_in(but_not))
    return exists(chosen.correlate(Subscriber))


def _clicked(campaign: Campaign) -> ColumnElement[bool]:
    """Whether somebody, and no machine for them, followed a link of the campaign."""
    return exists(
        select(Click.id)
        .where(
            Click.subscriber_id == Subscriber.id,
            Click.source == campaign_source(campaign.id),
            Click.verdict == Verdict.PERSON,
        )
        .correlate(Subscriber)
    )


def _campaign(session: Session, slug: str) -> Campaign:
    found = session.execute(select(Campaign).where(Campaign.slug == slug)).scalar_one_or_none()
    if found is None:
        raise Refused(f"There is no campaign {slug!r} any more, which this one goes by.")
    return found
