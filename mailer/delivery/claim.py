"""Claiming: a worker takes planned rows as its own, after asking once more whether each may be mailed."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, update
from sqlalchemy.orm import Session

from mailer.delivery.messages import Published, published
from mailer.delivery.states import ENDS
from mailer.delivery.verdict import facts_of, its_hour, refusal
from mailer.models import (
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    MailingList,
    Sender,
    Step,
    Subscriber,
    Subscription,
    Suppression,
)

LEASE = timedelta(minutes=15)
"""How long a worker may keep a row; measured by the database's clock, renewed with each group of results.

Longer than the ten minutes that a server may take to answer the final dot (RFC 5321 4.5.3.2.6), so
that a row is not given away while its answer is awaited.
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is ours to send, with all that its mail needs."""

    id: int
    token: uuid.UUID
    kind: DeliveryKind
    lane: str
    due_at: datetime
    created_at: datetime
    deferrals: int
    cuts: int
    crashes: int
    subscriber_id: int
    subscription_id: int | None
    enrollment_id: int | None
    course_id: int | None
    email: str
    name: str
    language: str | None
    zone: str | None
    fields: dict[str, Any]
    message: Published
    list_id: int
    list_title: str
    sender_name: str
    sender_email: str
    reply_to: str
    postal_address: str


def claim_batch(
    session: Session, delivery_ids: Sequence[int], now: datetime
) -> tuple[list[Claimed], Counter[DeliveryState]]:
    """Take those of `delivery_ids` that may leave at `now`, under a token and a lease.

    Rows that another worker has, or that are not due any more, are left alone, so asking twice sends
    once. Rows that must not be mailed end here; their counts by state are the second value.
    """
    rows = session.execute(
        _mails()
        .where(
            Delivery.id.in_(delivery_ids),
            Delivery.state == DeliveryState.PLANNED,
            Delivery.next_attempt_at <= now,
        )
        .order_by(Delivery.next_attempt_at, Delivery.id)
        .with_for_update(of=Delivery, skip_locked=True)
    ).all()
    ended: dict[tuple[DeliveryState, str], list[int]] = defaultdict(list)
    free = []
    for row in rows:
        verdict = refusal(facts_of(row))
        if verdict is None and (until := its_hour(row, now)) is not None:
            session.execute(
                update(Delivery)
                .where(Delivery.id == row.id)
                .values(next_attempt_at=until, offered_until=None, reason="waits for its hour")
            )
        elif verdict is None:
            free.append(row)
        else:
            ended[verdict].append(row.id)
    for (state, reason), ids in ended.items():
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids))
            .values(
                state=state,
                reason=reason,
                settled_at=now if state in ENDS else None,
                offered_until=None,
            )
        )
    token = uuid.uuid4()
    _take(session, [row.id for row in free], token)
    counts: Counter[DeliveryState] = Counter()
    for (state, _), ids in ended.items():
        counts[state] += len(ids)
    messages = published(session, {row.message_id for row in free})
    return [_claimed(row, token, messages) for row in free], counts


def renew_lease(session: Session, token: uuid.UUID) -> int:
    """Keep what is left of a batch for another LEASE; returns how many rows are still ours."""
    renewed = session.execute(
        update(Delivery)
        .where(Delivery.token == token, Delivery.state == DeliveryState.SENDING)
        .values(lease_until=func.clock_timestamp() + LEASE)
        .returning(Delivery.id)
    )
    return len(renewed.all())


def read_mail(session: Session, delivery_id: int) -> Claimed | None:
    """What the mail of this delivery is made of, to show it again; None when it is not there any more."""
    row = session.execute(_mails().where(Delivery.id == delivery_id)).one_or_none()
    return _claimed(row, uuid.UUID(int=0), published(session, {row.message_id})) if row else None


def claimed_rows(session: Session, delivery_ids: Sequence[int]) -> list[Claimed]:
    """Rows that somebody has claimed, each with the token it was claimed under."""
    rows = session.execute(
        _mails().add_columns(Delivery.token).where(Delivery.id.in_(delivery_ids)).order_by(Delivery.id)
    ).all()
    messages = published(session, {row.message_id for row in rows})
    return [_claimed(row, row.token, messages) for row in rows]


def _mails() -> Select[Any]:
    """Deliveries with the person, message, list and sender of each, and what is known of consent."""
    columns = (
        *(Delivery.id, Delivery.kind, Delivery.lane, Delivery.due_at, Delivery.created_at),
        *(Delivery.deferrals, Delivery.cuts, Delivery.crashes, Delivery.dedup_key),
        *(Delivery.subscriber_id, Delivery.enrollment_id, Delivery.course_id),
        *(Enrollment.state.label("enrollment_state"), Enrollment.round.label("enrollment_round")),
        *(Step.send_time, Course.zone.label("course_zone")),
        *(Subscription.id.label("subscription_id"), Subscription.state.label("subscription_state")),
        Suppression.reason.label("suppression_reason"),
        *(Subscriber.email, Subscriber.name, Subscriber.language, Subscriber.zone, Subscriber.fields),
        Delivery.message_id,
        *(Delivery.list_id, MailingList.title.label("list_title")),
        *(Sender.name.label("sender_name"), Sender.email.label("sender_email")),
        *(Sender.reply_to, Sender.postal_address),
    )
    return (
        select(*columns)
        .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
        .join(MailingList, MailingList.id == Delivery.list_id)
        .outerjoin(Course, Course.id == Delivery.course_id)
        .outerjoin(Step, Step.id == Delivery.step_id)
        .outerjoin(Enrollment, Enrollment.id == Delivery.enrollment_id)
        .outerjoin(Sender, Sender.id == func.coalesce(Course.sender_id, MailingList.sender_id))
        .outerjoin(
            Subscription,
            and_(
                Subscription.subscriber_id == Delivery.subscriber_id,
                Subscription.list_id == Delivery.list_id,
            ),
        )
        .outerjoin(Suppression, Suppression.email_hash == _hash_of(Subscriber.email_key))
    )


def _hash_of(email_key: Any) -> ColumnElement[bytes]:
    """The same as `addresses.address_hash`, in SQL."""
    return func.sha256(func.convert_to(email_key, "UTF8"))


def _take(session: Session, ids: Sequence[int], token: uuid.UUID) -> None:
    if ids:
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(ids), Delivery.state == DeliveryState.PLANNED)
            .values(
                state=DeliveryState.SENDING,
                token=token,
                lease_until=func.clock_timestamp() + LEASE,
                offered_until=None,
                attempts=Delivery.attempts + 1,
            )
        )


def _claimed(row: Any, token: uuid.UUID, messages: Mapping[int, Published]) -> Claimed:
    """What a mail needs of a row; the rest was read to decide whether it may leave."""
    values = {name: getattr(row, name) for name in _OF_THE_ROW}
    values["kind"] = DeliveryKind(row.kind)
    return Claimed(token=token, message=messages[row.message_id], **values)


_OF_THE_ROW = tuple(each.name for each in fields(Claimed) if each.name not in {"token", "message"})
