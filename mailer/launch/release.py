"""Releasing what the guard has put on hold, with a policy for what is overdue.

Done in bounded transactions while the holds are in force, so that nothing is planned or sent in between:

    choice = choose(session, …)                      # refuses when nothing is on hold
    begin(session, choice, …)                        # the entry in the action log
    write_campaigns(session, choice, …)              # until it gives 0
    pass_over_readers(session, choice, ids, …)       # for each group of overdue_readers()
    pass_over_mails(session, choice, …)              # until it gives 0
    finish(session, choice, …)                       # the holds end, and the database is adopted

A release that was cut short is begun again by the same calls: what was passed over stays so, and the
holds are in force until the last of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.delivery import guard
from mailer.delivery.holds import guarded
from mailer.delivery.installation import Installation, Mark
from mailer.errors import Refused
from mailer.launch.backlog import (
    is_a_readers_last,
    is_stale,
    is_waiting,
    reader_backlog,
    waiting_step,
)
from mailer.launch.campaign_tick import materialise
from mailer.models import Action, Delivery, Enrollment, Hold, HoldCause, Lane
from mailer.schedule.catchup import STALE_AFTER, CatchUp, Policy
from mailer.schedule.courses import CoursePlan, load_plan
from mailer.schedule.decide import Wait, decide
from mailer.schedule.place import moment_of
from mailer.schedule.plan import IS_ACTIVE, apply_changes, change_of, lesson_of, place_of, select_places

GROUP = 1000
"""How many readers or mails are dealt with in one transaction."""

NOTHING_HELD = (
    "Nothing is on hold by itself. What a person paused goes on with `steadypost queue resume`; "
    "`steadypost queue status` shows it."
)
IS_ANOTHERS = (
    "Somebody else has let some of it go on meanwhile, or is about to; `steadypost delivery actions` says "
    "who. Look at what is still on hold, then choose again."
)


@dataclass(frozen=True)
class Choice:
    """What is released, and what becomes of what is overdue in `lanes`."""

    policy: Policy
    lanes: tuple[Lane, ...]
    stale_after: timedelta
    hold_ids: tuple[int, ...]
    is_fence: bool

    @property
    def reason(self) -> str:
        """Why a mail was passed over, for its row."""
        if self.policy == Policy.RHYTHM:
            return "passed over after an outage: the course is back at its own dates"
        return f"passed over after an outage: more than {guard.words(self.stale_after)} late"


def choose(
    session: Session, policy: Policy, lane: Lane | None = None, stale_after: timedelta = STALE_AFTER
) -> Choice:
    """What a release of `lane`, or of all that the guard holds, comes to; raises Refused."""
    holds = guarded(session)
    if not holds:
        raise Refused(NOTHING_HELD)
    is_fence = any(hold.cause == HoldCause.FENCE for hold in holds)
    if is_fence and lane is not None:
        raise Refused("Everything is on hold, so there is no releasing one lane alone; leave --lane out.")
    chosen = [hold for hold in holds if lane is None or hold.target == lane]
    if not chosen:
        raise Refused(f"The lane {lane} is not on hold by itself; `steadypost hold show` says what is.")
    lanes = tuple(Lane) if is_fence else tuple(Lane(hold.target) for hold in chosen)
    return Choice(policy, lanes, stale_after, tuple(hold.id for hold in chosen), is_fence)


def begin(session: Session, choice: Choice, now: datetime, *, who: str) -> int:
    """Write the entry in the action log, and take the holds over from a release that was begun before, which
    stops; the entry's id."""
    detail: dict[str, Any] = {"policy": str(choice.policy), "lanes": list(map(str, choice.lanes))}
    if choice.policy == Policy.SKIP_STALE:
        detail["stale_after_hours"] = choice.stale_after / timedelta(hours=1)
    if choice.is_fence:
        detail["adopted"] = True
    action = Action(at=now, who=who, what="hold release", detail=detail)
    session.add(action)
    session.flush()
    taken = update(Hold).where(Hold.id.in_(choice.hold_ids), Hold.released_at.is_(None))
    mine = session.execute(taken.values(release_action_id=action.id).returning(Hold.id)).all()
    if len(mine) < len(choice.hold_ids):
        # What was chosen for all of them is not right for what is left.
        raise Refused(IS_ANOTHERS)
    return action.id


def go_on(session: Session, choice: Choice, action_id: int) -> list[Hold]:
    """The holds that are to end, locked for this step; raises Refused when another release has one."""
    mine = select(Hold).where(
        Hold.id.in_(choice.hold_ids), Hold.released_at.is_(None), Hold.release_action_id == action_id
    )
    holds = list(session.execute(mine.order_by(Hold.id).with_for_update()).scalars())
    if len(holds) < len(choice.hold_ids):
        raise Refused(IS_ANOTHERS)
    return holds


