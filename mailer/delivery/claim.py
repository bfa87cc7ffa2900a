"""Claiming: a worker takes a batch as its own, and asks once more whether each of its mails may leave."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.clock import local_date, zone_names
from mailer.db import as_array
from mailer.delivery import holds
from mailer.delivery.messages import Published, published
from mailer.delivery.sources import Source, read_sources
from mailer.delivery.verdict import Facts, its_hour, refusal
from mailer.errors import MailerError
from mailer.models import (
    Course,
    DeliveryKind,
    DeliveryState,
    EnrollmentState,
    Lane,
    MailingList,
    Sender,
    Step,
)
from mailer.render.tracking import NO_TRACKING, Tracking, tracking_of
from mailer.schedule.cap import NOTHING_BEFORE, NOWHERE, Cap, Look, cap_for, look_at, mails_before, room_after
from mailer.schedule.timing import ANY_DAY, Timing, own_hours, read_timing, window_on
from mailer.tally import Place

PAUSED = "paused"
"""Why a row is planned again as it was: it, or all of its batch, may not leave now."""

ITS_HOUR = "waits for its hour"

LESSONS = (DeliveryKind.STEP, DeliveryKind.REPEAT)

MORNING = time(8)
"""When a welcome leaves that a pause held back, for a reader who chose no hour: not at midnight."""

LEASE = timedelta(minutes=15)
"""How long a worker may keep a batch; measured by the database's clock, renewed with each group of results.

Longer than the ten minutes that a server may take to answer the final dot (RFC 5321 4.5.3.2.6), so
that a row is not given away while its answer is awaited.
"""


class Claimed(NamedTuple):
    """A row that is ours to send: what differs from mail to mail. `setting` holds the rest.

    `fields` is JSON as it is stored, and is only read when there are any.
    """

    id: int
    kind: str
    lane: str
    due_at: datetime
    created_at: datetime
    deferrals: int
    cuts: int
    crashes: int
    subscriber_id: int
    enrollment_id: int | None
    course_id: int | None
    step_id: int | None
    list_id: int
    message_id: int
    source: str
    email: str
    name: str
    language: str | None
    zone: str | None
    fields: dict[str, Any] | None
    subscription_id: int | None

    @property
    def place(self) -> Place:
        """Where it is counted."""
        return Place(self.lane, self.source, self.kind, self.step_id)


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """Who a mail comes from."""

    id: int
    name: str
    email: str
    reply_to: str
    postal_address: str
    tracking: Tracking = NO_TRACKING


@dataclass(frozen=True)
class Setting:
    """What the mails of a batch have in common: one look-up for all of them."""

    messages: Mapping[int, Published]
    list_titles: Mapping[int, str]
    list_senders: Mapping[int, int | None]
    course_zones: Mapping[int, str]
    hours: Mapping[int, tuple[time, Timing]]
    senders: Mapping[int, SenderFacts]
    source_senders: Mapping[str, int | None]

    def sender_of(self, row: Any) -> SenderFacts | None:
        """Who `row` comes from: its variant, its course or its campaign says so, or else its list."""
        message = self.messages.get(row.message_id)
        number = message.sender_id if message is not None else None
        number = number or self.source_senders.get(row.source) or self.list_senders.get(row.list_id)
        return self.senders.get(number) if number is not None else None


class Waiting(NamedTuple):
    """A claimed row that waits for a moment, and why; `because` and `no_room_since` as in `Delivery`."""

    row: Claimed
    until: datetime
    reason: str
    because: str = ""
    no_room_since: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """A batch that is ours while its token is: the rows to send, and those that end or wait instead.

    `is_paused`: its lane, source or sender was on hold at that moment, so that nothing of it may leave.
    """

    batch_id: int
    token: uuid.UUID
    source: Source
    lane: str
    transport_id: int | None
    domain_group: str | None
    made_at: datetime
    rows: Sequence[Claimed]
    refused: Sequence[tuple[Claimed, DeliveryState, str]]
    waiting: Sequence[Waiting]
    setting: Setting
    is_paused: bool


_CLAIM = text("""
    UPDATE batches SET token = :token, lease_until = clock_timestamp() + CAST(:lease AS interval)
    WHERE id = :id AND token IS NULL
    RETURNING id, lane, source, transport_id, domain_group, made_at, delivery_ids
    """)
_RENEW = text("""
    UPDATE batches SET lease_until = clock_timestamp() + CAST(:lease AS interval)
    WHERE id = :id AND token = :token RETURNING id
    """)
_LOCK = text("SELECT id FROM batches WHERE id = :id AND token = :token FOR UPDATE")


def claim_batch(session: Session, batch_id: int, now: datetime) -> Claim | None:
    """Take a batch under a new token and a lease; None when somebody else has it, or nothing is left of it.

    One conditional update, so asking twice sends once.
    """
    token = uuid.uuid4()
    batch = session.execute(_CLAIM, {"id": batch_id, "token": token, "lease": LEASE}).one_or_none()
    if batch is None:
        return None
    found = _rows(session, batch.delivery_ids, batch.id)
    setting = read_setting(session, [row for row, _ in found])
    (source,) = read_sources(session, [batch.source])
    stopped = holds.in_force(session)
    cap, elsewhere = (None, NOWHERE) if batch.lane == Lane.TRANSACTIONAL else cap_for(session, batch.source)
    rows, refused, waiting, looks = [], [], [], {}
    for row, known in found:
        try:
            verdict = refusal(_facts(row, known, setting, source, now))
            wait = None if verdict else _wait(row, known, setting, cap, now)
        except MailerError as error:
            # Such as a zone that is no more: this one is set aside, and keeps nobody waiting.
            verdict, wait = (DeliveryState.QUARANTINED, str(error)), None
        if verdict is not None:
            refused.append((row, *verdict))
        elif known.domain in stopped.domains:
            refused.append((row, DeliveryState.PLANNED, PAUSED))
        elif wait is not None:
            waiting.append(Waiting(row, *wait))
        else:
            rows.append(row)
            looks[row.id] = look_at(known, row.due_at, now)
    rows = _with_room(session, cap, elsewhere, rows, looks, refused, waiting, now)
    way = (batch.transport_id, batch.domain_group, batch.made_at)
    return Claim(
        batch.id,
        token,
        source,
        batch.lane,
        *way,
        rows,
        refused,
        waiting,
        setting,
        stopped.stops(batch.lane, source),
    )


def _with_room(
    session: Session,
    cap: Cap | None,
    elsewhere: str,
    rows: list[Claimed],
    looks: Mapping[int, Look],
    refused: list[Any],
    waiting: list[Waiting],
    now: datetime,
) -> list[Claimed]:
    """The rows that their readers have room for. Only of campaigns: a lesson found its day when planned.

    `elsewhere` is the zone of readers without one.
    """
    asked = [(row.id, row.subscriber_id) for row in rows if row.kind == DeliveryKind.CAMPAIGN]
    if cap is None or not asked:
        return rows
    mails = mails_before(session, asked, now)
    kept = []
    for row in rows:
        # One that newer zone rules do not have must not keep the whole batch from being claimed.
        zone = row.zone if row.zone in zone_names() else elsewhere
        full = room_after(cap, zone or elsewhere, mails.get(row.id, NOTHING_BEFORE), looks[row.id])
        if full is None:
            kept.append(row)
        elif full.until is None:
            refused.append((row, DeliveryState.SKIPPED, full.reason))
        else:
            waiting.append(Waiting(row, full.until, full.reason, full.because, full.since))
    return kept


def renew_lease(session: Session, claim: Claim) -> bool:
    """Keep a batch for another LEASE; whether it is still ours."""
    values = {"id": claim.batch_id, "token": claim.token, "lease": LEASE}
    return session.execute(_RENEW, values).one_or_none() is not None


def lock_batch(session: Session, batch_id: int, token: uuid.UUID) -> bool:
    """Whether the batch is still that token's; if so nobody takes it until the transaction ends."""
    return session.execute(_LOCK, {"id": batch_id, "token": token}).one_or_none() is not None


