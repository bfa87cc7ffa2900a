"""The fault run: a throwaway stack sends while its workers are killed; then every mail is counted."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import select

from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person, get_subscriber
from mailer.cli.stack import Stack
from mailer.clock import real_now
from mailer.db import DatabaseDown, make_engine, make_sessions, session_scope, step_clock
from mailer.delivery.compose import message_id_of
from mailer.launch.check import check_course
from mailer.launch.publish import publish
from mailer.models import Delivery, DeliveryState
from mailer.queue import Broker, TaskName
from mailer.reports.flow import next_moment, open_work
from mailer.schedule.courses import get_course
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import sign_up

LESSONS = 20
MAILS_A_PERSON = LESSONS + 1
"""The welcome, and every lesson."""
PATIENCE_SECONDS = 240.0
"""How long nothing may move before the run gives up; longer than a lost worker's mails wait."""
SECONDS_A_KILL = 0.5
"""Between two kills, about."""
CONVERSATIONS = 8
"""Mails under way at once: two processes of the course's worker with four conversations each."""
A_MASTER = 0.15
"""How often any worker process may be the one that is killed, and not one of those that send."""
EMPTY_REDIS_EVERY = 9
RESTART_POSTGRES_EVERY = 17
SENDER = "course@faults.example"

COURSE = f"""\
slug = "faults"
title = "A course for a fault run"
language = "en"
zone = "Etc/UTC"
list = "faults"
opt_in = "single"
consent = "Send me the course."
days = {LESSONS}
send_time = "08:00"
disclaimer = "For learning only."
[sender]
name = "Fault run"
email = "{SENDER}"
postal_address = "12 Quiet Lane, Bristol"
"""
STEP = """\
---
key: lesson-{day}
subject: "Lesson {day}"
preheader: "A short line"
kind: lesson
day: {day}
---
# Lesson {day}

{{{{ greeting }}}}

One idea.
"""


@dataclass(frozen=True)
class Score:
    """How a fault run ended. `uncertain` mails were cut off after the final dot (RFC 1047): a second copy
    of those is known and has the same Message-ID; any other second copy is a duplicate."""

    kills: int
    sent: int
    lost: int
    duplicates: int
    uncertain: int

    @property
    def is_clean(self) -> bool:
        """Nothing was lost, and nothing was sent twice in silence."""
        return self.lost == 0 and self.duplicates == 0


