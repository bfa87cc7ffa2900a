"""Mails by page, as people look for them, at a cost that does not grow with their number.

What is open or set aside is found by the indexes of just that. For the rest the newest LOOK_AT mails are
looked through at a time; when too few of them fit, the page says so and leads on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from mailer import outbox, tally
from mailer.db import as_array
from mailer.delivery.reasons import MEANING, ReasonKind
from mailer.errors import NotFound, Refused
from mailer.models import (
    Attempt,
    Batch,
    Campaign,
    Course,
    Delivery,
    DeliveryState,
    Lane,
    Subscriber,
    Transport,
)
from mailer.reports.ledger import LedgerRow, rows_of
from mailer.reports.why import Decision, why
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.courses import get_course

PAGE = 50
LOOK_AT = 5_000
LAST_ID = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Look:
    """What somebody looks for; what is empty may be anything. `kind` is a word of ReasonKind."""

    state: str = ""
    lane: str = ""
    course: str = ""
    campaign: str = ""
    domain: str = ""
    reason: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        for word, words in ((self.state, DeliveryState), (self.lane, Lane), (self.kind, ReasonKind)):
            if word and word not in list(words):
                raise Refused(f"{word!r} is none of {', '.join(words)}.")

    @property
    def is_loose(self) -> bool:
        """Whether rows must be read to know if they fit."""
        return bool(self.domain or self.reason or self.lane)


@dataclass(frozen=True)
class DeliveriesPage:
    """Some mails; `next` is where to go on, empty at the end. `is_cut`: looked through, and not all seen."""

    rows: list[LedgerRow]
    next: str
    is_cut: bool


_COLUMNS = "d.id, d.next_attempt_at, d.state, d.lane, d.source, d.subscriber_id, d.reason"

# Of each source as many rows as `each`. What is beyond the last of them where a source has more is left out:
# all that comes before has been seen. That the state is one of the partial index the planner sees by itself;
# said twice, it would think that there are few, and sort them all.
_ASIDE = """
    WITH few AS MATERIALIZED (
        SELECT d.* FROM unnest(CAST(:sources AS text[])) AS s (source) CROSS JOIN LATERAL (
            SELECT {columns}, row_number() OVER (ORDER BY d.id DESC) AS n FROM deliveries AS d
            WHERE d.source = s.source AND d.state = '{state}' AND d.id < :before
            ORDER BY d.id DESC LIMIT :each
        ) AS d
    ), full_ones AS MATERIALIZED (SELECT max(id) AS end_id FROM few WHERE n = :each)
    SELECT {columns}, end_id IS NOT NULL AS is_full FROM few AS d, full_ones
    WHERE end_id IS NULL OR d.id >= end_id
"""
_PLANNED = """
    WITH few AS MATERIALIZED (
        SELECT d.* FROM unnest(CAST(:lanes AS text[]), CAST(:sources AS text[])) AS s (lane, source)
        CROSS JOIN LATERAL (
            SELECT {columns}, row_number() OVER (ORDER BY d.next_attempt_at, d.id) AS n FROM deliveries AS d
            WHERE d.state = 'planned' AND d.lane = s.lane AND d.source = s.source
              AND (d.next_attempt_at, d.id) > (:after, :after_id)
            ORDER BY d.next_attempt_at, d.id LIMIT :each
        ) AS d
    ), full_ones AS MATERIALIZED (
        SELECT next_attempt_at AS end_at, id AS end_id FROM few WHERE n = :each
        ORDER BY next_attempt_at, id LIMIT 1
    )
    SELECT {columns}, end_id IS NOT NULL AS is_full FROM few AS d LEFT JOIN full_ones ON true
    WHERE end_id IS NULL OR (d.next_attempt_at, d.id) <= (end_at, end_id)
"""
_NEWEST = """
    SELECT {columns}, false AS is_full FROM deliveries AS d
    WHERE d.id < :before AND d.id >= :from_id ORDER BY d.id DESC LIMIT :look_at
"""
_REFUSED = """
    SELECT {columns}, false AS is_full FROM deliveries AS d
    WHERE d.id < :before AND d.id = ANY (ARRAY(
        SELECT a.delivery_id FROM attempts AS a WHERE a.kind = :kind ORDER BY a.at DESC LIMIT :look_at
    )) ORDER BY d.id DESC
