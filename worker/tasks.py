"""Every task: open a session, call the domain, return counts. A task decides nothing and never sleeps."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery import Task
from sqlalchemy.orm import Session

from mailer import tally
from mailer.accounts.once import forget_answers
from mailer.accounts.sessions import drop_old_sessions, session_now
from mailer.alarms.tell import tell_due
from mailer.alarms.watch import watch
from mailer.audience.import_files import keep_house as keep_import_files
from mailer.audience.import_folder import ImportFolder
from mailer.db import DatabaseDown, business_now, clock_now, session_scope
from mailer.delivery import batch, bulk, dispatch, guard, partitions
from mailer.delivery.recover import recover
from mailer.launch import campaign_phases, campaign_tick, list_acts, outlook
from mailer.launch.campaign_findings import check_again
from mailer.launch.import_files import carry_on
from mailer.launch.link_checks import forget_links
from mailer.launch.series_look import look_at_feed
from mailer.launch.series_make import Due, claim_due, make
from mailer.launch.zone_rules import heed_zone_rules
from mailer.models import Lane
from mailer.queue import ERRANDS, TaskName, note_heartbeat
from mailer.schedule.follow import pull_triggers
from mailer.schedule.plan import plan_due
from mailer.webhooks.send import drop_old, send_due
from worker.app import app
from worker.parts import parts
from worker.stopping import is_stopping

log = logging.getLogger(__name__)

TURN_SECONDS = 5.0
"""How long one errand goes on before others have their turn."""


@app.task(name=TaskName.TICK)
def tick() -> dict[str, int]:
    """Look for what must not leave, settle what lost workers had, plan what is due, and offer batches."""
    # Not alone: while the guard cannot look, nothing may go on.
    standing = _look()
    counts = {"recovered": _alone(_recover) if standing.may_settle else 0, "planned": 0}
    counts["offered"] = _alone(_offer, Lane.TRANSACTIONAL)
    # In turns: a lesson does not wait until a large campaign's audience is written, nor its sending for that.
    # A campaign's audience is written on hold too: only what is a row is counted and can be passed over.
    while (planned := _alone(_plan) if standing.may_plan else 0) + (written := _alone(_materialise)):
        counts["planned"] += planned + written
        # A confirmation does not wait for either.
        counts["offered"] += _alone(_offer, Lane.TRANSACTIONAL)
        counts["offered"] += _alone(_offer, Lane.CAMPAIGN) if written else 0
    while _alone(_advance):
        counts["offered"] += _alone(_offer, Lane.TRANSACTIONAL) + _alone(_offer, Lane.CAMPAIGN)
    while _alone(_wind_up):
        pass
    counts["offered"] += sum(_alone(_offer, lane) for lane in Lane)
    _alone(_fold)
    return counts


@app.task(name=TaskName.DISPATCH)
def dispatch_lane(lane: str) -> dict[str, int]:
    """Offer one lane's due rows to its workers; asked for right after a commit that made some."""
    return {"offered": _offer(Lane(lane))}


@app.task(name=TaskName.DELIVER_BATCH)
def deliver_batch(batch_id: int) -> dict[str, int]:
    """Send one batch; running it twice sends once."""
    with session_scope(parts().sessions) as session:
        if not _may_send(session):
            return {}
    outcome = batch.deliver_batch(batch_id, parts().post)
    if outcome.lane is not None:
        # The next chunks are on their way before this worker asks, and need not wait for the tick.
        _alone(_offer, outcome.lane)
    return outcome.counts()


@app.task(name=TaskName.KEEP_HOUSE)
def keep_house() -> dict[str, int]:
    """Make next month's tables, and drop what is old."""
    with session_scope(parts().sessions) as session:
        now = business_now(session)
        made = partitions.make_ahead(session, now)
        # Not by a clock that may be wrong, nor in a state that somebody has to look at first.
        dropped = partitions.drop_old(session, now, parts().keep_months) if _may_send(session) else []
        drop_old(session)
        drop_old_sessions(session, session_now(session))
        forget_answers(session)
        forget_links(session)
        keep_import_files(session, ImportFolder(parts().data_dir), now)
    return {"made": len(made), "dropped": len(dropped)}


@app.task(name=TaskName.PULL_TRIGGERS)
def pull() -> dict[str, int]:
    """Enroll those who meet a course's trigger."""
    looked_at = 0
    while found := _alone(_pull):
        looked_at += found
    return {"looked_at": looked_at}


@app.task(name=TaskName.CALL_WEBHOOKS)
def call_webhooks() -> dict[str, int]:
    """Tell webhooks what is due; not from a copy of the database, whose facts are another one's."""
    with session_scope(parts().sessions) as session:
        if not _may_send(session):
            return {}
    return {"called": send_due(parts().sessions, parts().seal, parts().fetcher)}


@app.task(name=TaskName.MAKE_SERIES)
def make_series() -> dict[str, int]:
    """Make the campaigns of the series whose moment has come."""
    with session_scope(parts().sessions) as session:
        due = claim_due(session, business_now(session)) if _may_send(session) else []
    return {"made": sum(_alone(_make, one) for one in due)}


@app.task(name=TaskName.IMPORT_FILES)
def import_on() -> dict[str, int]:
    """Carry on with the imports that were begun at the desk; others' errands come in between."""
    with session_scope(parts().sessions) as session:
        if _is_copy(session):
            return {}
    if more := carry_on(parts().sessions, parts().data_dir, is_stopping):
        parts().broker.send(TaskName.IMPORT_FILES, queue=ERRANDS, expires=60)
    return {"worked": more}


