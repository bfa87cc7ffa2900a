"""A throwaway stage for benchmarks: servers of our own, and an audience written straight into the tables."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import text

from mailer.cli.connect import prepare_database
from mailer.cli.stack import worker_command
from mailer.db import Sessions, business_now, make_engine, make_sessions, session_scope
from mailer.embedded.postgres import EmbeddedPostgres
from mailer.embedded.redis import EmbeddedRedis
from mailer.embedded.runtime import short_folder
from mailer.launch.campaign import look_ahead, put_draft, schedule
from mailer.launch.campaign_check import check_campaign
from mailer.launch.check import check_course
from mailer.launch.publish import publish
from mailer.settings import PROJECT, Settings

COURSE = """\
slug = "bench"
title = "Bench"
language = "en"
zone = "Etc/UTC"
list = "bench"
opt_in = "single"
consent = "Send me the course."
days = 2
send_time = "00:00"
disclaimer = "For learning only."
[sender]
name = "Bench"
email = "course@bench.example"
postal_address = "12 Quiet Lane, Bristol"
"""
STEP = """\
---
key: letter
subject: "A letter, {{ first_name | default(\\"friend\\", true) }}"
preheader: "A short line"
kind: lesson
day: 1
---
# A letter

{{ greeting }}

"""
PARAGRAPH = "A quiet sentence of the usual length, which says one thing and then stops. " * 3 + "\n\n"
LINK = "[{{ first_name | default('friend', true) }}, this link is yours]({{ links.view }})\n\n"

CAMPAIGN = """\
---
slug: bench-news
subject: "News, {{ first_name | default(\\"friend\\", true) }}"
preheader: "A short line"
language: en
lists: [bench]
---
# News

{{ greeting }}

"""

SECRET = "b" * 32

PEOPLE = """
    INSERT INTO subscribers (email, email_key, name, zone, tags, fields)
    SELECT 'reader' || n || '@reader.example', 'reader' || n || '@reader.example', 'Reader ' || n, 'Etc/UTC',
           CASE WHEN n % 5 = 0 THEN ARRAY['vip'] ELSE ARRAY[]::text[] END,
           jsonb_build_object('city', (ARRAY['Bristol', 'Lisbon', 'Ghent'])[1 + n % 3], 'age', 20 + n % 60)
    FROM generate_series(1, :people) AS n;
    INSERT INTO subscriptions (subscriber_id, list_id, state, changed_at)
    SELECT s.id, c.list_id, 'active', now() FROM subscribers s, courses c;
    INSERT INTO enrollments (subscriber_id, course_id, state, anchor_date, next_due_at, created_at)
    SELECT s.id, c.id, 'active', current_date - 1,
           now() + CASE WHEN s.id <= :due THEN interval '-1 hour' ELSE interval '30 days' END, now()
    FROM subscribers s, courses c
    """


@dataclass
class Stage:
    """PostgreSQL and Redis in a folder that goes away again."""

    folder: Path
    postgres: EmbeddedPostgres
    redis: EmbeddedRedis

    def house(self, people: int, due: int) -> House:
        """A fresh database with one course of one letter; `due` of its `people` are due now."""
        url = self.postgres.recreate_database("bench")
        # A new database is a new installation's, or its guard would take it for an older state of the last.
        shutil.rmtree(self.folder / "data" / "instance", ignore_errors=True)
        prepare_database(url)
        sessions = make_sessions(make_engine(url))
        compiled, problems = check_course(self._course())
        if compiled is None:
            raise RuntimeError(f"the course of the benchmark is broken: {problems}")
        with session_scope(sessions) as session:
            publish(session, compiled, datetime.now(UTC))
        with session_scope(sessions) as session:
            for statement in PEOPLE.split(";"):
                values = {"people": people, "due": due}
                session.execute(
                    text(statement), {name: v for name, v in values.items() if f":{name}" in statement}
                )
        with session_scope(sessions) as session:
            session.execute(text("ANALYZE"))
        return House(url, sessions)

    def _course(self) -> Path:
        folder = self.folder / "course"
        folder.mkdir(exist_ok=True)
        (folder / "course.toml").write_text(COURSE, encoding="utf-8")
        (folder / "01-letter.md").write_text(STEP + PARAGRAPH + LINK * 7, encoding="utf-8")
        return folder

    def settings(self, url: str, smtp_url: str) -> Settings:
        """Settings for workers on this stage."""
        return Settings(
            database_url=url,
            redis_url=self.redis.redis_url,
            smtp_url=smtp_url,
            secret_key=(SECRET,),
            data_dir=self.folder / "data",
        )


def send_campaign(house: House, folder: Path) -> None:
    """Have a campaign sent to everybody on the house's list: its mails are written by the next tick."""
    file = folder / "campaign.md"
    file.write_text(CAMPAIGN + PARAGRAPH + LINK * 7, encoding="utf-8")
    with session_scope(house.sessions) as session:
        now = business_now(session)
        compiled, problems = check_campaign(session, [file])
        if compiled is None:
            raise RuntimeError(f"the campaign of the benchmark is broken: {problems}")
        put_draft(session, compiled, now, who="bench")
        schedule(session, look_ahead(session, compiled.source.slug, now), now, now, who="bench")


@dataclass(frozen=True)
class House:
    """A seeded database."""

    url: str
    sessions: Sessions


@contextmanager
def stage() -> Iterator[Stage]:
    """Servers of our own, ended with all they hold."""
    with short_folder() as folder:
        postgres, redis = EmbeddedPostgres(folder / "servers"), EmbeddedRedis(folder / "servers")
        try:
            postgres.start()
            redis.start()
            yield Stage(folder, postgres, redis)
        finally:
            redis.stop()
            postgres.stop()


@contextmanager
def workers(settings: Settings, queues: Sequence[tuple[str, int]]) -> Iterator[list[psutil.Process]]:
    """Celery workers, as `up` starts them: (queue, processes) for each."""
    settings.data_dir.mkdir(exist_ok=True)
    started = []
    for queue, processes in queues:
        log = (settings.data_dir / f"{queue}.log").open("wb")
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", *worker_command([queue], processes)],
                cwd=PROJECT,
                env={"PATH": "/usr/bin:/bin", **settings.as_environment()},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )
        log.close()
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=60)


def processor_seconds(roots: Sequence[psutil.Process]) -> float:
    """What these processes and all below them have used of a processor, in seconds."""
    total = 0.0
    for root in roots:
        for process in [root, *root.children(recursive=True)]:
            try:
                used = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += used.user + used.system
    return total


def wait_for_port(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on port {port}")
