"""Sending stopped, until it is resumed or released: everything, a lane, a course, a campaign and so on.

A person pauses and resumes, also what a campaign's canary has stopped; what `guard` has put on hold is
released with a policy (launch/release.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.addresses import BadAddress, normalise
from mailer.db import ask_to_wake
from mailer.delivery.sources import Source
from mailer.errors import NotFound, Refused
from mailer.models import Action, Campaign, Course, Hold, HoldCause, HoldScope, Lane, Sender

RESUMED = (HoldCause.PERSON, HoldCause.CANARY)
"""Causes of what `resume` ends."""

Named = type[Course] | type[Campaign] | type[Sender]
"""What goes by a slug."""


@dataclass(frozen=True)
class Holds:
    """What must not leave now. `domains` are in small letters, as in `subscribers.email_key`."""

    everything: bool = False
    lanes: frozenset[str] = frozenset()
    course_ids: frozenset[int] = frozenset()
    campaign_ids: frozenset[int] = frozenset()
    sender_ids: frozenset[int] = frozenset()
    domains: frozenset[str] = frozenset()

    def stops_lane(self, lane: str) -> bool:
        """Whether nothing of this lane may leave."""
        return self.everything or lane in self.lanes

    def stops_source(self, source: Source) -> bool:
        """Whether nothing of this course, campaign or list may leave."""
        if source.kind == "course" and source.id in self.course_ids:
            return True
        if source.kind == "campaign" and source.id in self.campaign_ids:
            return True
        # A variant's sender on hold stops all of its campaign: a test of one variant finds out nothing.
        senders = {source.sender_id, *source.other_sender_ids}
        return not self.sender_ids.isdisjoint(senders)

    def stops(self, lane: str, source: Source) -> bool:
        """Whether mails of this source in this lane may not leave now."""
        return self.stops_lane(lane) or self.stops_source(source)


def in_force(session: Session) -> Holds:
    """The holds of this moment, courses, campaigns and senders by their ids; one read of a small index."""
    rows = session.execute(select(Hold.scope, Hold.target).where(Hold.released_at.is_(None))).all()
    named: dict[str, list[str]] = {scope: [] for scope in HoldScope}
    for scope, target in rows:
        named[scope].append(target)
    return Holds(
        everything=bool(named[HoldScope.EVERYTHING]),
        lanes=frozenset(named[HoldScope.LANE]),
        course_ids=_ids(session, Course, named[HoldScope.COURSE]),
        campaign_ids=_ids(session, Campaign, named[HoldScope.CAMPAIGN]),
        sender_ids=_ids(session, Sender, named[HoldScope.SENDER]),
        domains=frozenset(named[HoldScope.DOMAIN]),
    )


def _ids(session: Session, model: Named, slugs: Sequence[str]) -> frozenset[int]:
    if not slugs:
        return frozenset()
    return frozenset(session.execute(select(model.id).where(model.slug.in_(slugs))).scalars())


def list_holds(session: Session) -> Sequence[Hold]:
    """The holds in force, oldest first."""
    rows = select(Hold).where(Hold.released_at.is_(None)).order_by(Hold.since, Hold.id)
    return session.execute(rows).scalars().all()


def guarded(session: Session) -> Sequence[Hold]:
    """The holds in force for all that is due: after an outage, a restore or on a copy; oldest first."""
    rows = (
        select(Hold)
        .where(Hold.released_at.is_(None), Hold.cause.not_in(RESUMED))
        .order_by(Hold.since, Hold.id)
    )
    return session.execute(rows).scalars().all()


def put_on_hold(
    session: Session, cause: HoldCause, scope: HoldScope, target: str, now: datetime, reason: str
) -> Hold | None:
    """Stop sending for this cause; None when it holds for it already, with the reason of then."""
    new = (
        insert(Hold)
        .values(scope=scope, target=target, cause=cause, reason=reason, since=now)
        .on_conflict_do_nothing(
            index_elements=[Hold.scope, Hold.target, Hold.cause], index_where=Hold.released_at.is_(None)
        )
        .returning(Hold)
    )
    return session.execute(new).scalar_one_or_none()


def pause(
    session: Session, scope: HoldScope, target: str, now: datetime, *, who: str, reason: str = ""
) -> Hold | None:
    """Stop sending for `target`; None when a person has stopped it already, which stays as it is.

    No row is touched: what is due waits. Writes one Action. Raises NotFound or Refused.
    """
    target = checked(session, scope, target)
    hold = put_on_hold(session, HoldCause.PERSON, scope, target, now, reason)
    if hold is not None:
        _note(session, "queue pause", hold, now, who, reason)
    return hold


def stopped_by_canary(session: Session, slug: str) -> Hold | None:
    """The hold by which a campaign's canary has stopped it; None when none is in force."""
    return session.execute(
        select(Hold).where(
            Hold.scope == HoldScope.CAMPAIGN,
            Hold.target == slug,
            Hold.cause == HoldCause.CANARY,
            Hold.released_at.is_(None),
        )
    ).scalar_one_or_none()