@app.task(name=TaskName.WATCH)
def watch_sending() -> dict[str, int]:
    """Write how sending goes, and what is wrong with it; not from a copy, whose alarms are another one's."""
    depths = parts().broker.depths_or_none()
    with session_scope(parts().sessions) as session:
        return {} if _is_copy(session) else {"open": watch(session, depths)}


@app.task(name=TaskName.TELL_ALARMS)
def tell_alarms() -> dict[str, int]:
    """Tell whoever is to be told that something is wrong, or over."""
    with session_scope(parts().sessions) as session:
        if _is_copy(session):
            return {}
    here = parts()
    return {"told": tell_due(here.sessions, here.seal, here.fetcher, here.smtp_url, here.base_url)}


@app.task(name=TaskName.LOOK_AHEAD)
def look_ahead() -> dict[str, int]:
    """Work out the coming days when that is old or somebody asked; check again what is scheduled."""
    _alone(_heed_zone_rules)
    return {"made": _alone(_work_out), "checked": _alone(_check_again)}


@app.task(name=TaskName.ACT_ON_MANY)
def act_on_many() -> dict[str, int]:
    """Go on with what was asked for on many mails or a whole list; other errands have their turn between."""
    done, began = 0, time.monotonic()
    while _alone(_act_on_some):
        done += 1
        if time.monotonic() - began > TURN_SECONDS:
            parts().broker.send(TaskName.ACT_ON_MANY, queue=ERRANDS, expires=60)
            break
    return {"parts": done}


@app.task(name=TaskName.ASK_HEARTBEATS)
def ask_heartbeats() -> dict[str, int]:
    """Send a heartbeat through every queue, with the moment on the database's clock."""
    with session_scope(parts().sessions) as session:
        sent_at = clock_now(session)
    return {"asked": parts().broker.ask_heartbeats(sent_at)}


@app.task(name=TaskName.HEARTBEAT, bind=True)
def heartbeat(self: Task, queue: str, sent_at: str) -> None:
    """Came out of `queue` at this worker: it consumes, which answering a ping would not prove."""
    with session_scope(parts().sessions) as session:
        note_heartbeat(session, queue, str(self.request.hostname), datetime.fromisoformat(sent_at))


def _alone(stage: Callable[..., int], *arguments: Any) -> int:
    """Run one stage; its failure is logged, and the other stages go on."""
    try:
        return stage(*arguments)
    except DatabaseDown:
        raise
    except Exception:
        fields = {"event": "stage.failed", "stage": stage.__name__}
        log.exception("%s failed; the next tick tries again", stage.__name__, extra=fields)
        return 0


def _look() -> guard.Standing:
    here = parts().installation
    with session_scope(parts().sessions) as session:
        standing = guard.look(session, here, parts().hold_after, business_now(session))
    here.note(standing.mark)
    return standing


def _is_copy(session: Session) -> bool:
    return guard.is_fenced(session, parts().installation, parts().hold_after)


def _may_send(session: Session) -> bool:
    """Whether the guard lets this process send; it says so once when not, and not every second."""
    may = guard.may_send(session, parts().installation, parts().hold_after)
    if not may and parts().may_send:
        log.warning("Nothing leaves from this database for now; `steadypost hold show` says why")
    parts().may_send = may
    return may


def _recover() -> int:
    with session_scope(parts().sessions) as session:
        recovered = recover(session, parts().journal_dir, business_now(session), parts().policy)
    recovered.forget_journals()
    return recovered.rows


def _plan() -> int:
    with session_scope(parts().sessions) as session:
        return plan_due(session, business_now(session))


def _pull() -> int:
    with session_scope(parts().sessions) as session:
        return pull_triggers(session, business_now(session)) if _may_send(session) else 0


def _heed_zone_rules() -> int:
    with session_scope(parts().sessions) as session:
        return heed_zone_rules(session, business_now(session)) if _may_send(session) else 0


def _work_out() -> int:
    with session_scope(parts().sessions) as session:
        return outlook.work_out(session)


def _check_again() -> int:
    with session_scope(parts().sessions) as session:
        return check_again(session, parts().signer, parts().base_url)


def _act_on_some() -> int:
    with session_scope(parts().sessions, wake=parts().broker.wake) as session:
        return bulk.do_part(session) or list_acts.do_part(session)


def _make(due: Due) -> int:
    # Another machine is asked for its feed, so in no transaction.
    look = look_at_feed(due.feed_url, due.marks, parts().fetcher, due.at) if due.feed_url else None
    with session_scope(parts().sessions) as session:
        made = make(
            *(session, due, look, business_now(session)),
            who="tick",
            signer=parts().signer,
            base_url=parts().base_url,
            approval=parts().approval,
        )
        return bool(made.campaign)


def _fold() -> int:
    with session_scope(parts().sessions) as session:
        return tally.fold(session)


def _materialise() -> int:
    with session_scope(parts().sessions) as session:
        return campaign_tick.materialise(session, business_now(session))


def _advance() -> int:
    with session_scope(parts().sessions) as session:
        return campaign_phases.advance(session, business_now(session)) if _may_send(session) else 0


def _wind_up() -> int:
    with session_scope(parts().sessions) as session:
        return campaign_tick.wind_up(session, business_now(session))


def _offer(lane: Lane) -> int:
    with session_scope(parts().sessions) as session:
        if not _may_send(session):
            return 0
        batches = dispatch.offer(session, lane, business_now(session))
    for batch_id in batches:
        # After that time it is offered again, and this task would find it taken.
        parts().broker.send(
            TaskName.DELIVER_BATCH, batch_id, queue=lane, expires=dispatch.OFFER.total_seconds()
        )
    return len(batches)
