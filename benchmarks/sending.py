"""Sending: the whole path beside the bare wire, the naive way and one task a mail, to the same server."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

import psutil
from sqlalchemy import select, text

from benchmarks.stage import House, Stage, processor_seconds, wait_for_port, workers
from mailer.db import business_now, session_scope
from mailer.embedded.counting import CountingServer
from mailer.embedded.ports import PortClaims
from mailer.models import Delivery, DeliveryState, Instance
from mailer.queue import CONTROL, Broker, TaskName
from mailer.schedule.plan import plan_due

WIRE_BYTES = 14_000
PATIENCE_SECONDS = 1800.0
TICK_SECONDS = 2.0
SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Sent:
    """Mails per second; processor seconds per 1,000 mails of workers, PostgreSQL and Redis; a sending
    process's highest memory, in MB."""

    rate: float
    processor: float
    memory: float


@contextmanager
def sink() -> Iterator[tuple[str, int]]:
    """A server that takes everything: postfix's smtp-sink, or ours where there is none; (name, port)."""
    program = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if program is None:
        with CountingServer() as server:
            yield "a sink of ours", int(server.url.rpartition(":")[2])
        return
    ports = PortClaims()
    port = ports.take(2650)
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *account, f"127.0.0.1:{port}", "1000"])
    try:
        wait_for_port(port)
        yield "smtp-sink", port
    finally:
        process.terminate()
        process.wait(timeout=10)
        ports.release()


def planned(house: House) -> float:
    """Turn everybody who is due into a delivery row; rows per second."""
    rows = 0
    began = time.perf_counter()
    while True:
        with session_scope(house.sessions) as session:
            looked_at = plan_due(session, business_now(session))
        if not looked_at:
            return rows / (time.perf_counter() - began)
        rows += looked_at


def whole_path(stage: Stage, port: int, house: House, mails: int, processes: int = 2) -> Sent:
    """Planned rows through Celery, claim, render, SMTP, journal and result; see `Sent`."""
    settings = stage.settings(house.url, f"smtp://127.0.0.1:{port}")
    broker = Broker(stage.redis.redis_url)
    broker.empty()
    servers = [process for process in psutil.Process().children() if _is_server(process)]
    with workers(settings, [(CONTROL, 1), ("course", processes)]) as running:
        watch = _Watch(running[1])
        # From the first mails that have left: starting the workers is not what is measured.
        broker.send(TaskName.TICK)
        _until(lambda: accepted(house) > 0, step=0.02)
        done, began, used = accepted(house), time.perf_counter(), processor_seconds([*running, *servers])
        ticking = Beat(broker)

        def look() -> None:
            ticking.tick()
            watch.look()

        _until(lambda: accepted(house) >= mails, step=SAMPLE_SECONDS, each=look)
        seconds = time.perf_counter() - began
        used = processor_seconds([*running, *servers]) - used
    left = mails - done
    return Sent(left / seconds, used / left * 1000, watch.highest)


def naive(house: House, port: int) -> float:
    """smtplib, EmailMessage and a commit for each mail; mails per second."""
    ids = _ids(house)
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for number in ids:
            mail = EmailMessage()
            mail["From"], mail["To"] = "course@bench.example", f"reader{number}@reader.example"
            mail["Subject"], mail["Message-ID"] = f"A letter, Reader {number}", f"<{number}@bench.example>"
            mail.set_content("A quiet sentence.\n" * 55)
            mail.add_alternative("<p>A quiet sentence of the usual length.</p>\n" * 220, subtype="html")
            smtp.send_message(mail)
            with session_scope(house.sessions) as session:
                session.get_one(Delivery, number).state = DeliveryState.ACCEPTED
    return len(ids) / (time.perf_counter() - began)


def task_for_each(stage: Stage, port: int, house: House, mails: int) -> float:
    """A Celery task for each mail, the rest as always: batches of one; mails per second."""
    with session_scope(house.sessions) as session:
        batches = list(
            session.execute(
                text("""
                WITH made AS (
                    INSERT INTO batches (lane, source, delivery_ids, offered_until)
                    SELECT lane, source, ARRAY[id], clock_timestamp() + interval '1 hour' FROM deliveries
                    RETURNING id, delivery_ids[1] AS delivery_id
                )
                UPDATE deliveries SET state = 'sending', batch_id = made.id
                FROM made WHERE deliveries.id = made.delivery_id RETURNING made.id
                """)
            ).scalars()
        )
    broker = Broker(stage.redis.redis_url)
    broker.empty()
    settings = stage.settings(house.url, f"smtp://127.0.0.1:{port}")
    with workers(settings, [(CONTROL, 1), ("course", 2)]):
        broker.send(TaskName.TICK)  # nothing is sent before the guard has looked
        _until(lambda: _has_looked(house), step=0.02)
        for batch in batches:
            broker.send(TaskName.DELIVER_BATCH, batch, queue="course")
        _until(lambda: accepted(house) > 0, step=0.02)
        done, began = accepted(house), time.perf_counter()
        _until(lambda: accepted(house) >= mails, step=0.1)
        return (mails - done) / (time.perf_counter() - began)


def _has_looked(house: House) -> bool:
    with session_scope(house.sessions) as session:
        return session.get_one(Instance, 1).token_hash is not None


def wire(port: int, mails: int) -> float | None:
    """postfix's smtp-source with 10 sessions and messages of the same size; mails per second."""
    program = shutil.which("smtp-source") or shutil.which("smtp-source", path="/usr/sbin")
    if program is None:
        return None
    command = [program, "-d", "-s", "10", "-m", str(mails), "-l", str(WIRE_BYTES), f"127.0.0.1:{port}"]
    began = time.perf_counter()
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS, stdout=subprocess.DEVNULL)
    return mails / (time.perf_counter() - began)


class Beat:
    """Ticks as often as beat does."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ticked_at = 0.0

    def tick(self) -> None:
        if time.monotonic() - self._ticked_at > TICK_SECONDS:
            self._ticked_at = time.monotonic()
            self._broker.send(TaskName.TICK)


class _Watch:
    """The highest memory (MB) of a worker's processes: what each has for itself, beside what it shares."""

    def __init__(self, worker: psutil.Process) -> None:
        self._worker = worker
        self.highest = 0.0

    def look(self) -> None:
        for process in self._worker.children(recursive=True):
            try:
                self.highest = max(self.highest, process.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                continue


def _is_server(process: psutil.Process) -> bool:
    return any(word in process.name() for word in ("postgres", "redis"))


def accepted(house: House) -> int:
    """How many have left, by the counts that are kept: counting rows would be part of what is measured."""
    with session_scope(house.sessions) as session:
        found = session.execute(
            text("SELECT coalesce(sum(mails), 0) FROM moves WHERE new_state = 'accepted'")
        )
        return int(found.scalar_one())


def _ids(house: House) -> Sequence[int]:
    with house.sessions() as session:
        return list(session.execute(select(Delivery.id)).scalars())


def _until(found: Callable[[], bool], *, step: float, each: Callable[[], object] | None = None) -> None:
    """Ask until it is true; `each` is done every time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        if time.monotonic() > deadline:
            raise RuntimeError("the benchmark does not get on")
        if each is not None:
            each()
        time.sleep(step)
