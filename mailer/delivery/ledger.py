"""What a person may do to mails that are named by a filter: exactly those rows, and an entry in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, text, update
from sqlalchemy.orm import Session

from mailer import outbox, tally
from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import short_hash
from mailer.db import among, as_array, ask_to_wake
from mailer.delivery.dispatch import count_offered, take_back
from mailer.delivery.sources import read_sources
from mailer.delivery.states import ENDS
from mailer.delivery.verbs import RELEASE, RETRY, Verb
from mailer.errors import NotFound, Refused
from mailer.models import (
    Action,
    Attempt,
    Campaign,
    CampaignState,
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Step,
    Subscriber,
)
from mailer.schedule.campaigns import get_campaign
from mailer.schedule.courses import get_course

_S = DeliveryState

MOST_REFUSED = 100_000

WITHOUT_STEP = (DeliveryKind.CONFIRM, DeliveryKind.WELCOME, DeliveryKind.MAIL, DeliveryKind.DATA)


@dataclass(frozen=True)
class Filter:
    """Which mails are meant: those for which all that is named holds.

    `step` is a step's key, or confirm, welcome or mail; `reason` a part of the reason, in small or capital
    letters, and `kind` what a server's answer was about (delivery/reasons.py). The confirmations of a
    course's list belong to the course.
    """

    course: str | None = None
    step: str | None = None
    states: tuple[DeliveryState, ...] = ()
    domain: str | None = None
    reason: str | None = None
    email: str | None = None
    ids: tuple[int, ...] = ()
    campaign: str | None = None
    lane: str | None = None
    kind: str | None = None
    subscriber_id: int | None = None

    def __post_init__(self) -> None:
        # As from a shell's variable that was not set: it would mean far more than was meant.
        if "" in (self.course, self.campaign, self.step, self.domain, self.reason, self.email):
            raise Refused("A filter is empty; leave it out, or say what it looks for.")
        if self.campaign and (self.course or self.step):
            raise Refused("A campaign's mails belong to no course and no step; name the campaign alone.")
        if not (
            self.course
            or self.campaign
            or self.email
            or self.ids
            or self.lane
            or self.kind
            or self.subscriber_id
        ):
            raise Refused(
                "Name at least a course, a campaign, an address or an id, so that not every mail is meant."
            )

    @property
    def is_whole(self) -> bool:
        """Whether all mails of a lane, course or campaign are meant, so that they have been counted."""
        refined = self.step, self.domain, self.reason, self.email, self.ids, self.kind
        return not any(refined) and bool(self.lane or self.course or self.campaign)

    def conditions(self, session: Session, *, in_any_state: bool = False) -> list[ColumnElement[bool]]:
        """The filter for a query of deliveries, if need be `in_any_state`; raises NotFound or BadAddress."""
        course = get_course(session, self.course) if self.course else None
        chosen = [of_course(course)] if course else []
        if self.campaign:
            chosen.append(of_campaign(get_campaign(session, self.campaign)))
        if self.step:
            chosen.append(of_step(session, self.step, course))
        if self.states and not in_any_state:
            chosen.append(Delivery.state.in_(self.states))
        if self.reason:
            chosen.append(Delivery.reason.icontains(self.reason, autoescape=True))
        if self.email:
            chosen.append(Delivery.subscriber_id == get_subscriber(session, self.email).id)
        if self.subscriber_id:
            chosen.append(Delivery.subscriber_id == self.subscriber_id)
        if self.domain:
            chosen.append(Delivery.subscriber_id.in_(_people_at(self.domain)))
        if self.ids:
            chosen.append(Delivery.id.in_(self.ids))
        if self.lane:
            chosen += [Delivery.lane == self.lane, Delivery.source.in_(_sources_in(session, self.lane))]
        if self.kind:
            chosen.append(Delivery.id.in_(_refused_for(self.kind)))
        return chosen

    @property
    def is_of_persons(self) -> bool:
        """Whether it names mails one by one, or by why they are as they are."""
        return bool(self.email or self.ids or self.reason)

    def as_detail(self) -> dict[str, Any]:
        """What is named, for the action log: an address only as its hash."""
        named: dict[str, Any] = {
            "course": self.course,
            "campaign": self.campaign,
            "step": self.step,
            "states": [str(state) for state in self.states],
            "domain": self.domain,
            "reason": self.reason,
            "address": short_hash(self.email) if self.email else None,
            "ids": list(self.ids),
            "lane": self.lane,
            "kind": self.kind,
            "subscriber": self.subscriber_id,
        }
        return {name: value for name, value in named.items() if value}


def _sources_in(session: Session, lane: str) -> list[str]:
    """What has mails in a lane: the indexes of what is open or set aside begin with it."""
    return sorted({place.source for place, _ in tally.counts(session) if place.lane == lane})


def _refused_for(kind: str) -> Any:
    """The mails that were refused for this lately, by the newest answers of the kind."""
    newest = select(Attempt.delivery_id).where(Attempt.kind == kind).order_by(Attempt.at.desc())
    return newest.limit(MOST_REFUSED)


def of_course(course: Course) -> ColumnElement[bool]:
    """The mails of a course, with the confirmations of its list, which belong to no course of their own."""
    return Delivery.source.in_([f"course:{course.id}", f"list:{course.list_id}"])


def of_campaign(campaign: Campaign) -> ColumnElement[bool]:
    """The mails of a campaign, which are all in the partitions of one month."""
    if campaign.starts_at is None:
        return false()
    period = outbox.period_of(campaign.starts_at)
    is_of_month = Delivery.id.between(outbox.first_id(period), outbox.first_id(period + 1) - 1)
    return and_(Delivery.source == outbox.campaign_source(campaign.id), is_of_month)


def of_step(session: Session, name: str, course: Course | None = None) -> ColumnElement[bool]:
    """The mails of a step's key, or of a kind that has no step; raises NotFound."""
    keys = select(Step.id).where(Step.key == name)
    if course is not None:
        keys = keys.where(Step.course_id == course.id)
    ids = list(session.execute(keys).scalars())
    is_kind = name in WITHOUT_STEP
    if not ids and not is_kind:
        where = f"The course {course.slug} has no" if course else "No course has a"
        raise NotFound(f"{where} step {name!r}; `steadypost course show` shows them all.")
    of_kind = and_(Delivery.step_id.is_(None), Delivery.kind == name)
    return or_(Delivery.step_id.in_(ids), of_kind) if is_kind else Delivery.step_id.in_(ids)


