"""The only writer of new delivery rows: one row for one mail to one person, ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, select, text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import as_array, ask_to_wake
from mailer.models import DeliveryKind, DeliveryState, Lane, Subscriber

LANE_OF = {
    DeliveryKind.CONFIRM: Lane.TRANSACTIONAL,
    DeliveryKind.WELCOME: Lane.COURSE,
    DeliveryKind.STEP: Lane.COURSE,
    DeliveryKind.REPEAT: Lane.COURSE,
    DeliveryKind.CAMPAIGN: Lane.CAMPAIGN,
    DeliveryKind.MAIL: Lane.TRANSACTIONAL,
    DeliveryKind.DATA: Lane.TRANSACTIONAL,
}
PERIOD_BITS = 36
"""Bits of a delivery's id below its period: more numbers than there will be mails in a month."""
FIRST_YEAR = 2026

PAUSED_BY_READER = "waits: paused by the reader"
"""The reason of a mail that was planned before its reader paused the course, and waits until they go on."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A mail that is due. `dedup_key` (see `dedup_key`) says which mail it is, whoever plans it.

    `began_at` is when that began which it belongs to: the enrollment, the campaign, the subscriber. It is the
    same whenever the same mail is planned, so that one key is always looked for in one partition.
    """

    dedup_key: str
    kind: DeliveryKind
    subscriber_id: int
    message_id: int
    list_id: int
    due_at: datetime
    began_at: datetime
    course_id: int | None = None
    step_id: int | None = None
    enrollment_id: int | None = None
    lane: Lane | None = None
    """The kind's own lane, unless said otherwise."""
    because: str | None = None


PLAIN = (
    *("dedup_key", "subscriber_id", "message_id", "list_id"),
    *("course_id", "step_id", "enrollment_id", "because"),
)

# All rows in one statement: one for each would be most of what planning costs.
INSERT = text("""
    INSERT INTO deliveries (
        id, dedup_key, kind, lane, source, subscriber_id, message_id, list_id,
        course_id, step_id, enrollment_id, because, due_at, next_attempt_at
    )
    SELECT n.first + nextval('delivery_numbers'), n.dedup_key, n.kind, n.lane, n.source, n.subscriber_id,
           n.message_id, n.list_id, n.course_id, n.step_id, n.enrollment_id, n.because, n.due_at,
           greatest(n.due_at, :now)
    FROM unnest(
        CAST(:first AS bigint[]), CAST(:dedup_key AS text[]), CAST(:kind AS text[]), CAST(:lane AS text[]),
        CAST(:source AS text[]), CAST(:subscriber_id AS bigint[]), CAST(:message_id AS bigint[]),
        CAST(:list_id AS bigint[]), CAST(:course_id AS bigint[]), CAST(:step_id AS bigint[]),
        CAST(:enrollment_id AS bigint[]), CAST(:because AS text[]), CAST(:due_at AS timestamptz[])
    ) AS n (first, dedup_key, kind, lane, source, subscriber_id, message_id, list_id,
            course_id, step_id, enrollment_id, because, due_at)
    ON CONFLICT DO NOTHING
    RETURNING dedup_key, id
    """)


def dedup_key(kind: DeliveryKind, source: str | int, step: str, subscriber_id: int, round_: int = 1) -> str:
    """What makes a mail the same mail: kind, source, step key, subscriber and round.

    A week that is repeated is a new round; planning it twice is not.
    """
    before, after = around_subscriber(kind, source, step, round_)
    return f"{before}{subscriber_id}{after}"


def around_subscriber(kind: DeliveryKind, source: str | int, step: str, round_: int = 1) -> tuple[str, str]:
    """The key's two parts on both sides of the subscriber, for keys that a statement puts together."""
    return f"{kind}:{source}:{step}:", f":{round_}"


def period_of(began_at: datetime) -> int:
    """The month (UTC) as a number: 1 is January of FIRST_YEAR, 0 whatever came before."""
    utc = began_at.astimezone(UTC)
    return max(0, (utc.year - FIRST_YEAR) * 12 + utc.month)


def first_id(period: int) -> int:
    """The lowest id that a delivery of this period can have; the others are below that of the next one."""
    return period << PERIOD_BITS


def lane_of(row: NewDelivery) -> Lane:
    """The queue that this mail waits in."""
    return row.lane or LANE_OF[row.kind]


def source_of(row: NewDelivery) -> str:
    """What the mail is part of; see `Delivery.source`."""
    if row.kind in (DeliveryKind.MAIL, DeliveryKind.DATA):
        # Apart from the list's confirmations, which a course's statement counts as its own.
        return f"mail:{row.list_id}"
    return f"course:{row.course_id}" if row.course_id is not None else f"list:{row.list_id}"


def campaign_source(campaign_id: int) -> str:
    """What a campaign's mails are part of; see `Delivery.source`."""
    return f"campaign:{campaign_id}"


