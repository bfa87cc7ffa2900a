"""Dispatch: due rows become batches for the workers, only a little ahead of what these can send.

Sources take turns, a chunk each, so that a large campaign does not stand before a small one; what is on hold
or has no way to go is not looked at. A chunk is divided among its sender's transports, and its mails are
reserved with it; those to a domain with a limit of its own are a batch of their own. A batch nobody took up
(a broker emptied, a worker lost before it began) is offered again.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from mailer.db import among, as_array
from mailer.delivery import holds
from mailer.delivery.domains import group_of
from mailer.delivery.limits import give_back
from mailer.delivery.routing import share_out
from mailer.delivery.set_aside import set_aside
from mailer.delivery.sources import Source, read_sources
from mailer.delivery.ways import Ways, read_ways
from mailer.models import Delivery, DeliveryState, Lane

OFFER = timedelta(seconds=60)
"""How long an offer stands before it is made again; the database's clock."""

CHUNK = {Lane.TRANSACTIONAL: 20, Lane.COURSE: 1000, Lane.CAMPAIGN: 1000}
"""Rows in one batch. Small ones keep the urgent lane quick; large ones share the cost of a transaction."""

AHEAD = 8
"""Batches of one lane that wait for a worker at the same time."""

MOST_LOOKS = 4 * AHEAD
"""Chunks looked at in one dispatch, also when the rows of many only move out of the way."""

ADVISORY_LOCK = 7_318_002
"""Its second half is the lane; see `migrations.ADVISORY_LOCK` for the other one."""


def offer(session: Session, lane: Lane, now: datetime) -> list[int]:
    """Batches to hand to the workers of `lane`, by their ids: new ones of due rows, and lapsed ones again."""
    lock = select(func.pg_try_advisory_xact_lock(ADVISORY_LOCK, list(Lane).index(lane)))
    if not session.execute(lock).scalar_one():
        return []  # somebody else is dispatching this lane at this moment
    stopped = holds.in_force(session)
    again = _offer_again(session, lane)
    room = AHEAD - _waiting(session, lane)
    if room <= 0 or stopped.stops_lane(lane):
        return again
    sources = [one for one in _open_sources(session, lane) if not stopped.stops_source(one)]
    if not sources:
        return again
    senders = {one.sender_id for one in sources if one.sender_id is not None}
    ways = read_ways(session, senders, is_urgent=lane is Lane.TRANSACTIONAL)
    made = _make_batches(session, _Turn(lane, sources, room, stopped.domains, ways), now)
    ways.allowances.save(session)
    return again + made


@dataclass(frozen=True)
class _Turn:
    """Whose turn it is in one lane: `room` more batches may be made."""

    lane: Lane
    sources: Sequence[Source]
    room: int
    domains: frozenset[str]
    """Domains on hold: their rows stay where they are."""
    ways: Ways


_LAPSED = text("""
    UPDATE batches SET offered_until = clock_timestamp() + CAST(:offer AS interval)
    WHERE lane = :lane AND token IS NULL AND offered_until < clock_timestamp()
    RETURNING id
    """)
_WAITING = text("SELECT count(*) FROM batches WHERE lane = :lane AND token IS NULL")


def _offer_again(session: Session, lane: Lane) -> list[int]:
    return list(session.execute(_LAPSED, {"lane": lane, "offer": OFFER}).scalars())


def _waiting(session: Session, lane: Lane) -> int:
    waiting: int = session.execute(_WAITING, {"lane": lane}).scalar_one()
    return waiting


# A skip scan: one look into the index for each source that has something planned, however much it has. The
# lane and the state stand in the statement itself, where the planner sees that they are the index's own.
_OPEN_SOURCES = """
    WITH RECURSIVE open AS (
        (SELECT source FROM deliveries WHERE state = 'planned' AND lane = '{lane}'
         ORDER BY source LIMIT 1)
        UNION ALL
        SELECT (SELECT d.source FROM deliveries AS d
                WHERE d.state = 'planned' AND d.lane = '{lane}' AND d.source > open.source
                ORDER BY d.source LIMIT 1)
        FROM open WHERE open.source IS NOT NULL
    )
    SELECT source FROM open WHERE source IS NOT NULL
"""


def _open_sources(session: Session, lane: Lane) -> list[Source]:
    """What has planned rows in this lane, in an order that nobody can count on."""
    names = list(session.execute(text(_OPEN_SOURCES.format(lane=lane))).scalars())
    found = read_sources(session, names)
    random.shuffle(found)
    return found


_DUE = """
    SELECT d.id {domain} FROM deliveries AS d {join}
    WHERE d.state = 'planned' AND d.lane = '{lane}' AND d.source = :source AND d.next_attempt_at <= :now
    {wish}
    ORDER BY d.next_attempt_at, d.id LIMIT :limit FOR UPDATE OF d SKIP LOCKED
"""
_DOMAIN = "split_part(s.email_key, '@', 2)"
_PEOPLE = "JOIN subscribers AS s ON s.id = d.subscriber_id"
_NOT_AT = f"AND {_DOMAIN} <> ALL (CAST(:domains AS text[]))"
_TAKE = text("""
    UPDATE deliveries SET state = 'sending', batch_id = :batch WHERE id = ANY (CAST(:ids AS bigint[]))
    """)
_BATCH = text("""
    INSERT INTO batches (lane, source, transport_id, domain_group, delivery_ids, offered_until)
    VALUES (:lane, :source, :transport, :group, CAST(:ids AS bigint[]),
            clock_timestamp() + CAST(:offer AS interval))
    RETURNING id
    """)