"""
_SENDING = """
    SELECT {columns}, false AS is_full FROM deliveries AS d
    WHERE d.id < :before AND d.id = ANY (ARRAY(SELECT unnest(b.delivery_ids) FROM batches AS b))
    ORDER BY d.id DESC LIMIT :look_at
"""
_PAGE = """
    WITH looked AS MATERIALIZED ({looked})
    SELECT d.id, d.next_attempt_at, true AS fits
    FROM (
        SELECT w.id, w.next_attempt_at FROM looked AS w {join} WHERE {fits} ORDER BY {order} LIMIT :most
    ) AS d
    UNION ALL
    (SELECT w.id, w.next_attempt_at, false FROM looked AS w ORDER BY {back} LIMIT 1)
    UNION ALL
    SELECT CASE WHEN bool_or(is_full) THEN greatest(count(*), :look_at) ELSE count(*) END, NULL, NULL
    FROM looked
"""


def deliveries_page(session: Session, look: Look, at: str = "", *, most: int = PAGE) -> DeliveriesPage:
    """The mails that fit, newest first; what is planned by its turn. `at` is an earlier page's `next`.

    Raises NotFound or Refused.
    """
    is_planned = look.state == DeliveryState.PLANNED and not look.kind
    looked, values = _where_to_look(session, look)
    values |= _begin(at, is_planned=is_planned)
    pairs = max(1, values.pop("pairs", 1))
    values |= {"look_at": LOOK_AT, "most": most + 1}
    values["each"] = max(LOOK_AT // pairs, most + 1) if look.is_loose else most + 1
    fits, more = _fits(session, look)
    order = "w.next_attempt_at, w.id" if is_planned else "w.id DESC"
    query = _PAGE.format(
        looked=looked.format(state=look.state, columns=_COLUMNS),
        join="JOIN subscribers AS p ON p.id = w.subscriber_id" if look.domain else "",
        fits=" AND ".join(["true", *fits]),
        order=order,
        back="w.next_attempt_at DESC, w.id DESC" if is_planned else "w.id",
    )
    found = session.execute(text(query), values | more).all()
    turn = (lambda row: (row.next_attempt_at, row.id)) if is_planned else (lambda row: -row.id)
    fitting = sorted((row for row in found if row.fits), key=turn)
    last = next((row for row in found if row.fits is False), None)
    looked_at = next(row.id for row in found if row.fits is None)
    is_cut = len(fitting) <= most and looked_at >= values["look_at"] and looked is not _REFUSED
    shown = fitting[:most]
    end = shown[-1] if len(fitting) > most else last if is_cut else None
    rows = {row.id: row for row in rows_of(session, [row.id for row in shown])}
    ordered = [rows[row.id] for row in shown if row.id in rows]
    return DeliveriesPage(ordered, _token(end, is_planned=is_planned), is_cut)


def _where_to_look(session: Session, look: Look) -> tuple[str, dict[str, Any]]:
    """The query of what is looked through, and its values."""
    if look.kind:
        return _REFUSED, {"kind": look.kind}
    if look.state == DeliveryState.SENDING:
        return _SENDING, {}
    if look.state in ("", DeliveryState.ACCEPTED):
        return _NEWEST, {"from_id": 0}
    pairs = _pairs(session, look)
    if look.state == DeliveryState.PLANNED:
        lanes, sources = as_array(lane for lane, _ in pairs), as_array(source for _, source in pairs)
        return _PLANNED, {"lanes": lanes, "sources": sources, "pairs": len(pairs)}
    names = sorted({source for _, source in pairs})
    return _ASIDE, {"sources": as_array(names), "pairs": len(names)}


def _pairs(session: Session, look: Look) -> list[tuple[str, str]]:
    """The lanes and sources with mails in the state that is looked for, by the tallies."""
    sources = _sources(session, look)
    return sorted(
        {
            (place.lane, place.source)
            for (place, state), mails in tally.counts(session, sources).items()
            if state == look.state and mails > 0 and look.lane in ("", place.lane)
        }
    )


def _sources(session: Session, look: Look) -> list[str] | None:
    if look.course:
        course = get_course(session, look.course)
        return [f"course:{course.id}", f"list:{course.list_id}"]
    if look.campaign:
        return [outbox.campaign_source(get_campaign(session, look.campaign).id)]
    return None


def _fits(session: Session, look: Look) -> tuple[list[str], dict[str, Any]]:
    """What is asked of each row that is looked at."""
    fits, values = [], dict[str, Any]()
    for name in ("state", "lane"):
        if getattr(look, name):
            fits.append(f"w.{name} = :fit_{name}")
            values[f"fit_{name}"] = getattr(look, name)
    sources = _sources(session, look)
    if sources is not None:
        fits.append("w.source = ANY (CAST(:fit_sources AS text[]))")
        values["fit_sources"] = as_array(sources)
    if look.reason:
        fits.append("strpos(lower(w.reason), lower(:fit_reason)) > 0")
        values["fit_reason"] = look.reason
    if look.domain:
        fits.append("split_part(p.email_key, '@', 2) = lower(:fit_domain)")
        values["fit_domain"] = look.domain.strip().removeprefix("@")
    return fits, values


def _begin(at: str, *, is_planned: bool) -> dict[str, Any]:
    moment, _, number = at.rpartition("~")
    try:
        after = EPOCH + timedelta(microseconds=int(moment or 0))
        last = int(number) if number else None
    except (ValueError, OverflowError):
        raise Refused("This address is not one of ours; begin again at the first page.") from None
    if last is not None and not 0 <= last <= LAST_ID:
        raise Refused("This address is not one of ours; begin again at the first page.")
    if is_planned:
        return {"after": after, "after_id": last or 0}
    return {"before": LAST_ID if last is None else last}


def _token(end: Any, *, is_planned: bool) -> str:
    if end is None:
        return ""
    return (
        f"{(end.next_attempt_at - EPOCH) // timedelta(microseconds=1)}~{end.id}"
        if is_planned
        else str(end.id)
    )


@dataclass(frozen=True)
class Tried:
    """One conversation about a mail that did not end with its first acceptance."""

    at: datetime
    outcome: str
    transport: str
    kind: str
    said: str


@dataclass(frozen=True)
class DeliveryView:
    """One mail, each attempt that failed, and all that was decided about it. One that `is_offered` is in a
    batch that no worker has begun."""

    row: LedgerRow
    lane: str
    subscriber_id: int
    message_id: int
    deferrals: int
    tried: tuple[Tried, ...]
    story: tuple[Decision, ...]
    is_offered: bool = False


def delivery_view(session: Session, delivery_id: int) -> DeliveryView:
    """The mail of this id; raises NotFound."""
    rows = rows_of(session, [delivery_id]) if 0 <= delivery_id <= LAST_ID else []
    if not rows:
        raise NotFound("There is no such mail; those of old months, and of people who were erased, are gone.")
    row = rows[0]
    mail = session.scalars(select(Delivery).where(Delivery.id == delivery_id)).one()
    email = session.scalars(select(Subscriber.email).where(Subscriber.id == mail.subscriber_id)).one()
    attempts = session.execute(
        select(Attempt, Transport.slug)
        .outerjoin(Transport, Transport.id == Attempt.transport_id)
        .where(Attempt.delivery_id == delivery_id)
        .order_by(Attempt.id)
    ).all()
    tried = tuple(
        Tried(
            attempt.at,
            "put off" if attempt.outcome == DeliveryState.PLANNED else attempt.outcome,
            slug or "",
            _words(attempt.kind),
            f"{attempt.code or ''} {attempt.reply}".strip(),
        )
        for attempt, slug in attempts
    )
    story = why(session, email, row.mail).decisions
    asked = select(Batch.token.is_(None)).where(Batch.id == mail.batch_id)
    is_offered = mail.batch_id is not None and session.scalars(asked).one_or_none() is True
    facts = mail.lane, mail.subscriber_id, mail.message_id, mail.deferrals
    return DeliveryView(row, *facts, tried, story, is_offered)


def _words(kind: str) -> str:
    meaning: Mapping[str, str] = {str(one): words for one, words in MEANING.items()}
    return meaning.get(kind, "")


def course_slugs(session: Session) -> list[str]:
    """The published courses, by name."""
    return list(session.scalars(select(Course.slug).order_by(Course.slug)))


def campaign_slugs(session: Session, most: int = 50) -> list[str]:
    """The newest campaigns that were begun."""
    begun = select(Campaign.slug).where(Campaign.starts_at.is_not(None))
    return list(session.scalars(begun.order_by(Campaign.id.desc()).limit(most)))
