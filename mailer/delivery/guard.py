"""The guard: looks at the database before anything leaves, and puts on hold what must not leave unasked.

An outage, a database that was restored to an older state, and a copy of it on another machine all look
alike from the inside: mail is overdue. Here they are told apart by what lies outside (`installation`)
and by the last sign of life, which the tick leaves in the instance row:

- the database has not adopted this installation's token, or its fence is behind the one noted in the data
  folder, or nothing can prove that it is not: it may be a copy or an old state, and what is due in it may
  have left long ago. Everything is put on hold.
- it is ours, but there was no sign of life for longer than the setting, and course or campaign mail is
  overdue by more than it: an outage. These two lanes are put on hold.

A lane that is slow, or that a person has paused, is neither: the tick leaves its sign all the while.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from mailer import tally
from mailer.db import ask_to_wake
from mailer.delivery import dispatch
from mailer.delivery.holds import guarded, put_on_hold
from mailer.delivery.installation import Installation, Mark
from mailer.models import Delivery, DeliveryState, Hold, HoldCause, HoldScope, Instance, Lane

MARK_EVERY = timedelta(seconds=10)
"""How often the sign of life is renewed; a database set back by less is not noticed."""

UNPROVEN = timedelta(minutes=15)
"""A silence longer than a restart. Where the data folder knows nothing of the database after one, nobody
can tell an outage from a copy, whatever token a copied file of settings gives."""

CLOCK_BEHIND = timedelta(hours=1)
"""No daylight saving reaches a clock in UTC, and no time server sets one back so far."""

RESTORED = b""
"""The token's hash in a database that was restored: no token has it."""

HELD_LANES = (Lane.COURSE, Lane.CAMPAIGN)
"""What an outage stops. Somebody who waits for a confirmation is not flooded by one mail."""


@dataclass(frozen=True)
class Signs:
    """What is known on both sides. `silence`: how long ago the last sign of life was, None without any;
    `is_at_home`: whether the data folder is where it was when the fence was noted."""

    adopted: bytes | None
    own: bytes | None
    fence: int
    known_fence: int | None
    silence: timedelta | None
    is_at_home: bool = True


@dataclass(frozen=True)
class Trouble:
    """Why this database may not send before somebody has looked."""

    cause: HoldCause
    reason: str


@dataclass(frozen=True)
class Standing:
    """What a tick may do; `mark` is to be noted in the data folder after the commit."""

    may_settle: bool
    may_plan: bool
    mark: Mark | None


def trouble(signs: Signs, hold_after: timedelta) -> Trouble | None:
    """What speaks against sending from this database, or None. Pure.

    An outage is only the suspicion of one: whether mail is overdue is for `look` to find out.
    """
    fenced = _fenced(signs)
    if fenced:
        return Trouble(HoldCause.FENCE, fenced)
    if signs.silence is not None and signs.silence > hold_after:
        return Trouble(HoldCause.OUTAGE, f"no sign of life for {words(signs.silence)}")
    return None


def _fenced(signs: Signs) -> str:
    """Why this may be a copy or an older state of the database; empty when it is ours and the newest."""
    if signs.adopted == RESTORED:
        return "the database was restored from a backup; what is due in it may have left since then"
    if signs.adopted is None:
        return "no installation has adopted the database yet"
    if signs.adopted != signs.own:
        return "the database belongs to another installation: its instance token is not the one of this"
    if signs.known_fence is not None and signs.fence < signs.known_fence:
        return "the database is in an older state than this installation has seen"
    if not signs.is_at_home:
        return "the data folder was copied or restored, and the database perhaps with it"
    if signs.silence is None:
        return ""
    if signs.known_fence is None and signs.silence > UNPROVEN:
        silence = words(signs.silence)
        return f"no sign of life for {silence}, and nothing in the data folder tells the database from a copy"
    if -signs.silence > CLOCK_BEHIND:
        return f"the database's clock is {words(-signs.silence)} behind its own last sign of life"
    return ""


