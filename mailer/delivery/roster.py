"""The transports and who sends by them, as operators change them. Each change leaves an Action."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.db import ask_to_wake, business_now, clock_now
from mailer.delivery.domains import group_of
from mailer.delivery.set_aside import release
from mailer.delivery.transports.check import server_of
from mailer.delivery.warming import begin_warmup, end_warmup, results
from mailer.delivery.warmup import WarmupPlan
from mailer.delivery.ways import DEFAULT
from mailer.errors import NotFound, Refused
from mailer.models import (
    Action,
    Batch,
    BreakerState,
    Lane,
    LimitOrigin,
    Period,
    Sender,
    SenderTransport,
    SendLimit,
    Transport,
)
from mailer.sealing import Seal

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?").fullmatch
MOST_CONVERSATIONS = 50
HEAVIEST = 1000
LARGEST_LIMIT = 1_000_000_000


def get_transport(session: Session, slug: str) -> Transport:
    """The transport called `slug`; raises NotFound with the nearest name."""
    found = session.execute(select(Transport).where(Transport.slug == slug)).scalar_one_or_none()
    if found is None:
        raise NotFound(_unknown("transport", slug, [one.slug for one in list_transports(session)]))
    return found


def get_sender(session: Session, slug: str) -> Sender:
    """The sender called `slug`; raises NotFound with the nearest name."""
    found = session.execute(select(Sender).where(Sender.slug == slug)).scalar_one_or_none()
    if found is None:
        names = session.execute(select(Sender.slug).order_by(Sender.slug)).scalars().all()
        hint = _unknown("sender", slug, names)
        raise NotFound(hint if names else f"{hint} Publishing a course makes its sender.")
    return found


def list_transports(session: Session) -> Sequence[Transport]:
    """Every transport, the default one first."""
    rows = select(Transport).order_by(Transport.slug != DEFAULT, Transport.slug)
    return session.execute(rows).scalars().all()


def transports_by_slug(session: Session, after: str, limit: int) -> Sequence[Transport]:
    """Transports by their slugs, those after the slug `after`."""
    rows = select(Transport).where(Transport.slug > after).order_by(Transport.slug).limit(limit)
    return session.execute(rows).scalars().all()


def list_senders(session: Session, after: str = "", limit: int | None = None) -> Sequence[Sender]:
    """Every sender by its slug; or `limit` at most, those after the slug `after`."""
    rows = select(Sender).where(Sender.slug > after).order_by(Sender.slug).limit(limit)
    return session.execute(rows).scalars().all()


def transports_of(session: Session, sender: Sender) -> list[tuple[Transport, int]]:
    """A sender's own transports with their weights, the heaviest first; none: the default one is used."""
    rows = session.execute(
        select(Transport, SenderTransport.weight)
        .join(SenderTransport, SenderTransport.transport_id == Transport.id)
        .where(SenderTransport.sender_id == sender.id)
        .order_by(SenderTransport.weight.desc(), Transport.slug)
    )
    return [(row[0], row[1]) for row in rows]


def senders_by(session: Session, transport: Transport) -> list[tuple[str, int]]:
    """The senders that name this transport, with its weight."""
    rows = session.execute(
        select(Sender.slug, SenderTransport.weight)
        .join(SenderTransport, SenderTransport.sender_id == Sender.id)
        .where(SenderTransport.transport_id == transport.id)
        .order_by(Sender.slug)
    )
    return [(row.slug, row.weight) for row in rows]


def add_transport(
    session: Session, seal: Seal, slug: str, url: str, conversations: int, who: str
) -> Transport:
    """Add a relay. No mail goes by it before a sender names it. Raises Refused."""
    if not SLUG(slug):
        raise Refused(f"{slug!r} is no name for a transport; use small letters, digits and hyphens.")
    server = server_of(url)
    if session.execute(select(Transport.id).where(Transport.slug == slug)).one_or_none():
        raise Refused(f"There is a transport {slug} already; `steadypost transport edit {slug}` changes it.")
    transport = Transport(slug=slug, sealed_url=seal.close(url), conversations=_conversations(conversations))
    session.add(transport)
    session.flush()
    _note(session, who, "transport add", transport=slug, server=str(server))
    return transport


