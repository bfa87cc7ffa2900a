"""What deliveries are part of, by the names in `Delivery.source`: a course, a campaign, a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.content.trial import Trial
from mailer.models import Campaign, CampaignState, Course, MailingList


@dataclass(frozen=True)
class Source:
    """`name` is as in `Delivery.source`; `id` the course's, campaign's or list's own.

    What a program sends is of the kind `mail`, by the list whose sender it comes from.

    `is_cancelled`: a campaign of which nothing more may leave. `other_sender_ids` are those of its variants.
    """

    name: str
    kind: str
    id: int
    sender_id: int | None
    is_cancelled: bool = False
    other_sender_ids: frozenset[int] = frozenset()


def read_sources(session: Session, names: Sequence[str]) -> list[Source]:
    """The sources of these names, with their senders."""
    wanted: dict[str, list[int]] = {}
    for name in names:
        kind, _, number = name.partition(":")
        wanted.setdefault(kind, []).append(int(number))
    found = []
    for kind, ids in wanted.items():
        senders = _senders(session, kind, ids)
        is_campaign = kind == "campaign"
        cancelled = _cancelled(session, ids) if is_campaign else frozenset()
        others = _senders_of_variants(session, ids) if is_campaign else {}
        found += [
            Source(
                *(f"{kind}:{number}", kind, number, senders.get(number), number in cancelled),
                other_sender_ids=others.get(number, frozenset()),
            )
            for number in ids
        ]
    return found


def is_cancelled(session: Session, source: Source) -> bool:
    """Whether it is a campaign that is cancelled by now; one row is read, and of others none."""
    return source.kind == "campaign" and source.id in _cancelled(session, [source.id])


def _senders(session: Session, kind: str, ids: Sequence[int]) -> dict[int, int | None]:
    model: Any = {"course": Course, "campaign": Campaign, "list": MailingList, "mail": MailingList}[kind]
    return dict(session.execute(select(model.id, model.sender_id).where(model.id.in_(ids))).all())


def _senders_of_variants(session: Session, ids: Sequence[int]) -> dict[int, frozenset[int]]:
    chosen = select(Campaign.id, Campaign.trial).where(Campaign.id.in_(ids), Campaign.trial != {})
    trials = {id_: Trial.of(values) for id_, values in session.execute(chosen)}
    return {
        id_: frozenset(one.sender_id for one in trial.variants if one.sender_id is not None)
        for id_, trial in trials.items()
        if trial is not None
    }


def _cancelled(session: Session, ids: Sequence[int]) -> frozenset[int]:
    chosen = select(Campaign.id).where(Campaign.id.in_(ids), Campaign.state == CampaignState.CANCELLED)
    return frozenset(session.execute(chosen).scalars())