def _people_at(domain: str) -> Any:
    try:
        # As addresses are written here: small letters, and no Punycode.
        _, key = normalise(f"a@{domain.removeprefix('@')}")
    except BadAddress:
        raise Refused(f"{domain!r} is not a domain; write it as example.org.") from None
    return select(Subscriber.id).where(Subscriber.email_key.endswith(key[1:], autoescape=True))


@dataclass(frozen=True)
class Chosen:
    """The rows that a verb would change, by state, and how many others the filter names."""

    verb: Verb
    filter: Filter
    ids: Mapping[DeliveryState, tuple[int, ...]]
    others: Mapping[DeliveryState, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(len(ids) for ids in self.ids.values())

    def counts(self) -> dict[str, int]:
        """How many rows would change, by the state they are in."""
        return {str(state): len(ids) for state, ids in self.ids.items()}


def count(session: Session, verb: Verb, filter_: Filter) -> dict[str, int]:
    """How many rows `verb` would change, by state, for a page that only asks; raises as `choose` does."""
    states = verb.starts_from(filter_.states)
    if filter_.is_whole and _S.PLANNED not in states and verb is not RELEASE:
        return _counted_before(session, filter_, states)
    rows = session.execute(
        select(Delivery.state, func.count())
        .where(*filter_.conditions(session), _is_meant(verb, filter_, states))
        .group_by(Delivery.state)
        .order_by(Delivery.state)
    )
    found: Counter[str] = Counter(dict(rows.all()))
    if _S.PLANNED in states:
        # What is offered and not begun is planned again before it is chosen.
        fits = filter_.conditions(session, in_any_state=True)
        found[_S.PLANNED] += count_offered(session, fits)
    return dict(sorted((+found).items()))


def _counted_before(session: Session, filter_: Filter, states: Sequence[DeliveryState]) -> dict[str, int]:
    """The same by the tallies, which know of all but what is on its way."""
    sources = None
    if filter_.course:
        course = get_course(session, filter_.course)
        sources = [f"course:{course.id}", f"list:{course.list_id}"]
    elif filter_.campaign:
        sources = [outbox.campaign_source(get_campaign(session, filter_.campaign).id)]
    found: Counter[str] = Counter()
    for (place, state), mails in tally.counts(session, sources).items():
        if state in states and filter_.lane in (None, place.lane):
            found[state] += mails
    return dict(sorted((+found).items()))


def _is_meant(verb: Verb, filter_: Filter, states: Sequence[DeliveryState]) -> ColumnElement[bool]:
    """Which of the mails that the filter names the verb is for."""
    is_meant: ColumnElement[bool] = Delivery.state.in_(states)
    if verb is RELEASE and not filter_.is_of_persons:
        # Who releases what they held at one domain does not mean to send A to everybody else.
        is_meant = and_(is_meant, not_(Delivery.reason.startswith(outbox.FOR_PHASE)))
    return is_meant


def choose(
    session: Session,
    verb: Verb,
    filter_: Filter,
    *,
    with_others: bool = True,
    seen_at: datetime | None = None,
) -> Chosen:
    """The rows that `verb` would change, changing nothing; raises Refused, NotFound or BadAddress.

    None that were written after `seen_at`, on the database's clock: who looked then has not seen those.

    What was offered and no worker has begun yet is planned again first, and counted as such. What waits for
    its campaign's canary or test is released only by who it is for, or by why it is held. Without the
    others nothing is read of what was accepted.
    """
    states = verb.starts_from(filter_.states)
    conditions = [*filter_.conditions(session), *_written_until(seen_at)]
    _take_back(session, filter_, states, _written_until(seen_at))
    is_meant = _is_meant(verb, filter_, states)
    rows = session.execute(
        select(Delivery.state, func.array_agg(Delivery.id))
        .where(*conditions, is_meant)
        .group_by(Delivery.state)
    )
    ids = {_S(state): tuple(sorted(found)) for state, found in rows}
    if not with_others:
        return Chosen(verb, filter_, ids)
    others = session.execute(
        select(Delivery.state, func.count()).where(*conditions, not_(is_meant)).group_by(Delivery.state)
    )
    return Chosen(verb, filter_, ids, {_S(state): number for state, number in others})


def _take_back(
    session: Session,
    filter_: Filter,
    states: Sequence[DeliveryState],
    conditions: Sequence[ColumnElement[bool]],
) -> None:
    """Plan again what was offered and no worker has begun, for a verb that begins from what is planned."""
    if _S.PLANNED in states:
        take_back(session, [*filter_.conditions(session, in_any_state=True), *conditions])


def _written_until(moment: datetime | None) -> list[ColumnElement[bool]]:
    return [] if moment is None else [Delivery.created_at <= moment]


def choose_part(
    session: Session, verb: Verb, filter_: Filter, after: int, limit: int, seen_at: datetime | None = None
) -> Chosen:
    """The first `limit` of the same rows with an id above `after`, in the order of their ids."""
    states, narrowed = verb.starts_from(filter_.states), [*_written_until(seen_at), Delivery.id > after]
    conditions = [*filter_.conditions(session), *narrowed]
    _take_back(session, filter_, states, narrowed)
    is_meant = _is_meant(verb, filter_, states)
    rows = session.execute(
        select(Delivery.id, Delivery.state).where(*conditions, is_meant).order_by(Delivery.id).limit(limit)
    )
    ids: dict[DeliveryState, list[int]] = {}
    for number, state in rows:
        ids.setdefault(_S(state), []).append(number)
    return Chosen(verb, filter_, {state: tuple(found) for state, found in ids.items()})


# In the order of their ids, as everybody who writes many of them does. `sending` is in no verb's states,
# and a row that has left the state it was counted in is not what the person has seen.
LOCK = text("""
    SELECT d.id FROM deliveries AS d
    WHERE d.id = ANY(CAST(:ids AS bigint[])) AND d.state = :state
    ORDER BY d.id FOR UPDATE OF d
    """)
# An end that is resolved keeps its moment: when the mail left is when the course goes on from.
CHANGE = text("""
    UPDATE deliveries AS d
    SET state = :to, reason = :reason, batch_id = NULL, no_room_since = NULL,
        settled_at = CASE WHEN :is_end THEN coalesce(d.settled_at, :now) END,
        next_attempt_at = CASE WHEN :is_anew THEN :now ELSE d.next_attempt_at END,
        deferrals = CASE WHEN :is_anew THEN 0 ELSE d.deferrals END,
        cuts = CASE WHEN :is_anew THEN 0 ELSE d.cuts END,
        crashes = CASE WHEN :is_anew THEN 0 ELSE d.crashes END
    WHERE d.id = ANY(CAST(:ids AS bigint[])) AND d.state = :state
    RETURNING d.lane, d.source, d.kind, d.step_id
    """)


def act(session: Session, chosen: Chosen, now: datetime, *, who: str, because: str = "") -> int:
    """Change the chosen rows as `change` does; returns how many. One Action is written if there were any."""
    changed = change(session, chosen, now, because=because)
    total = changed.total()
    if total:
        note_act(session, chosen.verb, chosen.filter, now, total, who=who, because=because, was=changed)
    return total


def note_act(
    session: Session,
    verb: Verb,
    filter_: Filter,
    now: datetime,
    rows: int,
    *,
    who: str,
    because: str = "",
    was: Mapping[str, int] | None = None,
) -> None:
    """Write the Action of an act on so many rows; `was` says how many were in which state."""
    detail: dict[str, Any] = {"filter": filter_.as_detail(), "to": str(verb.to)}
    if was:
        detail["from"] = {state: number for state, number in was.items() if number}
    if because:
        detail["because"] = because
    session.add(Action(at=now, who=who, what=f"delivery {verb.name}", detail=detail, rows=rows))


def change(session: Session, chosen: Chosen, now: datetime, *, because: str = "") -> Counter[str]:
    """Change the chosen rows that are still in the state they were counted in; how many, by that state.

    What is planned again is asked for consent anew when it is claimed, and keeps its Message-ID.
    """
    verb = chosen.verb
    changed: Counter[str] = Counter()
    lanes: set[str] = set()
    sources: set[str] = set()
    take_back(session, [among(Delivery.id, chosen.ids.get(_S.PLANNED, ()))])
    for state in sorted(chosen.ids):
        rows = {"ids": as_array(chosen.ids[state]), "state": state}
        rows["ids"] = as_array(session.execute(LOCK, rows).scalars())
        values = {
            "to": verb.to,
            "reason": f"{verb.reason}: {because}" if because else verb.reason,
            "now": now,
            "is_end": verb.to in ENDS,
            "is_anew": verb is RETRY,
        }
        moved = [tally.Place(*row) for row in session.execute(CHANGE, rows | values)]
        changed[state] += len(moved)
        lanes |= {place.lane for place in moved}
        places = Counter(moved)
        tally.note(session, {tally.Change(place, state, verb.to): places[place] for place in places})
        sources |= {place.source for place in moved}
    if verb.to == _S.PLANNED:
        for lane in lanes:
            ask_to_wake(session, lane)
        _go_on(session, sources)
    return changed


def _go_on(session: Session, sources: set[str]) -> None:
    """A campaign that had finished is being sent again, until the tick sets its end anew."""
    ids = [source.id for source in read_sources(session, sorted(sources)) if source.kind == "campaign"]
    session.execute(
        update(Campaign)
        .where(Campaign.id.in_(ids), Campaign.state == CampaignState.FINISHED)
        .values(state=CampaignState.SENDING, finished_at=None)
    )