class Known(NamedTuple):
    """What is known about somebody's consent as a row is read."""

    dedup_key: str
    has_person: bool
    subscription_state: str | None
    suppression_reason: str | None
    suppressed_until: datetime | None
    enrollment_state: str | None
    enrollment_round: int | None
    domain: str | None
    send_time: time | None
    weekdays: int | None
    paused_until: date | None
    next_attempt_at: datetime
    no_room_since: datetime | None


# The person may have been erased since; the hash is the one of `addresses.address_hash`.
_ROWS = """
    SELECT d.id, d.kind, d.lane, d.due_at, d.created_at, d.deferrals, d.cuts, d.crashes, d.subscriber_id,
           d.enrollment_id, d.course_id, d.step_id, d.list_id, d.message_id, d.source,
           coalesce(s.email, ''), coalesce(s.name, ''), s.language, s.zone,
           CASE WHEN s.fields <> '{{}}'::jsonb THEN s.fields END, n.id,
           d.dedup_key, s.id IS NOT NULL, n.state, x.reason, x.until, e.state, e.round,
           split_part(s.email_key, '@', 2), e.send_time, e.weekdays, e.paused_until,
           d.next_attempt_at, d.no_room_since
    FROM deliveries AS d
    LEFT JOIN subscribers AS s ON s.id = d.subscriber_id
    LEFT JOIN subscriptions AS n ON n.subscriber_id = d.subscriber_id AND n.list_id = d.list_id
    LEFT JOIN enrollments AS e ON e.id = d.enrollment_id
    LEFT JOIN suppressions AS x ON x.email_hash = sha256(convert_to(s.email_key, 'UTF8'))
    WHERE d.id = ANY (CAST(:ids AS bigint[])) {wish}
    ORDER BY d.next_attempt_at, d.id
"""
_OURS = text(_ROWS.format(wish="AND d.state = 'sending' AND d.batch_id = :batch"))
_ANY = text(_ROWS.format(wish=""))
_WIDTH = len(Claimed._fields)


