"""How long somebody who signs up waits for the confirmation mail while a large campaign is being sent."""

from __future__ import annotations

import statistics
import time

from sqlalchemy import text

from benchmarks.sending import Beat, accepted
from benchmarks.stage import House, Stage, send_campaign, workers
from mailer.audience.lists import Evidence, get_list
from mailer.audience.subscribers import Person
from mailer.db import business_now, session_scope
from mailer.models import Lane
from mailer.queue import CONTROL, Broker, TaskName
from mailer.schedule.signup import sign_up

SIGN_UPS = 200
EVERY_SECONDS = 0.05

WAITED = text("""
    SELECT extract(epoch FROM settled_at - created_at)::float FROM deliveries
    WHERE kind = 'confirm' AND state = 'accepted'
    """)


def confirmation(stage: Stage, port: int, house: House) -> float:
    """The 99th percentile of seconds from a sign-up to the confirmation's acceptance.

    A campaign to everybody in the house is sent meanwhile.
    """
    send_campaign(house, stage.folder)
    with session_scope(house.sessions) as session:
        session.execute(text("UPDATE lists SET opt_in = 'double'"))
    broker = Broker(stage.redis.redis_url)
    broker.empty()
    settings = stage.settings(house.url, f"smtp://127.0.0.1:{port}")
    crew = [(CONTROL, 1), (Lane.TRANSACTIONAL, 1), (Lane.CAMPAIGN, 2)]
    with workers(settings, crew):
        broker.send(TaskName.TICK)
        while not accepted(house):
            time.sleep(0.02)
        ticking = Beat(broker)
        for number in range(SIGN_UPS):
            ticking.tick()
            _sign_up(house, broker, number)
            time.sleep(EVERY_SECONDS)
        waited: list[float] = []
        while len(waited) < SIGN_UPS:
            ticking.tick()
            time.sleep(0.1)
            with session_scope(house.sessions) as session:
                waited = list(session.execute(WAITED).scalars())
    return statistics.quantiles(waited, n=100)[98]


def _sign_up(house: House, broker: Broker, number: int) -> None:
    with session_scope(house.sessions, broker.wake) as session:
        person = Person(f"newcomer{number}@reader.example", f"Newcomer {number}")
        evidence = Evidence("Send me the course.", "bench")
        sign_up(session, person, get_list(session, "bench"), evidence, business_now(session))
