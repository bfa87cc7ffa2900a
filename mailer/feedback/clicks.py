"""Requests for tracked links: where each leads, one row for each, and what we take them for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import exists, func, select, text
from sqlalchemy.orm import Session

from mailer.feedback.verdicts import DECOY, OPEN, Request, Visits, rules_of, verdict_of
from mailer.models import Attempt, Click, Delivery, DeliveryState, Message

MOST_AGENT = 200
"""Characters of a user agent that are kept."""
MOST_ROWS = 200
"""Requests that are kept for one mail: somebody who asks without end fills no table."""
AT_ONCE = 500
"""Mails that are judged anew in one transaction."""
_LOCK_SPACE = 7_318


@dataclass(frozen=True)
class Target:
    """Where a tracked link leads. `url` is None where it leads nowhere: the decoy, the open pixel.

    `subscriber_id` is None when the mail's row is gone, and nothing is recorded any more.
    """

    delivery_id: int
    message_id: int
    link: int
    url: str | None
    subscriber_id: int | None = None
    source: str = ""


def find_target(session: Session, delivery_id: int, number: int) -> Target | None:
    """The link of this number in this mail, OPEN for its pixel; None when it is not known (any more).

    The address is the message's own, never a part of the request. Where the mail's row went with its
    month, an earlier request for one of its links still knows the message.
    """
    row = session.execute(
        select(Message.id, Message.links, Delivery.subscriber_id, Delivery.source)
        .join(Message, Message.id == Delivery.message_id)
        .where(Delivery.id == delivery_id)
    ).one_or_none()
    if row is not None:
        return _target(delivery_id, row.id, row.links, number, row.subscriber_id, row.source)
    known = session.execute(
        select(Message.id, Message.links)
        .join(Click, Click.message_id == Message.id)
        .where(Click.delivery_id == delivery_id)
        .limit(1)
    ).one_or_none()
    return _target(delivery_id, known.id, known.links, number) if known is not None else None


def _target(
    delivery_id: int,
    message_id: int,
    links: Sequence[str],
    number: int,
    subscriber_id: int | None = None,
    source: str = "",
) -> Target | None:
    if number == OPEN:
        return Target(delivery_id, message_id, OPEN, None, subscriber_id, source)
    if links and number == len(links):
        return Target(delivery_id, message_id, DECOY, None, subscriber_id, source)
    if not 0 <= number < len(links):
        return None
    return Target(delivery_id, message_id, number, links[number], subscriber_id, source)


def record_click(
    session: Session, target: Target, *, method: str, user_agent: str, address: str, now: datetime
) -> None:
    """Keep one request, and judge all requests of its mail again.

    Of `address` only the network is kept. What came before may turn out to be the beginning of a burst.
    """
    if target.subscriber_id is None:
        return
    # A scanner asks for all links at once, and each request has to see the others.
    session.execute(
        text("SELECT pg_advisory_xact_lock(:space, :mail)"),
        {"space": _LOCK_SPACE, "mail": target.delivery_id % 2**31},
    )
    kept = session.scalar(select(func.count()).where(Click.delivery_id == target.delivery_id)) or 0
    if kept >= MOST_ROWS:
        return
    agent = "".join(one for one in user_agent if one.isprintable())[:MOST_AGENT]
    session.add(
        Click(
            at=now,
            delivery_id=target.delivery_id,
            subscriber_id=target.subscriber_id,
            message_id=target.message_id,
            source=target.source,
            link=target.link,
            url=target.url or "",
            method=method,
            user_agent=agent,
            network=network_of(address),
            verdict=verdict_of(()),
            rules=[],
        )
    )
    session.flush()
    _judge(session, [target.delivery_id])


def network_of(address: str) -> str:
    """The /24 or /48 that an address belongs to; empty for what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    # Packed: an IPv6 address may bear a scope, which a network has no room for.
    return str(ip_network((found.packed, 24 if found.version == 4 else 48), strict=False))


@dataclass(frozen=True)
class Recomputed:
    """One step of judging anew: the last mail looked at, how many rows, and how many of them changed."""

    last: int
    rows: int
    changed: int


def recompute(session: Session, *, after: int = 0, since: datetime | None = None) -> Recomputed | None:
    """Judge the next AT_ONCE mails with a number above `after` anew, by today's rules; None: none is left.

    With `since`, only mails of which a link was asked for at that moment or later. Running it again
    changes nothing.
    """
    mails = select(Click.delivery_id).where(Click.delivery_id > after)
    if since is not None:
        mails = mails.where(Click.at >= since)
    ids = session.scalars(mails.distinct().order_by(Click.delivery_id).limit(AT_ONCE)).all()
    if not ids:
        return None
    return Recomputed(ids[-1], *_judge(session, ids))


def _judge(session: Session, delivery_ids: Sequence[int]) -> tuple[int, int]:
    """Give every request for these mails its verdict; how many there are, and how many changed."""
    accepted: dict[int, datetime] = dict(
        session.execute(
            select(Delivery.id, Delivery.settled_at).where(
                Delivery.id.in_(delivery_ids), Delivery.state == DeliveryState.ACCEPTED
            )
        ).all()  # type: ignore[arg-type]
    )
    on_their_way = _on_their_way(session, [mail for mail in delivery_ids if mail not in accepted])
    by_mail: dict[int, list[Click]] = {}
    for click in session.scalars(select(Click).where(Click.delivery_id.in_(delivery_ids))):
        by_mail.setdefault(click.delivery_id, []).append(click)
    messages = {clicks[0].message_id for clicks in by_mail.values()}
    links: dict[int, int] = dict(
        session.execute(
            select(Message.id, func.jsonb_array_length(Message.links)).where(Message.id.in_(messages))
        ).all()
    )
    changed = sum(
        _judge_mail(clicks, accepted.get(mail), links.get(clicks[0].message_id, 0), mail in on_their_way)
        for mail, clicks in by_mail.items()
    )
    session.flush()
    return sum(map(len, by_mail.values())), changed


def _on_their_way(session: Session, delivery_ids: Sequence[int]) -> frozenset[int]:
    """Those of these mails that no server has taken yet, as far as is known.

    A gateway scans a mail before it takes it, and what it says is written down up to a second later. A mail
    that was cut off at its end, or was uncertain once, may have arrived then: its links may be a person's.
    """
    if not delivery_ids:
        return frozenset()
    was_uncertain = exists().where(
        Attempt.delivery_id == Delivery.id, Attempt.outcome == DeliveryState.UNCERTAIN
    )
    rows = select(Delivery.id).where(
        Delivery.id.in_(delivery_ids),
        Delivery.state.in_((DeliveryState.PLANNED, DeliveryState.SENDING)),
        Delivery.cuts == 0,
        ~was_uncertain,
    )
    return frozenset(session.scalars(rows))


def _judge_mail(
    clicks: Iterable[Click], accepted_at: datetime | None, links: int, is_on_its_way: bool
) -> int:
    asked = [(click, Request(click.at, click.link, click.method, click.user_agent)) for click in clicks]
    visits = Visits(accepted_at, links, tuple(request for _, request in asked), is_on_its_way)
    changed = 0
    for click, request in asked:
        rules = rules_of(request, visits)
        if (click.verdict, tuple(click.rules)) != (verdict_of(rules), rules):
            click.verdict, click.rules = verdict_of(rules), list(rules)
            changed += 1
    return changed
