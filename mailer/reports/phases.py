"""How a campaign's canary and its test are doing: figures, and what comes next, in words. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from mailer import tally
from mailer.content.amounts import share_words
from mailer.content.canary import Sign
from mailer.content.trial import Measure, Trial, Variant
from mailer.db import written_out
from mailer.delivery.ledger import of_campaign
from mailer.feedback.verdicts import OPEN
from mailer.models import (
    Batch,
    Campaign,
    Click,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Event,
    EventKind,
    Lane,
    Subscriber,
    Suppression,
    SuppressionReason,
    Verdict,
)
from mailer.outbox import around_subscriber, campaign_source
from mailer.schedule.cap import FOR_ROOM

_S = DeliveryState


@dataclass(frozen=True)
class Signs:
    """What became of a canary of `size` people so far; see docs/campaigns.md for what each counts."""

    size: int
    accepted: int
    bounces: int
    complaints: int
    deferrals: int
    errors: int

    def of(self, sign: Sign) -> int:
        """How many there are of this sign."""
        return int(getattr(self, sign))

    def as_values(self) -> dict[str, int]:
        """As it is stored."""
        return asdict(self)


@dataclass(frozen=True)
class Score:
    """How one variant does: mails that servers took, and the people who clicked, opened, or left."""

    name: str
    accepted: int
    clicks: int = 0
    opens: int = 0
    unsubscribes: int = 0

    def of(self, measure: Measure) -> int:
        """How many people count by this measure; none when a person decides."""
        return 0 if measure is Measure.ASK else int(getattr(self, measure))

    def words(self, measure: Measure) -> str:
        """ "B 20 of 400 (5 %)"."""
        share = self.of(measure) / self.accepted if self.accepted else 0.0
        return f"{self.name.upper()} {self.of(measure):,} of {self.accepted:,} ({share_words(share)})"

    def as_values(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)


def is_anything_untried(session: Session, campaign: Campaign, now: datetime) -> bool:
    """Whether a mail that was let go has not been tried yet: it waits for its turn, or is with a worker.

    Somebody whose frequency cap has no room for days keeps nobody waiting.
    """
    source = campaign_source(campaign.id)
    untried = exists().where(
        Delivery.source == source,
        Delivery.lane == written_out(Lane.CAMPAIGN),
        Delivery.state == written_out(_S.PLANNED),
        Delivery.deferrals == 0,
        or_(Delivery.next_attempt_at <= now, ~Delivery.reason.startswith(FOR_ROOM)),
    )
    on_the_way = exists().where(Batch.source == source)
    return bool(session.execute(select(or_(untried, on_the_way))).scalar_one())


def signs_of(session: Session, campaign: Campaign, size: int) -> Signs:
    """What is known of a canary of `size` people, none but whom has been sent anything yet."""
    source = campaign_source(campaign.id)
    states: dict[str, int] = {}
    for (_, state), mails in tally.counts(session, [source]).items():
        states[state] = states.get(state, 0) + mails
    deferred = session.execute(
        select(func.count()).where(
            Delivery.source == source,
            Delivery.lane == written_out(Lane.CAMPAIGN),
            Delivery.state == written_out(_S.PLANNED),
            Delivery.deferrals > 0,
        )
    ).scalar_one()
    return Signs(
        size=size,
        accepted=states.get(_S.ACCEPTED, 0),
        bounces=states.get(_S.BOUNCED, 0) + states.get(_S.FAILED, 0) + bounced_later(session, campaign),
        complaints=complaints(session, campaign),
        deferrals=deferred,
        errors=states.get(_S.QUARANTINED, 0),
    )


def bounced_later(session: Session, campaign: Campaign) -> int:
    """Mails that a server took, and that came back all the same."""
    return session.execute(
        select(func.count(Event.delivery_id.distinct()))
        .join(Delivery, Delivery.id == Event.delivery_id)
        .where(
            Event.kind == EventKind.BOUNCED,
            Event.at >= campaign.starts_at,
            Delivery.state == _S.ACCEPTED,
            of_campaign(campaign),
        )
    ).scalar_one()


def complaints(session: Session, campaign: Campaign) -> int:
    """People who got it, and have called a mail of ours spam since."""
    emails = select(func.lower(Suppression.email)).where(
        Suppression.reason == SuppressionReason.COMPLAINT, Suppression.at >= campaign.starts_at
    )
    before, after = around_subscriber(DeliveryKind.CAMPAIGN, campaign.id, "-")
    key = literal(before) + cast(Subscriber.id, Text) + after
    return session.execute(
        select(func.count())
        .select_from(Subscriber)
        .join(Delivery, Delivery.dedup_key == key)
        .where(Subscriber.email_key.in_(emails), Delivery.state == _S.ACCEPTED, of_campaign(campaign))
    ).scalar_one()


def scores_of(session: Session, campaign: Campaign, trial: Trial) -> tuple[Score, ...]:
    """How each variant does at this moment, A first."""
    accepted = _by_message(
        session,
        select(Delivery.message_id, func.count())
        .where(of_campaign(campaign), Delivery.state == _S.ACCEPTED)
        .group_by(Delivery.message_id),
    )
    people = func.count(Click.subscriber_id.distinct())
    ours = Click.source == campaign_source(campaign.id)
    clicks = select(Click.message_id, people).where(ours, Click.verdict == Verdict.PERSON)
    opens = select(Click.message_id, people).where(ours, Click.link == OPEN)
    left = (
        select(Delivery.message_id, func.count(Event.subscriber_id.distinct()))
        .join(Delivery, Delivery.id == Event.delivery_id)
        .where(Event.kind == EventKind.UNSUBSCRIBED, Event.at >= campaign.starts_at, of_campaign(campaign))
        .group_by(Delivery.message_id)
    )
    found = [
        accepted,
        _by_message(session, clicks.group_by(Click.message_id)),
        _by_message(session, opens.group_by(Click.message_id)),
        _by_message(session, left),
    ]
    return tuple(Score(one.name, *(_sum(one, counted) for counted in found)) for one in trial.variants)


def _by_message(session: Session, query: Any) -> Mapping[int, int]:
    return dict(session.execute(query).all())


def _sum(variant: Variant, counted: Mapping[int, int]) -> int:
    return sum(counted.get(id_, 0) for id_ in variant.messages.values())