def write(session: Session, rows: Sequence[NewDelivery], now: datetime) -> dict[str, int]:
    """Add the rows whose dedup key is new; returns delivery ids by dedup key, of those added only."""
    if not rows:
        return {}
    lanes = [lane_of(row) for row in rows]
    sources = [source_of(row) for row in rows]
    added: Any = session.execute(
        INSERT,
        {
            "now": now,
            "first": as_array(first_id(period_of(row.began_at)) for row in rows),
            "due_at": as_array(row.due_at for row in rows),
            "lane": as_array(lanes),
            "source": as_array(sources),
            "kind": as_array(row.kind for row in rows),
            **{name: as_array(getattr(row, name) for row in rows) for name in PLAIN},
        },
    )
    ids: dict[str, int] = dict(added.all())
    new: Counter[tally.Change] = Counter()
    for row, lane, source in zip(rows, lanes, sources, strict=True):
        if row.dedup_key in ids:
            place = tally.Place(lane, source, row.kind, row.step_id)
            new[tally.Change(place, None, DeliveryState.PLANNED)] += 1
    tally.note(session, new)
    for woken in {change.place.lane for change in new}:
        ask_to_wake(session, woken)
    return ids


# In the order of their ids, as everybody who writes many of them does.
SKIP = text("""
    WITH chosen AS (
        SELECT id FROM deliveries WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'planned'
        ORDER BY id FOR UPDATE
    )
    UPDATE deliveries AS d SET state = 'skipped', reason = :reason, settled_at = :now
    FROM chosen WHERE d.id = chosen.id
    RETURNING d.lane, d.source, d.kind, d.step_id
    """)


def skip(session: Session, ids: Sequence[int], reason: str, now: datetime) -> int:
    """Pass over those of these mails that are still planned; returns how many."""
    if not ids:
        return 0
    values = {"ids": as_array(ids), "reason": reason, "now": now}
    skipped = Counter(tally.Place(*row) for row in session.execute(SKIP, values))
    moved = {
        tally.Change(place, DeliveryState.PLANNED, DeliveryState.SKIPPED): mails
        for place, mails in skipped.items()
    }
    tally.note(session, moved)
    return skipped.total()


HOLD_BACK = text("""
    UPDATE deliveries SET next_attempt_at = greatest(next_attempt_at, :until), reason = :reason
    WHERE id = :id AND state = 'planned' AND kind IN ('welcome', 'step', 'repeat')
    """)
LET_GO = text("""
    UPDATE deliveries SET next_attempt_at = :now, reason = ''
    WHERE id = :id AND state = 'planned' AND reason = :reason
    RETURNING lane
    """)


def hold_back(session: Session, delivery_id: int, until: datetime, now: datetime) -> None:
    """Have a planned mail of a course wait for its reader, who has paused until then, or let it go on.

    One that a worker has by now is held back as it is claimed, unless it is on its way already.
    """
    values = {"id": delivery_id, "reason": PAUSED_BY_READER}
    if until > now:
        session.execute(HOLD_BACK, {**values, "until": until})
        return
    for lane in session.execute(LET_GO, {**values, "now": now}).scalars():
        ask_to_wake(session, lane)


PUT_OFF = text("""
    UPDATE deliveries SET next_attempt_at = greatest(CAST(:until AS timestamptz), :now)
    WHERE id = :id AND state = 'planned' RETURNING lane
    """)


def put_off(session: Session, delivery_id: int, until: datetime, now: datetime) -> None:
    """Have a mail that is still planned leave at another moment, which may be an earlier one."""
    for lane in session.execute(PUT_OFF, {"id": delivery_id, "until": until, "now": now}).scalars():
        ask_to_wake(session, lane)


@dataclass(frozen=True, slots=True)
class Departure:
    """When a mail is due; `is_skipped`: it is written down, but does not leave."""

    due_at: datetime
    is_skipped: bool = False


FOR_PHASE = "waits for the "
"""How the reason of a row begins that is held for a phase of its campaign."""


@dataclass(frozen=True)
class CampaignMail:
    """One mail that goes to many: `messages` is the id of each language's, `language` everybody else's.

    `due_at` is when it is due, and `departures` when for people in these zones instead. `began_at` is the
    campaign's own moment: it says in which month all of its mails are kept. With `held` its rows wait for
    a phase of the campaign to let them go, and this is why.
    """

    campaign_id: int
    messages: Mapping[str, int]
    language: str
    due_at: datetime
    departures: Mapping[str, Departure] = field(default_factory=dict)
    began_at: datetime | None = None
    is_skipped: bool = False
    held: str = ""


@dataclass(frozen=True)
class Written:
    """How many rows were added for how many people, and the last of these (None: there was nobody).

    `passed_over` are those of them whom the campaign is not for.
    """

    rows: int
    people: int
    passed_over: int
    last_subscriber_id: int | None


PAST = "local time was past"
"""Why a mail was skipped whose hour had gone by in its reader's zone when the campaign was scheduled."""