def _make_batches(session: Session, turn: _Turn, now: datetime) -> list[int]:
    """A chunk of each source in turn, until there is no room or nothing is due."""
    made: list[int] = []
    sources = deque(turn.sources)
    looks = 0
    while sources and len(made) < turn.room and looks < MOST_LOOKS:
        looks += 1
        source = sources.popleft()
        is_more, batches = _next_of(session, turn, source, now)
        made += batches
        if is_more:
            sources.append(source)
    return made


def _next_of(session: Session, turn: _Turn, source: Source, now: datetime) -> tuple[bool, list[int]]:
    """Batches of the next due rows of a source, one for each way they go; whether there may be more."""
    most = turn.ways.room(source.sender_id, CHUNK[turn.lane])
    if most <= 0:
        return False, []
    limited = turn.ways.limited_groups(source.sender_id)
    rows = _due(session, turn, source, now, most, has_domains=bool(limited))
    made: list[int] = []
    for group, ids in _by_group(rows, limited):
        given = 0
        for share in share_out(len(ids), turn.ways.of(source.sender_id, group), random.random()):  # noqa: S311
            if turn.ways.take(session, share, group):
                part = ids[given : given + share.mails]
                made.append(_batch(session, turn.lane, source, part, (share.transport_id, group)))
                given += share.mails
        if group is not None and given < len(ids):
            set_aside(session, turn.ways, source.sender_id, group, ids[given:], now)
    return len(rows) == most, made


def _by_group(rows: Sequence[tuple[int, str]], limited: frozenset[str]) -> list[tuple[str | None, list[int]]]:
    """The ids by the limited group that each belongs to; None for all others, which stay together."""
    found: dict[str | None, list[int]] = {}
    for number, domain in rows:
        group = group_of(domain) if limited else None
        found.setdefault(group if group in limited else None, []).append(number)
    return list(found.items())


def _due(
    session: Session, turn: _Turn, source: Source, now: datetime, limit: int, *, has_domains: bool
) -> list[tuple[int, str]]:
    """The next due rows of a source: their ids, and their domains where these matter."""
    query = _DUE.format(
        lane=turn.lane,
        domain=f", {_DOMAIN}" if has_domains else ", ''",
        join=_PEOPLE if has_domains or turn.domains else "",
        wish=_NOT_AT if turn.domains else "",
    )
    values = {"source": source.name, "now": now, "limit": limit}
    if turn.domains:
        values["domains"] = as_array(turn.domains)
    return [(row[0], row[1]) for row in session.execute(text(query), values)]


def _batch(
    session: Session, lane: Lane, source: Source, ids: Sequence[int], way: tuple[int, str | None]
) -> int:
    values = {"lane": lane, "source": source.name, "ids": as_array(sorted(ids)), "offer": OFFER}
    to = {"transport": way[0], "group": way[1]}
    batch: int = session.execute(_BATCH, {**values, **to}).scalar_one()
    session.execute(_TAKE, {"batch": batch, "ids": values["ids"]})
    return batch


_UNCLAIMED = text(
    "SELECT id, delivery_ids, transport_id, domain_group, made_at FROM batches"
    " WHERE token IS NULL ORDER BY id FOR UPDATE SKIP LOCKED"
)
_OFFERED = text("SELECT unnest(delivery_ids) FROM batches WHERE token IS NULL")
_UNOFFER = text("""
    UPDATE deliveries SET state = 'planned', batch_id = NULL
    WHERE id = ANY (CAST(:ids AS bigint[])) AND state = 'sending'
      AND batch_id = ANY (CAST(:batches AS bigint[]))
    """)
_DROP = text("DELETE FROM batches WHERE id = ANY (CAST(:batches AS bigint[]))")


def take_back(session: Session, conditions: Sequence[ColumnElement[bool]]) -> None:
    """Plan again what was offered and no worker has begun: batches with mails that meet all `conditions`.

    So that a person can still act on it; the next dispatch offers the rest anew. Reads the few batches only.
    """
    batches = {row.id: row for row in session.execute(_UNCLAIMED)}
    ids = [number for batch in batches.values() for number in batch.delivery_ids]
    if not ids:
        return
    chosen = select(Delivery.batch_id).where(among(Delivery.id, ids), *conditions).distinct()
    meant = [batch for batch in session.execute(chosen).scalars() if batch in batches]
    back = [number for batch in meant for number in batches[batch].delivery_ids]
    values = {"batches": as_array(meant), "ids": as_array(back)}
    session.execute(_UNOFFER, values)
    session.execute(_DROP, {"batches": values["batches"]})
    for batch in sorted((batches[number] for number in meant), key=_transport_of):
        if batch.transport_id is not None:
            give_back(
                *(session, batch.transport_id, batch.domain_group), len(batch.delivery_ids), batch.made_at
            )


def count_offered(session: Session, conditions: Sequence[ColumnElement[bool]]) -> int:
    """How many mails that meet all `conditions` `take_back` would plan again. Reads the few batches only."""
    offered = session.execute(_OFFERED).scalars().all()
    if not offered:
        return 0
    is_theirs = among(Delivery.id, offered), Delivery.state == DeliveryState.SENDING
    return session.execute(select(func.count()).where(*is_theirs, *conditions)).scalar_one()


def _transport_of(batch: Any) -> int:
    return batch.transport_id or 0
