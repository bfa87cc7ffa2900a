"""Sending: the whole path beside the bare wire and the naive way, to the same server in the same run."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage

import psutil
from sqlalchemy import func, select

from benchmarks.stage import House, Stage, processor_seconds, wait_for_port, workers
from mailer.db import business_now, session_scope
from mailer.embedded.counting import CountingServer
from mailer.embedded.ports import free_port
from mailer.models import Delivery, DeliveryState
from mailer.queue import CONTROL, Broker, TaskName
from mailer.schedule.plan import plan_due

WIRE_BYTES = 14_000
PATIENCE_SECONDS = 600.0
TICK_SECONDS = 2.0


@dataclass(frozen=True)
class Sent:
    """Mails per second, and processor seconds per 1,000 mails of workers, PostgreSQL and Redis."""

    rate: float
    processor: float


@contextmanager
def sink() -> Iterator[tuple[str, int]]:
    """A server that takes everything: postfix's smtp-sink, or ours where there is none; (name, port)."""
    program = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if program is None:
        with CountingServer() as server:
            yield "a sink of ours", int(server.url.rpartition(":")[2])
        return
    port = free_port(2650)
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *account, f"127.0.0.1:{port}", "1000"])
    try:
        wait_for_port(port)
        yield "smtp-sink", port
    finally:
        process.terminate()
        process.wait(timeout=10)


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


def whole_path(stage: Stage, port: int, mails: int, processes: int = 2) -> Sent:
    """Planned rows through Celery, claim, render, SMTP, journal and result."""
    house = stage.house(mails, mails)
    planned(house)
    settings = stage.settings(house.url, f"smtp://127.0.0.1:{port}")
    broker = Broker(stage.redis.redis_url)
    broker.empty()
    servers = [process for process in psutil.Process().children() if _is_server(process)]
    with workers(settings, [(CONTROL, 1), ("course", processes)]) as running:
        # From the first mail that has left: starting the workers is not what is measured.
        broker.send(TaskName.TICK)
        _until(lambda: _left(house) < mails, step=0.02)
        left, began, used = _left(house), time.perf_counter(), processor_seconds([*running, *servers])
        ticking = Beat(broker)
        _until(lambda: _left(house) == 0, step=0.2, each=ticking.tick)
        seconds = time.perf_counter() - began
        used = processor_seconds([*running, *servers]) - used
    return Sent(left / seconds, used / left * 1000)


def naive(stage: Stage, port: int, mails: int) -> float:
    """smtplib, EmailMessage and a commit for each mail; mails per second."""
    house = stage.house(mails, mails)
    planned(house)
    with house.sessions() as session:
        ids = list(session.execute(select(Delivery.id)).scalars())
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
    return mails / (time.perf_counter() - began)


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


def _is_server(process: psutil.Process) -> bool:
    return any(word in process.name() for word in ("postgres", "redis"))


def _left(house: House) -> int:
    with session_scope(house.sessions) as session:
        is_open = Delivery.state.in_((DeliveryState.PLANNED, DeliveryState.SENDING))
        return session.execute(select(func.count()).select_from(Delivery).where(is_open)).scalar_one()


def _until(found: Callable[[], bool], *, step: float, each: Callable[[], object] | None = None) -> None:
    """Ask until it is true; `each` is done every time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not found():
        if time.monotonic() > deadline:
            raise RuntimeError("the benchmark does not get on")
        if each is not None:
            each()
        time.sleep(step)