class FaultRun:
    """Sends to `people` while workers are killed. `stack` is started by the caller, on its own folder."""

    def __init__(self, stack: Stack, people: int, kills: int, seed: int, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._people = people
        self._kills_wanted = kills
        self._say = say
        # Which instant is hit shall differ from run to run, and a run be named when it finds something.
        self._dice = random.Random(seed)  # noqa: S311
        self._sessions = make_sessions(make_engine(str(stack.settings.database_url)))
        self._broker = Broker(str(stack.settings.redis_url))
        self._faults = 0
        self.kills = 0
        self.emptied = 0
        self.restarted = 0

    def play(self, folder: Path) -> None:
        """Enroll everybody, and live through the course day by day, breaking things all the while."""
        at = real_now().replace(hour=6, minute=0, second=0, microsecond=0)
        self._set_scene(folder, at)
        moment: datetime | None = at
        while moment is not None:
            with session_scope(self._sessions) as session:
                step_clock(session, moment)
            days_left = MAILS_A_PERSON - (moment - at) // timedelta(days=1)
            self._settle(moment, -(-(self._kills_wanted - self.kills) // max(1, days_left)))
            with session_scope(self._sessions) as session:
                moment = next_moment(session)

    def _set_scene(self, folder: Path, at: datetime) -> None:
        folder.mkdir()
        (folder / "course.toml").write_text(COURSE, encoding="utf-8")
        for day in range(1, LESSONS + 1):
            (folder / f"{day:02}-lesson.md").write_text(STEP.format(day=day), encoding="utf-8")
        compiled, problems = check_course(folder)
        if compiled is None:
            raise RuntimeError(f"the course of the fault run is broken: {problems}")
        with session_scope(self._sessions) as session:
            step_clock(session, at)
            publish(session, compiled, at)
        with session_scope(self._sessions) as session:
            course = get_course(session, "faults")
            evidence = Evidence(wording=course.consent, source="fault run")
            for number in range(self._people):
                person = Person(f"reader{number}@reader.example", f"Reader {number}", zone="Etc/UTC")
                sign_up(session, person, get_list(session, "faults"), evidence, at)
                enroll(session, course, get_subscriber(session, person.email), at)

    def _settle(self, moment: datetime, kills: int) -> None:
        """Break something now and then until nothing that is due at `moment` is open any more."""
        last, moved_at, asked_at = -1, time.monotonic(), 0.0
        next_fault = time.monotonic() + self._dice.uniform(0, SECONDS_A_KILL)
        while work := self._open_work(moment):
            now = time.monotonic()
            if work != last:
                last, moved_at = work, now
            if now - moved_at > PATIENCE_SECONDS:
                self._say(f"{work} mails have not moved for {PATIENCE_SECONDS:.0f} s")
                return
            if now - asked_at > 1.0:
                self._broker.send(TaskName.TICK)
                asked_at = now
            if kills > 0 and now >= next_fault:
                kills -= self._break_something()
                next_fault = time.monotonic() + self._dice.uniform(0.2, 1.6) * SECONDS_A_KILL
            self._stack.look_after()
            time.sleep(0.05)

    def _open_work(self, moment: datetime) -> int:
        try:
            with session_scope(self._sessions) as session:
                return open_work(session, moment)
        except DatabaseDown:
            return -1  # it is being restarted: not nothing

    def _break_something(self) -> int:
        """Kill a worker, and now and then empty Redis or restart PostgreSQL; how many were killed."""
        self._faults += 1
        if self._faults % EMPTY_REDIS_EVERY == 0:
            self._broker.empty()
            self.emptied += 1
        if self._faults % RESTART_POSTGRES_EVERY == 0:
            self._stack.restart_database()
            self.restarted += 1
        family = psutil.Process().children(recursive=True)
        workers = [member for member in family if _is_worker(member)]
        # More often one that sends than its master, which is only started again after a growing while.
        sending = [member for member in workers if member.ppid() in {worker.pid for worker in workers}]
        chosen = sending if sending and self._dice.random() > A_MASTER else workers
        if not chosen:
            return 0
        self._dice.choice(chosen).kill()
        self.kills += 1
        self._say(f"{self.kills} of {self._kills_wanted} kills")
        return 1

    def score(self, copies: Mapping[str, int]) -> Score:
        """Hold the ledger against what the mail server has counted."""
        domain = SENDER.rpartition("@")[2]
        with session_scope(self._sessions) as session:
            rows = session.execute(
                select(Delivery.id, Delivery.created_at, Delivery.state, Delivery.cuts)
            ).all()
        expected = self._people * MAILS_A_PERSON
        tally: Counter[str] = Counter()
        known = 0
        for row in rows:
            taken = copies.get(message_id_of(row.created_at, row.id, domain), 0)
            known += taken
            in_doubt = row.cuts + (row.state == DeliveryState.UNCERTAIN)
            tally["uncertain"] += in_doubt
            tally["duplicates"] += max(0, taken - 1 - in_doubt)
            is_where_it_should = row.state == DeliveryState.ACCEPTED and taken > 0
            tally["lost"] += not (is_where_it_should or row.state == DeliveryState.UNCERTAIN)
        strangers = sum(copies.values()) - known
        return Score(
            kills=self.kills,
            sent=sum(copies.values()),
            lost=tally["lost"] + max(0, expected - len(rows)),
            # A mail that belongs to no row would be one that the ledger does not know of.
            duplicates=tally["duplicates"] + strangers,
            uncertain=tally["uncertain"],
        )


def _is_worker(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "worker.app" in words and "worker" in words
