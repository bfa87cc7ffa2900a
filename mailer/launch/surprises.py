"""What is surprising about sending a campaign: asked apart from whether to send it at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.content.trial import Trial
from mailer.models import Campaign, CampaignState, Message, SeriesOccurrence

TIMES_LARGER = 10
"""An audience so many times that of the last campaign to the same lists is asked about."""
RECENTLY = timedelta(days=14)
"""For how long the same message again is asked about: last week's is seven days old and some minutes."""

_UNDER_WAY = (CampaignState.SENDING, CampaignState.FINISHED)


class Surprise(StrEnum):
    """What somebody has to agree to by name; the words are those of the commands' options."""

    MUCH_LARGER = "much-larger"
    SAME_MESSAGE = "same-message"


@dataclass(frozen=True)
class Surprising:
    """A surprise, and what is so surprising, as a sentence."""

    what: Surprise
    words: str


def surprises(session: Session, campaign: Campaign, people: int, now: datetime) -> tuple[Surprising, ...]:
    """Everything that is surprising about sending the campaign to so many `people` now."""
    return (*_much_larger(session, campaign, people), *_same_message(session, campaign, now))


def _much_larger(session: Session, campaign: Campaign, people: int) -> Iterator[Surprising]:
    others = select(Campaign.slug, Campaign.audience).where(
        Campaign.id != campaign.id,
        Campaign.state.in_(_UNDER_WAY),
        Campaign.materialised_at.is_not(None),
        Campaign.audience > 0,
        Campaign.list_ids.contains(campaign.list_ids),
        Campaign.list_ids.contained_by(campaign.list_ids),
    )
    last = session.execute(others.order_by(Campaign.starts_at.desc(), Campaign.id.desc()).limit(1)).first()
    if last is not None and people >= TIMES_LARGER * last.audience:
        words = (
            f"{people:,} people are {people // last.audience} times the {last.audience:,} of {last.slug}, "
            "the last campaign to these lists."
        )
        yield Surprising(Surprise.MUCH_LARGER, words)


def _of_the_same_series(campaign: Campaign) -> Select[int | None]:
    """The ids of the campaigns that the campaign's series has made; none when it is not of one."""
    series = select(SeriesOccurrence.series_id).where(SeriesOccurrence.campaign_id == campaign.id)
    return select(SeriesOccurrence.campaign_id).where(
        SeriesOccurrence.series_id.in_(series), SeriesOccurrence.campaign_id.is_not(None)
    )


def _same_message(session: Session, campaign: Campaign, now: datetime) -> Iterator[Surprising]:
    """Another campaign that said the same in any language.

    One that is sent again on purpose is none, nor one of the same series, which says the same each time.
    """
    digests = select(Message.digest).where(Message.id.in_(_all_messages(campaign.messages, campaign.trial)))
    same = set(session.execute(select(Message.id).where(Message.digest.in_(digests))).scalars())
    sent = session.execute(
        select(Campaign.slug, Campaign.starts_at, Campaign.messages, Campaign.trial)
        .where(
            Campaign.id != campaign.id,
            Campaign.slug != Aim.of(campaign.aim).again_of,
            Campaign.id.not_in(_of_the_same_series(campaign)),
            or_(
                Campaign.state.in_((*_UNDER_WAY, CampaignState.SCHEDULED)),
                # What was cancelled in the middle has reached some.
                Campaign.audience > 0,
            ),
            Campaign.starts_at > now - RECENTLY,
        )
        .order_by(Campaign.starts_at.desc())
    )
    for slug, starts_at, messages, trial in sent:
        if same & _all_messages(messages, trial):
            when = "was sent" if starts_at <= now else "is to be sent"
            words = f"The same message {when} as {slug} on {starts_at:%Y-%m-%d}."
            yield Surprising(Surprise.SAME_MESSAGE, words)
            return


def _all_messages(messages: Mapping[str, int], trial: Mapping[str, Any]) -> set[int]:
    """The ids of everything that some reader gets: also of the variants, if it has any."""
    tested = Trial.of(trial)
    others = tested.variants if tested else ()
    return {*messages.values(), *(id_ for one in others for id_ in one.messages.values())}