def write_campaigns(session: Session, choice: Choice, now: datetime) -> int:
    """Write some rows of campaigns whose time has come: only what is a row can be passed over, and in an
    older state of a database their mails may have left already. 0 when there are no more."""
    return materialise(session, now) if Lane.CAMPAIGN in choice.lanes else 0


def overdue_readers(session: Session, choice: Choice, now: datetime) -> list[list[int]]:
    """The enrollments whose backlog the policy changes, in groups for `pass_over_readers`."""
    if choice.policy == Policy.SHIFT or Lane.COURSE not in choice.lanes:
        return []
    waits = and_(is_waiting([Lane.COURSE], now), is_a_readers_last())
    due = select(Enrollment.id).where(IS_ACTIVE, Enrollment.next_due_at <= now)
    ids = sorted(
        {
            *session.execute(due).scalars(),
            *session.execute(select(Delivery.enrollment_id).where(waits)).scalars(),
        }
    )
    return [ids[start : start + GROUP] for start in range(0, len(ids), GROUP)]


def pass_over_readers(session: Session, choice: Choice, ids: Sequence[int], now: datetime) -> int:
    """Carry out the policy for these enrollments; returns how many mails were passed over.

    Each has a row, skipped with its reason, so that the statement adds up and `why` can tell.
    """
    rows = session.execute(
        select_places()
        .add_columns(Delivery.kind.label("last_kind"), Enrollment.next_due_at, Enrollment.paused_until)
        .where(Enrollment.id.in_(ids), IS_ACTIVE)
        .order_by(Enrollment.id)
        .with_for_update(of=Enrollment, key_share=True)
    ).all()
    plans: dict[int, CoursePlan] = {}
    waiting: list[int] = []
    lessons: list[outbox.NewDelivery] = []
    changes: list[dict[str, Any]] = []
    for row in rows:
        plan = plans.get(row.course_id) or plans.setdefault(row.course_id, load_plan(session, row.course_id))
        found = reader_backlog(row, plan, now, choice.policy, choice.stale_after)
        if not found.passed_over and found.anchor.day <= row.last_day:
            continue  # the tick does the rest by itself
        first = waiting_step(row, plan)
        if first is not None and first in found.passed_over:
            waiting.append(row.last_delivery_id)
        new = [_skipped(row, plan, step, found) for step in found.passed_over if step != first]
        lessons += new
        changes.append(_change(row, plan, found, new, now))
    added = outbox.write(session, lessons, now)
    apply_changes(session, changes, added)
    return outbox.skip(session, [*waiting, *added.values()], choice.reason, now)


def pass_over_mails(session: Session, choice: Choice, now: datetime) -> int:
    """Pass over some mails that are stale and that no reader's place hangs on; 0 when there are no more."""
    if choice.policy != Policy.SKIP_STALE:
        return 0
    stale = (
        select(Delivery.id)
        .where(
            is_waiting(choice.lanes, now),
            is_stale(choice.lanes, choice.stale_after, now),
            ~is_a_readers_last(),
        )
        .order_by(Delivery.id)
        .limit(GROUP)
    )
    return outbox.skip(session, list(session.execute(stale).scalars()), choice.reason, now)


def finish(
    session: Session, choice: Choice, here: Installation, now: datetime, *, action_id: int, mails: int
) -> Mark | None:
    """End the holds, and have what is due dispatched after the commit.

    A database that was fenced becomes this installation's in the state it is in; what was on its way in
    that state ends as uncertain. The mark is to be noted after the commit.
    """
    mark = None
    holds = go_on(session, choice, action_id)
    if choice.is_fence:
        mark = guard.adopt(session, here)
        mails += guard.doubt_sending(session, now)
    guard.end_holds(session, holds, now)
    action = session.get_one(Action, action_id)
    action.rows = mails
    return mark


def _skipped(row: Any, plan: CoursePlan, step: Any, found: CatchUp) -> outbox.NewDelivery:
    place = place_of(row, plan.zone, weeks=plan.weeks)
    return lesson_of(row, plan, step, moment_of(place, found.anchor, step, plan.steps))


def _change(
    row: Any, plan: CoursePlan, found: CatchUp, new: Sequence[outbox.NewDelivery], now: datetime
) -> dict[str, Any]:
    """The enrollment behind what it passed over, and when it is due again."""
    last_day = max([row.last_day, *(step.day for step in found.passed_over)])
    place = place_of(row, plan.zone, weeks=plan.weeks)
    is_last_kept = not found.passed_over
    after = replace(
        place, anchor=found.anchor, last_day=last_day, is_last_open=place.is_last_open and is_last_kept
    )
    following = decide(after, plan.steps, now, plan.ways)
    change = change_of(
        row,
        anchor=found.anchor,
        last_day=last_day,
        # What is due at once, and the end of a course, are for the tick.
        next_due_at=following.until if isinstance(following, Wait) else now,
    )
    if new:
        change["dedup_key"] = new[-1].dedup_key
    return change