def look(session: Session, here: Installation, hold_after: timedelta, now: datetime) -> Standing:
    """Look, put on hold what has to be, and leave a sign of life. `now` is the business moment.

    To be called at a start and by every tick, and its session committed before anything is planned or
    offered. A database that nobody has adopted becomes this installation's. What is released is not put
    on hold again for the same outage, since the sign of life is new then.
    """
    row, found = _find(session, here, hold_after)
    if found is not None and found.cause == HoldCause.FENCE:
        # No sign of life either: the evidence stays until somebody has decided.
        put_on_hold(session, HoldCause.FENCE, HoldScope.EVERYTHING, "", now, found.reason)
        return Standing(may_settle=False, may_plan=False, mark=None)
    if found is not None:
        _hold_overdue(session, found, hold_after, now)
    holds = guarded(session)
    is_fenced = any(hold.cause == HoldCause.FENCE for hold in holds)
    is_due = row.seen_at is None or row.clock - row.seen_at > MARK_EVERY
    return Standing(
        may_settle=not is_fenced,
        may_plan=not any(map(_stops_courses, holds)),
        mark=leave_sign(session) if is_due and not is_fenced else None,
    )


def _find(session: Session, here: Installation, hold_after: timedelta) -> tuple[Any, Trouble | None]:
    """The row, and what speaks against it; a database that nobody has is adopted first."""
    known = here.known()
    row = _row(session)
    if row.token_hash is None:
        row, known = _adopt_first(session, here, known)
        return row, trouble(_signs(row, here, known), hold_after)
    found = trouble(_signs(row, here, known), hold_after)
    if found is not None:
        # Once more under the lock: somebody may be releasing it at this moment.
        session.execute(LOCK)
        known = here.known()
        row = _row(session)
        found = trouble(_signs(row, here, known), hold_after)
    return row, found


LOCK = select(Instance.id).with_for_update()


def may_send(session: Session, here: Installation, hold_after: timedelta) -> bool:
    """Whether there is nothing in this database that the guard has still to look at; one read of a row.

    Asked by every worker before it offers or sends, so that none is quicker than the first look.
    """
    known = here.known()
    return trouble(_signs(_row(session), here, known), hold_after) is None


def is_fenced(session: Session, here: Installation, hold_after: timedelta) -> bool:
    """Whether this database may be a copy or an older state, so that another one speaks for it."""
    found = trouble(_signs(_row(session), here, here.known()), hold_after)
    return found is not None and found.cause == HoldCause.FENCE


def leave_sign(session: Session) -> Mark | None:
    """Write that this database is alive, and move its fence on; None before it was adopted."""
    left = session.execute(
        update(Instance)
        .where(Instance.database_id.is_not(None))
        .values(
            fence=Instance.fence + 1,
            seen_at=func.greatest(Instance.seen_at, func.clock_timestamp()),
        )
        .returning(Instance.database_id, Instance.fence)
    ).one_or_none()
    return Mark(left.database_id, left.fence) if left else None


def adopt(session: Session, here: Installation) -> Mark | None:
    """Make this database this installation's, in the state it is in: from now on it is the one."""
    known = here.known()
    session.execute(
        update(Instance).values(
            token_hash=here.make_token(),
            database_id=func.coalesce(Instance.database_id, func.gen_random_uuid()),
            fence=func.greatest(Instance.fence, known.fence if known else 0),
            # Also where the clock is behind: this is its time now.
            seen_at=func.clock_timestamp(),
        )
    )
    return leave_sign(session)


def fence_off(session: Session, now: datetime, reason: str) -> int:
    """Put everything on hold in a database that was just restored, until an installation adopts it.

    Mails that were on their way in it are uncertain: they may have arrived. Returns how many those are.
    """
    session.execute(update(Instance).values(token_hash=RESTORED))
    put_on_hold(session, HoldCause.FENCE, HoldScope.EVERYTHING, "", now, reason)
    return doubt_sending(session, now)