def edit_transport(
    session: Session,
    seal: Seal,
    transport: Transport,
    who: str,
    *,
    url: str | None = None,
    conversations: int | None = None,
) -> None:
    """Change a relay. With another URL it is tried again at once. Raises Refused."""
    detail: dict[str, Any] = {"transport": transport.slug}
    if url is not None:
        if transport.slug == DEFAULT:
            raise Refused(
                "The server of `default` is STEADYPOST_SMTP_URL; change it there, or add another transport."
            )
        detail["server"] = str(server_of(url))
        transport.sealed_url = seal.close(url)
        try_again(session, transport)
    if conversations is not None:
        transport.conversations = detail["conversations"] = _conversations(conversations)
    session.flush()
    _note(session, who, "transport edit", **detail)


def remove_transport(session: Session, transport: Transport, who: str) -> None:
    """Forget a relay that no sender names and no mail is on its way to; raises Refused."""
    if transport.slug == DEFAULT:
        raise Refused("`default` stays: senders without a transport of their own go by it.")
    users = [slug for slug, _ in senders_by(session, transport)]
    if users:
        raise Refused(
            f"{transport.slug} is used by {', '.join(users)}; "
            f"`steadypost sender transport remove {users[0]} {transport.slug}` comes first."
        )
    on_their_way = select(func.count()).select_from(Batch).where(Batch.transport_id == transport.id)
    if session.execute(on_their_way).scalar_one():
        raise Refused(f"Mail is on its way by {transport.slug}; remove it when that has gone out.")
    session.delete(transport)
    session.flush()
    _note(session, who, "transport remove", transport=transport.slug)


def pause_transport(session: Session, transport: Transport, reason: str, who: str) -> bool:
    """Send nothing by this transport until it is resumed; False when it was paused already."""
    if transport.paused_at is not None:
        return False
    transport.paused_at, transport.paused_reason = clock_now(session), reason
    session.flush()
    _note(session, who, "transport pause", transport=transport.slug, reason=reason)
    return True


def resume_transport(session: Session, transport: Transport, who: str) -> bool:
    """Send by it again, also when its breaker had taken it out; False when there was nothing to resume."""
    if transport.paused_at is None and transport.state == BreakerState.CLOSED:
        return False
    transport.paused_at, transport.paused_reason = None, ""
    try_again(session, transport)
    session.flush()
    _note(session, who, "transport resume", transport=transport.slug)
    return True


def try_again(session: Session, transport: Transport) -> None:
    """Have the next small chunk find out whether a transport that is out works."""
    if transport.state != BreakerState.CLOSED:
        transport.state, transport.probe_at, transport.openings = BreakerState.OPEN, clock_now(session), 0
    _wake(session)


def set_limit(
    session: Session, transport: Transport, period: Period, most: int | None, domain: str, who: str
) -> str:
    """At most `most` mails in a period, to `domain` and its group, or to all; None: no limit any more.

    What waits for the limit is looked at again. Returns the group. Raises Refused.
    """
    group = _group(domain) if domain else ""
    if most is not None and not 0 < most <= LARGEST_LIMIT:
        raise Refused("A limit is a number from 1; `transport pause` stops a transport.")
    mine = SendLimit.transport_id == transport.id, SendLimit.domain_group == group
    which = (*mine, SendLimit.period == period, SendLimit.origin == LimitOrigin.SET)
    if most is None:
        session.execute(delete(SendLimit).where(*which))
    else:
        _put_limit(session, transport.id, group, period, most)
    if group:
        release(session, group, business_now(session))
    _wake(session)
    _note(session, who, "transport limit", transport=transport.slug, period=period, most=most, to=group)
    return group


