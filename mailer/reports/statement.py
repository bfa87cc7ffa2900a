"""The balanced statement: every delivery of a course or campaign accounted for, and nobody forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, cast, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from mailer import tally
from mailer.clock import instant_of, local_date
from mailer.db import written_out
from mailer.delivery.ledger import of_campaign, of_course, of_step
from mailer.delivery.states import ENDS
from mailer.models import (
    Attempt,
    Campaign,
    Course,
    CourseVersion,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    EnrollmentState,
    Instance,
    Step,
    Subscriber,
)
from mailer.outbox import campaign_source
from mailer.schedule.plan import OPEN

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


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
    # What has no step is not worked out from the steps, and is not sent twice for one.
    missing = sum(1 for _, key in _missing(session, course, now) if step in (None, key))
    return Statement(states, reasons, missing, _duplicates(session, chosen), lines)


def campaign_statement(session: Session, campaign: Campaign) -> Statement:
    """The statement of a campaign: its audience, as it was fixed, against what became of it.

    From the counts that are kept as rows move; only reasons are read from the rows.
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
    told = _reasons(session, campaign)
    reasons = {f"{line.state}: {line.reason}": line.mails for line in told}
    without = Counter(states)
    without.subtract({line.state: line.mails for line in told})
    lines = (*(Line(state, "", mails) for state, mails in without.items() if mails > 0), *told)
    return Statement(
        states=states,
        reasons=reasons,
        # Until then rows may have been added since the campaign was read.
        missing=campaign.audience - sum(states.values()) - forgotten if is_complete else 0,
        duplicates=_duplicates(session, [of_campaign(campaign)]),
        lines=tuple(sorted(lines, key=lambda line: (line.state, line.reason))),
        forgotten=forgotten,
        is_complete=is_complete,
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


def _missing(session: Session, course: Course, now: datetime) -> Iterator[tuple[int, str]]:
    """(enrollment, step key) of every mail that somebody should have had, and that has no row.

    This is worked out from the steps, the enrollments and the versions of the course, not from what
    the tick did. A step that was put where it is when somebody was past that day is not missed.
    """
    placed_at = _placed_at(session, course)
    for row in session.execute(_without_row(course, now)):
        zone = row.zone or course.zone
        placed = placed_at[row.key]
        if row.day <= row.last_day:
            is_missed = row.before_it_at >= placed
        elif row.state == EnrollmentState.FINISHED:
            is_missed = row.ended_at > placed
        elif row.last_state in OPEN:
            is_missed = False  # it waits for the mail before it, which is counted as open
        else:
            # An anchor ahead is an appointment, and what is before it is caught up until then.
            is_caught_up = row.last_day < row.day < row.anchor_day
            on = row.anchor_date + timedelta(days=0 if is_caught_up else row.day - row.anchor_day)
            is_missed = instant_of(max(on, local_date(placed, zone)), row.send_time, zone) <= now
        if is_missed:
            yield row.id, row.key


def _without_row(course: Course, now: datetime) -> Any:
    """Steps up to now without a delivery. `before_it_at`: when the last mail before the step was due."""
    earlier, earlier_step, last = aliased(Delivery), aliased(Step), aliased(Delivery)
    before_it_at = (
        select(func.max(earlier.due_at))
        .outerjoin(earlier_step, earlier_step.id == earlier.step_id)
        .where(
            earlier.enrollment_id == Enrollment.id,
            earlier.subscriber_id == Enrollment.subscriber_id,
            _is_this_round(earlier),
            or_(earlier.kind == DeliveryKind.WELCOME, earlier_step.day < Step.day),
        )
        .correlate(Enrollment, Step)
        .scalar_subquery()
    )
    # Nowhere on earth is it later than fourteen hours after UTC; the zones themselves come afterwards.
    latest = (now + timedelta(days=1)).date()
    is_due = Enrollment.anchor_date + (Step.day - Enrollment.anchor_day) <= latest
    return (
        select(
            *(Enrollment.id, Enrollment.state, Enrollment.anchor_date, Enrollment.anchor_day),
            *(Enrollment.last_day, Enrollment.ended_at, Subscriber.zone),
            *(Step.key, Step.day, Step.send_time, last.state.label("last_state")),
            func.coalesce(before_it_at, Enrollment.created_at).label("before_it_at"),
        )
        .join(Subscriber, Subscriber.id == Enrollment.subscriber_id)
        .join(Step, and_(Step.course_id == Enrollment.course_id, Step.retired_at.is_(None)))
        .outerjoin(last, last.id == Enrollment.last_delivery_id)
        .outerjoin(
            Delivery,
            and_(
                Delivery.enrollment_id == Enrollment.id,
                Delivery.step_id == Step.id,
                _is_this_round(Delivery),
            ),
        )
        .where(
            Enrollment.course_id == course.id,
            Delivery.id.is_(None),
            # What was dropped because it is old is not missing.
            Enrollment.created_at >= func.coalesce(select(Instance.kept_since).scalar_subquery(), LONG_AGO),
            or_(
                Enrollment.state == EnrollmentState.FINISHED,
                and_(
                    Enrollment.state == EnrollmentState.ACTIVE,
                    or_(Step.day <= Enrollment.last_day, is_due),
                ),
            ),
        )
    )


def _is_this_round(delivery: type[Delivery]) -> ColumnElement[bool]:
    """Whether a delivery belongs to the round its enrollment is in: the dedup key's last word."""
    return cast(func.split_part(delivery.dedup_key, ":", 5), Integer) == Enrollment.round


def _placed_at(session: Session, course: Course) -> dict[str, datetime]:
    """Since when each step is on its day: the first of its newest versions without a break."""
    versions = session.execute(
        select(CourseVersion.published_at, CourseVersion.manifest)
        .where(CourseVersion.course_id == course.id)
        .order_by(CourseVersion.number)
    )
    placed_at: dict[str, datetime] = {}
    days: dict[str, int] = {}
    for published_at, manifest in versions:
        now_on = {step["key"]: step["day"] for step in manifest["steps"]}
        for key, day in now_on.items():
            if days.get(key) != day:
                placed_at[key] = published_at
        days = now_on
    return placed_at


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
        .group_by(Delivery.subscriber_id, Delivery.step_id, func.split_part(Delivery.dedup_key, ":", 5))
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