def doubt_sending(session: Session, now: datetime) -> int:
    """End what a worker had in a copied or older state as uncertain; returns how many mails.

    What was only offered is planned again.
    """
    dispatch.take_back(session, [])
    values = {"now": now, "reason": "on its way when the database was copied; it may have arrived"}
    doubted = Counter(tally.Place(*row) for row in session.execute(DOUBT, values))
    uncertain = {
        tally.Change(place, DeliveryState.SENDING, DeliveryState.UNCERTAIN): mails
        for place, mails in doubted.items()
    }
    tally.note(session, uncertain)
    session.execute(text("DELETE FROM batches"))
    return doubted.total()


DOUBT = text("""
    UPDATE deliveries SET state = 'uncertain', reason = :reason, settled_at = :now, batch_id = NULL
    WHERE state = 'sending' RETURNING lane, source, kind, step_id
    """)


def end_holds(session: Session, holds: list[Hold], now: datetime) -> None:
    """Release these holds and have their lanes dispatched after the commit."""
    for hold in holds:
        hold.released_at = max(hold.since, now)
    for lane in Lane:
        ask_to_wake(session, lane)
    session.flush()


def words(silence: timedelta) -> str:
    """How long, as people say it: "9 days", "7 hours", "20 minutes"."""
    hours = silence.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"


def _row(session: Session) -> Any:
    columns = (Instance.database_id, Instance.token_hash, Instance.fence, Instance.seen_at)
    return session.execute(select(*columns, func.clock_timestamp().label("clock"))).one()


def _signs(row: Any, here: Installation, known: Mark | None) -> Signs:
    is_known = known is not None and known.database_id == row.database_id
    return Signs(
        adopted=row.token_hash,
        own=here.token_hash(),
        fence=row.fence,
        known_fence=known.fence if known is not None and is_known else None,
        silence=row.clock - row.seen_at if row.seen_at is not None else None,
        is_at_home=known is None or known.is_at_home,
    )


def _adopt_first(session: Session, here: Installation, known: Mark | None) -> tuple[Any, Mark | None]:
    """Adopt a database that nobody has, unless this folder has already seen one that went further."""
    session.execute(LOCK)
    row = _row(session)
    if row.token_hash is not None:
        return row, known  # by somebody who started at the same moment
    if known is not None and session.execute(HAS_MAIL).scalar_one():
        session.execute(update(Instance).values(token_hash=RESTORED))
        return _row(session), known
    session.execute(
        update(Instance).values(token_hash=here.make_token(), database_id=func.gen_random_uuid(), fence=1)
    )
    row = _row(session)
    return row, Mark(row.database_id, row.fence)


HAS_MAIL = text("SELECT EXISTS (SELECT 1 FROM deliveries)")

# By partial indexes; only read after a silence.
OVERDUE = text("""
    SELECT least(
        (SELECT min(next_due_at) FROM enrollments WHERE state = 'active'),
        (SELECT min(next_attempt_at) FROM deliveries WHERE state = 'planned' AND lane = 'course'),
        (SELECT min(next_attempt_at) FROM deliveries WHERE state = 'planned' AND lane = 'campaign'),
        (SELECT min(starts_at) FROM campaigns WHERE state = 'scheduled' AND NOT awaits_approval)
    )
    """)


def _hold_overdue(session: Session, found: Trouble, hold_after: timedelta, now: datetime) -> None:
    oldest = session.execute(OVERDUE).scalar_one()
    if oldest is None or now - oldest <= hold_after:
        return
    reason = f"{found.reason}, and mail is overdue by {words(now - oldest)}"
    # What was offered before the outage and that nobody has begun waits with the rest.
    dispatch.take_back(session, [Delivery.lane.in_(HELD_LANES)])
    for lane in HELD_LANES:
        put_on_hold(session, HoldCause.OUTAGE, HoldScope.LANE, lane, now, reason)


def _stops_courses(hold: Hold) -> bool:
    return hold.scope == HoldScope.EVERYTHING or hold.target == Lane.COURSE