# A reader's de-AT is served by de-AT, else by de, else by what is written for everybody. People are looked up
# one by one (the limit keeps it from becoming a join): else every chunk would read the whole table.
WRITE_CAMPAIGN = """
    INSERT INTO deliveries (
        id, dedup_key, kind, lane, source, subscriber_id, message_id, list_id, campaign_id, due_at,
        next_attempt_at, state, reason, settled_at
    )
    SELECT :first + nextval('delivery_numbers'), :key_before || p.subscriber_id || :key_after, :kind,
           :lane, :source, p.subscriber_id, coalesce(m.id, :message_id), p.list_id, :campaign_id, d.due_at,
           greatest(d.due_at, :now),
           CASE WHEN d.is_skipped THEN 'skipped' WHEN :held <> '' THEN 'held' ELSE 'planned' END,
           CASE WHEN d.is_skipped THEN :past ELSE :held END,
           CASE WHEN d.is_skipped THEN CAST(:now AS timestamptz) END
    FROM people AS p
    CROSS JOIN LATERAL (
        SELECT s.zone, s.language FROM subscribers AS s WHERE s.id = p.subscriber_id LIMIT 1
    ) AS s
    LEFT JOIN unnest(CAST(:zones AS text[]), CAST(:zone_due AS timestamptz[]), CAST(:zone_skips AS bool[]))
        AS z (name, due_at, is_skipped) ON z.name = s.zone
    CROSS JOIN LATERAL (
        SELECT coalesce(z.due_at, CAST(:due_at AS timestamptz)) AS due_at,
               coalesce(z.is_skipped, CAST(:is_skipped AS bool)) AS is_skipped
    ) AS d
    LEFT JOIN LATERAL (
        SELECT m.id FROM unnest(CAST(:languages AS text[]), CAST(:message_ids AS bigint[]))
            AS m (language, id)
        WHERE lower(s.language) = m.language OR starts_with(lower(s.language), m.language || '-')
        ORDER BY length(m.language) DESC LIMIT 1
    ) AS m ON true
    ORDER BY p.subscriber_id
    ON CONFLICT DO NOTHING
    RETURNING state
    """
COUNT_WRITTEN = """
    SELECT (SELECT count(*) FROM written WHERE state = 'planned') AS planned,
           (SELECT count(*) FROM written WHERE state = 'held') AS held,
           (SELECT count(*) FROM written WHERE state = 'skipped') AS skipped,
           (SELECT count(*) FROM people) AS chosen, count(*) AS people, max(subscriber_id) AS last
    FROM candidates
    """


def write_campaign(
    session: Session,
    mail: CampaignMail,
    candidates: str,
    parameters: Mapping[str, Any],
    now: datetime,
    chosen: ColumnElement[bool] | None = None,
) -> Written:
    """Add a row for each of `candidates`, a query of (subscriber_id, list_id) with `parameters`.

    With `chosen`, a condition on subscribers, only for those of them for whom it holds. All in one
    statement, so that no row passes through this process.
    """
    lane, source = LANE_OF[DeliveryKind.CAMPAIGN], campaign_source(mail.campaign_id)
    looked_at = text(candidates).bindparams(**parameters)
    some = looked_at.columns(subscriber_id=BigInteger, list_id=BigInteger).cte("candidates")
    some = some.prefix_with("MATERIALIZED")
    people = select(some.c.subscriber_id, some.c.list_id)
    if chosen is not None:
        # One by one, as below.
        is_chosen = select(chosen).where(Subscriber.id == some.c.subscriber_id).limit(1)
        people = people.where(is_chosen.correlate(some).scalar_subquery())
    people_once = people.cte("people").prefix_with("MATERIALIZED")
    insert = text(WRITE_CAMPAIGN).bindparams(**_values(mail, lane, source, now))
    written = insert.columns(state=Text).cte("written")
    counted = text(COUNT_WRITTEN).columns(
        **dict.fromkeys(("planned", "held", "skipped", "chosen", "people", "last"), BigInteger)
    )
    row = session.execute(counted.add_cte(some, people_once, written)).one()
    place = tally.Place(lane, source, DeliveryKind.CAMPAIGN, None)
    new = {
        DeliveryState.PLANNED: row.planned,
        DeliveryState.HELD: row.held,
        DeliveryState.SKIPPED: row.skipped,
    }
    tally.note(session, {tally.Change(place, None, state): rows for state, rows in new.items() if rows})
    if row.planned:
        ask_to_wake(session, lane)
    return Written(sum(new.values()), row.people, row.people - row.chosen, row.last)


def _values(mail: CampaignMail, lane: Lane, source: str, now: datetime) -> dict[str, Any]:
    """What the statement says of the mail itself."""
    before, after = around_subscriber(DeliveryKind.CAMPAIGN, mail.campaign_id, "-")
    zones = mail.departures
    return {
        **{"key_before": before, "key_after": after, "kind": DeliveryKind.CAMPAIGN, "lane": lane},
        **{"source": source, "campaign_id": mail.campaign_id, "now": now, "past": PAST},
        **{"due_at": mail.due_at, "is_skipped": mail.is_skipped, "held": mail.held},
        "first": first_id(period_of(mail.began_at or mail.due_at)),
        "zones": as_array(zones),
        "zone_due": as_array(each.due_at for each in zones.values()),
        "zone_skips": as_array(each.is_skipped for each in zones.values()),
        "languages": as_array(language.lower() for language in mail.messages),
        "message_ids": as_array(mail.messages.values()),
        "message_id": mail.messages[mail.language],
    }
