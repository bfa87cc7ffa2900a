"""DKIM: a sender with a key, and what signing costs by itself on the same processors."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.stage import SECRET, House
from mailer.clock import real_now
from mailer.db import session_scope
from mailer.delivery import roster
from mailer.delivery import signing as signing_keys
from mailer.render.dkim import DkimAlgorithm, DkimKey, sign
from mailer.sealing import Seal

SECONDS = 3.0
PROCESSES = 2
MAIL = (
    b"From: a@bench.example\r\nTo: b@reader.example\r\nSubject: A letter\r\n\r\n" + b"A quiet line.\r\n" * 900
)


def give_key(house: House) -> None:
    """Let the sender of the house sign its mails (RSA 2048)."""
    with session_scope(house.sessions) as session:
        sender = roster.get_sender(session, "bench")
        key = signing_keys.new_key(session, sender, Seal([SECRET]), real_now())
        signing_keys.activate(session, key)


def bare() -> float:
    """Signatures per second of two processes that do nothing else, on mails of the usual size."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        return sum(pool.map(_signed_in, [SECONDS] * PROCESSES))


def _signed_in(seconds: float) -> float:
    key = DkimKey.generate("bench.example", "s1", DkimAlgorithm.RSA_SHA256)
    now, count = real_now(), 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        sign(MAIL, [key], now)
        count += 1
    return count / (time.perf_counter() - began)