def set_warmup(session: Session, transport: Transport, plan: WarmupPlan | None, who: str) -> None:
    """Begin a warm-up with its first day today, or end it; raises Refused."""
    if plan is None:
        end_warmup(session, transport)
        _note(session, who, "transport warmup", transport=transport.slug, ended=True)
        _wake(session)
        return
    if not 0 < plan.first <= plan.target <= LARGEST_LIMIT or not 5 <= plan.growth <= 200:
        raise Refused("A warm-up goes from --first up to --target, and grows by 5 to 200 percent a day.")
    begin_warmup(session, transport, plan, clock_now(session))
    session.flush()
    _note(session, who, "transport warmup", transport=transport.slug, first=plan.first, target=plan.target)


def use_transport(session: Session, sender: Sender, transport: Transport, weight: int, who: str) -> None:
    """Have a sender's mail go by a transport, in proportion to `weight`; raises Refused."""
    if not 0 <= weight <= HEAVIEST:
        raise Refused(f"A weight is a number from 0 (only when no other can) to {HEAVIEST}.")
    session.execute(
        insert(SenderTransport)
        .values(sender_id=sender.id, transport_id=transport.id, weight=weight)
        .on_conflict_do_update(index_elements=["sender_id", "transport_id"], set_={"weight": weight})
    )
    _wake(session)
    _note(session, who, "sender transport add", sender=sender.slug, transport=transport.slug, weight=weight)


def stop_using(session: Session, sender: Sender, transport: Transport, who: str) -> bool:
    """Have none of a sender's mail go by a transport any more; False when none did."""
    gone = session.execute(
        delete(SenderTransport)
        .where(SenderTransport.sender_id == sender.id, SenderTransport.transport_id == transport.id)
        .returning(SenderTransport.weight)
    ).one_or_none()
    if gone is None:
        return False
    _wake(session)
    _note(session, who, "sender transport remove", sender=sender.slug, transport=transport.slug)
    return True


def _put_limit(session: Session, transport_id: int, group: str, period: Period, most: int) -> None:
    """A new limit starts with a full bucket; one that is changed keeps its place in the day.

    What went out today counts for a transport's own daily limit; by domain nobody has counted it.
    """
    now = clock_now(session)
    used = 0
    if period is Period.DAY and not group:
        used, _ = results(session, transport_id, now.replace(hour=0, minute=0, second=0, microsecond=0), now)
    changed = {"most": most, "promised_until": None, "filled_at": now, "since": now}
    session.execute(
        insert(SendLimit)
        .values(
            transport_id=transport_id,
            domain_group=group,
            period=period,
            tokens=float(most),
            day=now.date(),
            used=used,
            **changed,
        )
        .on_conflict_do_update(
            index_elements=["transport_id", "domain_group", "period", "origin"], set_=changed
        )
    )


def _group(domain: str) -> str:
    name = domain.strip().removeprefix("@").lower()
    if not name or " " in name or "/" in name or "@" in name:
        raise Refused(f"{domain!r} is not a domain; write it as example.org.")
    return group_of(name)


def _conversations(number: int) -> int:
    if not 1 <= number <= MOST_CONVERSATIONS:
        raise Refused(f"A worker has 1 to {MOST_CONVERSATIONS} conversations with a transport.")
    return number


def _wake(session: Session) -> None:
    for lane in Lane:
        ask_to_wake(session, lane)


def _note(session: Session, who: str, what: str, **detail: Any) -> None:
    named = {name: value for name, value in detail.items() if value not in (None, "")}
    session.add(Action(at=business_now(session), who=who, what=what, detail=named, rows=0))


def _unknown(noun: str, name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), names, n=1)
    offered = f"did you mean {near[0]}?" if near else f"there is {', '.join(names[:5]) or 'none yet'}."
    return f"There is no {noun} {name!r}; {offered}"
