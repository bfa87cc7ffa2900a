"""The balanced statement: every delivery of a course or campaign accounted for, and nobody forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import written_out
from mailer.delivery.ledger import of_campaign, of_course, of_step
from mailer.delivery.states import ENDS
from mailer.models import (
    Attempt,
    Campaign,
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
)
from mailer.outbox import campaign_source
from mailer.reports.missing import find_missing
from mailer.schedule.rounds import round_of


@dataclass(frozen=True)
class Line:
    """How many mails are in one state for one reason (empty: the state says all)."""

    state: DeliveryState
    reason: str
    mails: int


@dataclass(frozen=True)
class Statement:
    """How many delivery rows are in each state, and what does not add up.

    `missing` counts the mails without a row that an active or finished reader should have had by now, or
    somebody of a campaign's audience; `duplicates` those that were accepted more than once for one person
    and round. `forgotten` are a campaign's rows that went with their person, or because they were old.
    """

    states: dict[DeliveryState, int]
    reasons: dict[str, int]
    missing: int
    duplicates: int
    lines: tuple[Line, ...] = ()
    forgotten: int = 0
    is_complete: bool = True
    """Whether every mail that is to be has its row; a campaign's are written when its time has come."""

    @property
    def audience(self) -> int:
        """Every mail that was planned."""
        return sum(self.states.values()) + self.forgotten

    @property
    def open(self) -> int:
        """Mails that have not reached an end."""
        return sum(count for state, count in self.states.items() if state not in ENDS)

    @property
    def is_balanced(self) -> bool:
        """The audience equals the sum of the ends, and nothing is missing or doubled."""
        return self.is_complete and self.open == 0 and self.missing == 0 and self.duplicates == 0

    def with_mailbox(self, *, arrived: int, different: int) -> Statement:
        """The same statement held against a mailbox that got everything: `different` Message-IDs."""
        lost = max(0, self.states[DeliveryState.ACCEPTED] - different)
        return replace(self, missing=self.missing + lost, duplicates=self.duplicates + arrived - different)


def course_statement(session: Session, course: Course, now: datetime, step: str | None = None) -> Statement:
    """The statement of one course at `now`, the confirmation mails of its list included.

    With `step` (a key, or confirm or welcome) that of this mail alone; raises NotFound when there is none.
    """
    chosen = [of_course(course)] if step is None else [of_course(course), of_step(session, step, course)]
    # What has no step is not worked out from the steps, and is not sent twice for one.
    missing = sum(1 for _, key in find_missing(session, course, now) if step in (None, key))
    return _statement(session, chosen, missing)


def courses_statement(session: Session, courses: Sequence[Course], now: datetime) -> Statement:
    """One statement of several courses at `now`; the confirmations of a list that they share count once."""
    missing = sum(1 for course in courses for _ in find_missing(session, course, now))
    return _statement(session, [or_(*(of_course(course) for course in courses))], missing)


def _statement(session: Session, chosen: Sequence[ColumnElement[bool]], missing: int) -> Statement:
    rows = session.execute(
        select(Delivery.state, Delivery.reason, func.count())
        .where(*chosen)
        .group_by(Delivery.state, Delivery.reason)
        .order_by(Delivery.state, Delivery.reason)
    )
    lines = tuple(Line(DeliveryState(state), reason, count) for state, reason, count in rows)
    states = dict.fromkeys(DeliveryState, 0)
    for line in lines:
        states[line.state] += line.mails
    reasons = {f"{line.state}: {line.reason}": line.mails for line in lines if line.reason}
    return Statement(states, reasons, missing, _duplicates(session, chosen), lines)


def campaign_counts(session: Session, campaign: Campaign) -> Statement:
    """How many mails of a campaign are in each state, by the counts that are kept as rows move.

    It costs the same however large the campaign is: reasons, and what was accepted twice, are not looked for.
    """
    source = campaign_source(campaign.id)
    counted: Counter[str] = Counter()
    for (_, state), mails in tally.counts(session, [source]).items():
        counted[state] += mails
    forgotten = counted.pop(tally.FORGOTTEN, 0)
    with_workers = session.execute(WITH_WORKERS, {"source": source}).scalar_one()
    states = {state: counted[state] for state in DeliveryState}
    states[DeliveryState.SENDING] = with_workers
    states[DeliveryState.PLANNED] = max(0, states[DeliveryState.PLANNED] - with_workers)
    is_complete = campaign.materialised_at is not None
    return Statement(
        states=states,
        reasons={},
        # Until then rows may have been added since the campaign was read.
        missing=campaign.audience - sum(states.values()) - forgotten if is_complete else 0,
        duplicates=0,
        forgotten=forgotten,
        is_complete=is_complete,
    )


def campaign_statement(session: Session, campaign: Campaign) -> Statement:
    """The statement of a campaign: its audience, as it was fixed, against what became of it.

    From the counts that are kept as rows move; only reasons are read from the rows, and what was accepted
    twice.
    """
    counted = campaign_counts(session, campaign)
    told = _reasons(session, campaign)
    without = Counter(counted.states)
    for line in told:
        without[line.state] -= line.mails
    lines = (*(Line(state, "", mails) for state, mails in without.items() if mails > 0), *told)
    return replace(
        counted,
        reasons={f"{line.state}: {line.reason}": line.mails for line in told},
        duplicates=_duplicates(session, [of_campaign(campaign)]),
        lines=tuple(sorted(lines, key=lambda line: (line.state, line.reason))),
    )


# What is with a worker counts as planned; it is in one of a few batches.
WITH_WORKERS = text("""
    SELECT count(*) FROM batches AS b
    CROSS JOIN unnest(b.delivery_ids) AS n (id)
    JOIN deliveries AS d ON d.id = n.id AND d.state = 'sending' AND d.batch_id = b.id
    WHERE b.source = :source
    """)


def _reasons(session: Session, campaign: Campaign) -> tuple[Line, ...]:
    """Why mails of a campaign ended or were set aside; the index it reads has none of the accepted ones."""
    of_it = [Delivery.source == campaign_source(campaign.id), Delivery.reason != ""]
    not_aside = (DeliveryState.PLANNED, DeliveryState.SENDING, DeliveryState.ACCEPTED)
    rows = session.execute(
        select(Delivery.state, Delivery.reason, func.count())
        .where(*of_it, Delivery.state.not_in([written_out(state) for state in not_aside]))
        .group_by(Delivery.state, Delivery.reason)
    )
    return tuple(Line(DeliveryState(state), reason, count) for state, reason, count in rows)


def _duplicates(session: Session, chosen: Sequence[ColumnElement[bool]]) -> int:
    """Mails that a server took beyond the first: for one person, step and round, or for one row."""
    again = (
        select((func.count() - 1).label("extra"))
        .select_from(Delivery)
        .where(
            *chosen,
            Delivery.kind.in_((DeliveryKind.STEP, DeliveryKind.CAMPAIGN)),
            Delivery.state == DeliveryState.ACCEPTED,
        )
        .group_by(Delivery.subscriber_id, Delivery.step_id, round_of(Delivery))
        .subquery()
    )
    rows = session.execute(select(func.coalesce(func.sum(again.c.extra), 0))).scalar_one()
    # The first acceptance is in the row itself; an attempt that was accepted is one too many.
    attempts = session.execute(
        select(func.count())
        .select_from(Attempt)
        .join(Delivery, Attempt.delivery_id == Delivery.id)
        .where(*chosen, Attempt.outcome == DeliveryState.ACCEPTED)
    ).scalar_one()
    return int(rows) + attempts