def _rows(session: Session, ids: Sequence[int], batch_id: int | None) -> list[tuple[Claimed, Known]]:
    values: dict[str, Any] = {"ids": as_array(ids)}
    if batch_id is not None:
        values["batch"] = batch_id
    found = session.execute(_ANY if batch_id is None else _OURS, values).all()
    return [(Claimed._make(row[:_WIDTH]), Known._make(row[_WIDTH:])) for row in found]


def rows_with_a_worker(session: Session, batch_id: int, ids: Sequence[int]) -> list[Claimed]:
    """The rows of a batch that have not gone on, whoever has it."""
    return [row for row, _ in _rows(session, ids, batch_id)]


def read_mail(session: Session, delivery_id: int) -> tuple[Claimed, Setting] | None:
    """What the mail of this delivery is made of, to show it again; None when it is not there any more."""
    found = [row for row, known in _rows(session, [delivery_id], None) if known.has_person]
    return (found[0], read_setting(session, found)) if found else None


def read_setting(session: Session, rows: Sequence[Claimed]) -> Setting:
    """What these rows have in common: messages, lists, courses and senders, by their ids."""
    list_ids = {row.list_id for row in rows}
    course_ids = {row.course_id for row in rows if row.course_id is not None}
    step_ids = {row.step_id for row in rows if row.step_id is not None}
    lists = session.execute(
        select(MailingList.id, MailingList.title, MailingList.sender_id).where(MailingList.id.in_(list_ids))
    ).all()
    sources = read_sources(session, sorted({row.source for row in rows}))
    senders = {source.name: source.sender_id for source in sources}
    list_senders = {row.id: row.sender_id for row in lists}
    messages = published(session, {row.message_id for row in rows})
    own_senders = {message.sender_id for message in messages.values()}
    sender_ids = {*senders.values(), *list_senders.values(), *own_senders} - {None}
    return Setting(
        messages,
        {row.id: row.title for row in lists},
        list_senders,
        _pairs(session, select(Course.id, Course.zone).where(Course.id.in_(course_ids)), course_ids),
        _hours(session, step_ids),
        _senders(session, sender_ids),
        senders,
    )


def _hours(session: Session, step_ids: set[int]) -> dict[int, tuple[time, Timing]]:
    rows = session.execute(select(Step.id, Step.send_time, Step.timing).where(Step.id.in_(step_ids)))
    return {row.id: (row.send_time, read_timing(row.timing)) for row in rows}


def _pairs(session: Session, query: Any, ids: set[int]) -> dict[int, Any]:
    return dict(session.execute(query).all()) if ids else {}


def _senders(session: Session, ids: set[int | None]) -> dict[int, SenderFacts]:
    rows = session.execute(
        select(
            *(Sender.id, Sender.name, Sender.email, Sender.reply_to, Sender.postal_address),
            *(Sender.track_clicks, Sender.track_opens, Sender.decoy),
        ).where(Sender.id.in_(ids))
    )
    return {row.id: SenderFacts(*row[:5], tracking_of(*row[5:])) for row in rows}


def _facts(row: Claimed, known: Known, setting: Setting, source: Source, now: datetime) -> Facts:
    has_left = known.enrollment_state == EnrollmentState.STOPPED or (
        known.enrollment_round is not None
        and int(known.dedup_key.rpartition(":")[2]) != known.enrollment_round
    )
    is_over = known.suppressed_until is not None and known.suppressed_until <= now
    return Facts(
        row.kind,
        known.subscription_state,
        None if is_over else known.suppression_reason,
        has_left_course=has_left,
        has_sender=setting.sender_of(row) is not None,
        has_person=known.has_person,
        is_cancelled=source.is_cancelled,
    )


def _wait(
    row: Claimed, known: Known, setting: Setting, cap: Cap | None, now: datetime
) -> tuple[datetime, str] | None:
    """Until when a mail of a course has to wait, and for what; None when it may leave now."""
    if row.course_id is None:
        return None
    zone = row.zone or setting.course_zones[row.course_id]
    if row.kind == DeliveryKind.WELCOME and known.paused_until is not None:
        goes_on_at = window_on(known.paused_until, known.send_time or MORNING, ANY_DAY, zone).opens_at
        return (goes_on_at, outbox.PAUSED_BY_READER) if now < goes_on_at else None
    if row.kind not in LESSONS or row.step_id is None:
        return None
    send_time, timing = own_hours(*setting.hours[row.step_id], known.send_time, known.weekdays)
    # Planned before its reader paused: it comes when they want to go on, and what follows comes after it.
    if known.paused_until is not None and known.paused_until > local_date(now, zone):
        return window_on(known.paused_until, send_time, timing, zone).opens_at, outbox.PAUSED_BY_READER
    # An hour that readers chose for themselves counts for more than quiet hours.
    quiet = cap.quiet if cap is not None and known.send_time is None else None
    until = its_hour(row.due_at, send_time, timing, zone, now, quiet)
    return None if until is None else (until, ITS_HOUR)