def forget_canary(session: Session, slug: str, now: datetime) -> None:
    """End the hold by which a campaign's canary has stopped it: nothing of it is left to stop."""
    hold = stopped_by_canary(session, slug)
    if hold is not None:
        hold.released_at = max(hold.since, now)


def resume(
    session: Session,
    scope: HoldScope,
    target: str,
    now: datetime,
    *,
    who: str,
    reason: str = "",
    in_spite: bool = False,
) -> Hold | None:
    """Send again for `target`, and have its lanes dispatched after the commit; None when it was not stopped.

    Other holds stay in force. Writes one Action. Raises NotFound, or Refused also when only `guard` holds it,
    or when a canary stopped it and nobody says that it goes on `in_spite` of that.
    """
    if scope == HoldScope.CAMPAIGN and not in_spite and (stop := stopped_by_canary(session, target)):
        raise Refused(f"{stop.reason}. `steadypost campaign resume {target}` goes on in spite of it.")
    # What is on hold may be resumed by that name, also when there is no longer anything of it.
    hold = _release(session, scope, target, now) or _release(
        session, scope, checked(session, scope, target), now
    )
    if hold is None:
        _refuse_guarded(session, scope, target)
        return None
    _note(session, "queue resume", hold, now, who, reason)
    for lane in [hold.target] if scope == HoldScope.LANE else Lane:
        ask_to_wake(session, lane)
    return hold


def checked(session: Session, scope: HoldScope, target: str) -> str:
    """`target` as it is stored; raises NotFound, with the nearest name, or Refused."""
    match scope:
        case HoldScope.EVERYTHING:
            if target:
                raise Refused(f"Everything is everything; leave {target!r} out, or say what it is.")
            return ""
        case HoldScope.LANE:
            return _known("lane", target, list(map(str, Lane)))
        case HoldScope.COURSE:
            return _known("course", target, _slugs(session, Course))
        case HoldScope.CAMPAIGN:
            return _known("campaign", target, _slugs(session, Campaign))
        case HoldScope.SENDER:
            return _known("sender", target, _slugs(session, Sender))
        case HoldScope.DOMAIN:
            return _domain(target)


def _refuse_guarded(session: Session, scope: HoldScope, target: str) -> None:
    if any((hold.scope, hold.target) == (scope, target) for hold in guarded(session)):
        name = f"{scope} {target}".strip()
        raise Refused(
            f"Nobody paused {name}: it is on hold by itself. `steadypost hold show` says why and what is "
            "overdue; `steadypost hold release --policy …` goes on."
        )


def _release(session: Session, scope: HoldScope, target: str, now: datetime) -> Hold | None:
    ended = (
        update(Hold)
        .where(
            Hold.scope == scope,
            Hold.target == target,
            Hold.cause.in_(RESUMED),
            Hold.released_at.is_(None),
        )
        # A stepped clock may stand before the pause; a hold never ends before it began.
        .values(released_at=func.greatest(Hold.since, now))
        .returning(Hold)
    )
    # A person may have paused what its canary stopped as well.
    return next(iter(session.execute(ended).scalars().all()), None)


def _note(session: Session, what: str, hold: Hold, now: datetime, who: str, reason: str) -> None:
    detail = {"scope": hold.scope, "target": hold.target, "reason": reason}
    named = {name: value for name, value in detail.items() if value}
    session.add(Action(at=now, who=who, what=what, detail=named, rows=0))


def _slugs(session: Session, model: Named) -> Sequence[str]:
    return session.execute(select(model.slug).order_by(model.slug)).scalars().all()


def _known(noun: str, target: str, names: Sequence[str]) -> str:
    if target in names:
        return target
    if not target:
        raise Refused(f"Say which {noun}: {_few(names) or 'there is none yet'}.")
    near = difflib.get_close_matches(target.lower(), names, n=1)
    offered = f"did you mean {near[0]}?" if near else f"there is {_few(names) or 'none yet'}."
    raise NotFound(f"There is no {noun} {target!r}; {offered}")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def _domain(target: str) -> str:
    """A domain in the form of the addresses kept here: small letters, and no Punycode."""
    try:
        _, key = normalise(f"a@{target.strip().removeprefix('@')}")
    except BadAddress:
        raise Refused(f"{target!r} is not a domain; write it as example.org.") from None
    return key.removeprefix("a@")
