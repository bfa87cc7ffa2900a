"""How long the desk's and the readers' pages take, and how much they send, with a large house behind them."""

from __future__ import annotations

import gzip
import re
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.stage import House
from mailer import tally
from mailer.accounts.operators import add_operator
from mailer.accounts.rights import at_the_machine
from mailer.accounts.sessions import begin_session, session_now
from mailer.content.draft_store import Drafts
from mailer.db import session_scope
from mailer.links import Signer
from mailer.models import (
    AlarmChannel,
    CourseVersion,
    Delivery,
    Enrollment,
    Operator,
    Role,
    Segment,
    Subscriber,
    Webhook,
)
from mailer.outbox import first_id, period_of
from mailer.sealing import Seal
from mailer.settings import Settings
from mailer.web.app import create_app
from mailer.web.cookie import COOKIE, FORM_KEY
from mailer.web.pages import asset_packed

BARE = "/desk/sign-in"
"""A page that reads nothing: what others are compared with."""

PARTS = ("list=bench&state=active", "list=bench&state=ended", "tag=vip")
WORDS = ("reader55555", "reader777@reader.example", "@reader", "9", "reader5 99", "nobody")
"""Who is looked for: one of a million, all of them, a part of them, nobody."""
CAMPAIGN = "/desk/campaigns/{slug}"
OF_A_DRAFT = ("", "/edit", "/audience", "/ab-test", "/check", "/schedule", "/test", "/remove", "/confirm")
"""Pages of a campaign that is to be sent; all others are looked at with one that has ended."""
MOMENT = "?when=now"
READERS = ("", "/manage", "/pace", "/progress", "/check-in", "/data", "/erase", "/unsubscribe", "/course.ics")
"""Pages behind the links of a mail."""
OPEN = ("/archive", "/f/bench")
"""Pages for everybody."""
NO_PAGES = re.compile(r"\.(csv|zip|json|ics)$|/(events|mail|frame|source|setup)$|^/desk/(sign-in|media|join)")

ROUNDS = 9
CHUNK = 1_000_000

# The same mails as a year of letters would leave: most were accepted, some bounced or failed, a few wait.
MAILS = """
    INSERT INTO deliveries (
        id, subscriber_id, message_id, list_id, course_id, step_id, due_at, next_attempt_at, settled_at,
        attempts, dedup_key, kind, lane, source, state, reason, code, reply
    )
    SELECT :first + nextval('delivery_numbers'), 1 + n % :people, c.message_id, c.list_id, c.id, c.step_id,
           now() - interval '1 hour' * (n % 700), now(), now() - interval '1 hour' * (n % 700),
           1, 'step:' || c.id || '\\:letter-' || n || ':' || 1 + n % :people || '\\:1', 'step', 'course',
           'course:' || c.id,
           CASE WHEN n % 1000 = 0 THEN 'failed' WHEN n % 500 = 1 THEN 'bounced'
                WHEN n % 2000 = 2 THEN 'quarantined' ELSE 'accepted' END,
           CASE WHEN n % 1000 = 0 THEN 'gave up after three days' ELSE '' END,
           CASE WHEN n % 1000 = 0 THEN 451 WHEN n % 500 = 1 THEN 550 ELSE 250 END,
           CASE WHEN n % 1000 = 0 THEN '4.7.1 later' WHEN n % 500 = 1 THEN '5.1.1 no such user'
                ELSE '2.0.0 ok' END
    FROM generate_series(CAST(:low AS bigint), :high) AS n,
         (SELECT c.id, c.list_id, s.id AS step_id, s.message_id
          FROM courses c JOIN steps s ON s.course_id = c.id LIMIT 1) AS c
"""

# A letter to everybody that has ended, and a click of every tenth, with as many requests of machines.
LETTER = """
    INSERT INTO campaigns (
        slug, subject, language, messages, list_ids, sender_id, state, starts_at, begun_at, materialised_at,
        finished_at, audience, written_up_to
    )
    SELECT 'bench-letter', 'A letter', 'en', jsonb_build_object('en', m.id), ARRAY[c.list_id], c.sender_id,
           'finished', now(), now(), now(), now(), :people, :people
    FROM courses c CROSS JOIN (SELECT min(id) AS id FROM messages WHERE source LIKE 'course/%') AS m LIMIT 1
"""
# One that is still to be sent, to the same people.
DRAFT = """
    INSERT INTO campaigns (slug, subject, language, messages, list_ids, sender_id)
    SELECT 'bench-draft', subject, language, messages, list_ids, sender_id
    FROM campaigns WHERE slug = 'bench-letter'
"""
LETTERS = """
    INSERT INTO deliveries (
        id, subscriber_id, message_id, list_id, campaign_id, due_at, next_attempt_at, settled_at,
        attempts, dedup_key, kind, lane, source, state, reason, code, reply
    )
    SELECT :first + nextval('delivery_numbers'), n, (c.messages ->> 'en')::bigint, c.list_ids[1], c.id,
           now(), now(), now(), 1, 'bench-letter:' || n, 'campaign', 'campaign', 'campaign:' || c.id,
           CASE WHEN n % 50 = 0 THEN 'bounced' WHEN n % 50 = 1 THEN 'suppressed' ELSE 'accepted' END,
           CASE WHEN n % 50 = 0 THEN 'bad address 5.1.1' WHEN n % 50 = 1 THEN 'unsubscribed' ELSE '' END,
           250, '2.0.0 ok'
    FROM generate_series(1, :people) AS n, campaigns c WHERE c.slug = 'bench-letter'
"""
CLICKS = """
    INSERT INTO clicks (at, delivery_id, subscriber_id, message_id, source, link, url, method, verdict)
    SELECT now(), d.id, d.subscriber_id, d.message_id, d.source, 0, 'https://bench.example/', v.method,
           v.verdict
    FROM deliveries AS d CROSS JOIN (VALUES ('GET', 'person'), ('HEAD', 'machine')) AS v (method, verdict)
    WHERE d.subscriber_id % 10 = 3 AND d.state = 'accepted'
      AND d.id IN (SELECT max(id) FROM deliveries WHERE subscriber_id % 10 = 3 GROUP BY subscriber_id, source)
"""


@dataclass(frozen=True)
class Page:
    """One page: median milliseconds of server time, times a bare page's, kB that travel with its assets."""

    path: str
    milliseconds: float
    ratio: float
    kilobytes: float


# One reader's mails belong to their enrollment, as all of them would.
READER = """
    UPDATE deliveries AS d SET enrollment_id = e.id FROM enrollments AS e
    WHERE e.subscriber_id = 7 AND d.subscriber_id = 7 AND d.course_id = e.course_id
"""


def fill(house: House, people: int, mails: int) -> None:
    """Write `mails` of a course to `people`, some of whom they could not reach, and a letter to everybody."""
    for low in range(1, mails + 1, CHUNK):
        with session_scope(house.sessions) as session:
            values = {"first": first_id(period_of(datetime.now(UTC))), "people": people}
            session.execute(text(MAILS), {**values, "low": low, "high": min(mails, low + CHUNK - 1)})
    with session_scope(house.sessions) as session:
        values = {"first": first_id(period_of(datetime.now(UTC))), "people": people}
        for statement in (LETTER, DRAFT, LETTERS, CLICKS, READER):
            session.execute(
                text(statement), {name: values[name] for name in values if f":{name}" in statement}
            )
    with session_scope(house.sessions) as session:
        tally.mend(session)
        session.execute(text("ANALYZE"))


def measure(house: House, settings: Settings, course: Path) -> list[Page]:
    """Every page that an owner or a reader can open, slowest first; one with an id is asked about one that is
    there. `course` is the folder of the published one."""
    app = create_app(settings)
    with session_scope(house.sessions) as session:
        now = session_now(session)
        owner = add_operator(session, at_the_machine("bench"), "owner@bench.example", Role.OWNER, now)
        secret = begin_session(session, owner, now, needs_factor=False, browser="bench", way="password")
        mine = select(Delivery.id).where(Delivery.subscriber_id == 7, Delivery.enrollment_id.is_not(None))
        mail = session.execute(mine.order_by(Delivery.id).limit(1)).scalar_one()
    files = {one.name: one.read_text(encoding="utf-8") for one in course.glob("*.*")}
    Drafts(settings.data_dir).create("bench", files)
    link = f"/m/{Signer(settings.secret_key).delivery_token(mail)}"
    paths = [f"/desk/subscribers?{asked}" for asked in PARTS]
    paths += [f"{link}{page}" for page in READERS] + list(OPEN)
    seal = Seal(settings.secret_key)
    with _served(app) as address, httpx.Client(base_url=address, follow_redirects=True) as client:
        client.cookies.set(COOKIE, secret)
        _make(client)
        with session_scope(house.sessions) as session:
            paths += [path for route in _pages(app) if (path := _filled(session, route)) is not None]
        bare, _ = _timed(client, BARE)
        whole = [path for path in paths if _is_whole(client, path)]
        found = [_page(client, path.replace(link, "/m/…"), bare, path) for path in whole]
        found += [_search(client, words, seal, bare) for words in WORDS]
    return sorted(found, key=lambda page: -page.milliseconds)


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    """The application on a port of its own, in this process; its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="off"))
    # With its protocol named, or asyncio does not switch off Nagle's delay of 40 ms for its connections.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=10)


def _is_whole(client: httpx.Client, path: str) -> bool:
    """Whether the address alone is a page; some want to be told what of."""
    return client.get(path).status_code not in (404, 422)


def _search(client: httpx.Client, words: str, seal: Seal, bare: float) -> Page:
    """The page of those who are found by `words`, which travel sealed."""
    took, kilobytes = _timed(client, f"/desk/subscribers?find={seal.close(words)}")
    return Page(f"/desk/subscribers, found by {words}", took, took / bare, kilobytes)


def _make(client: httpx.Client) -> None:
    """One of each that nothing sends: a form, a webhook, an alarm's channel, a segment, a campaign's text."""
    found = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get("/desk/forms").text)
    for path, fields in {
        "/desk/forms": {"slug": "bench", "list": "bench", "title": "Bench", "consent": "Yes, please."},
        "/desk/webhooks": {"name": "shop", "url": "https://shop.bench.example/", "kinds": "course.finished"},
        "/desk/alarms": {"kind": "mail", "address": "olive@bench.example"},
        "/desk/new-campaign": {"subject": "Bench", "slug": "bench-text", "list": "bench", "kind": "md"},
    }.items():
        client.post(path, data={FORM_KEY: found[1] if found else "", **fields}).raise_for_status()


def _page(client: httpx.Client, name: str, bare: float, path: str) -> Page:
    took, kilobytes = _timed(client, path)
    return Page(name, took, took / bare, kilobytes)


def _timed(client: httpx.Client, path: str) -> tuple[float, float]:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path, headers={"accept-encoding": "identity"})
        times.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")
    body = answer.content
    assets = set(_assets_of(answer.text))
    sent = len(gzip.compress(body, 5)) + sum(len(asset_packed(name)) for name in assets)
    return statistics.median(times), sent / 1000


def _assets_of(page: str) -> Iterator[str]:
    for part in page.split("/static/")[1:]:
        yield part.split("?", 1)[0].split('"', 1)[0]


def _pages(app: FastAPI) -> list[str]:
    return sorted(
        {
            route.path
            for router in app.routes
            for route in getattr(getattr(router, "original_router", None), "routes", [])
            if isinstance(route, APIRoute)
            and route.path.startswith("/desk")
            and "GET" in (route.methods or ())
        }
    )


def _filled(session: Session, path: str) -> str | None:
    """The path with what is there in its parts; None when nothing of the kind is, or it is no page."""
    if NO_PAGES.search(path):
        return None
    kind = path.removeprefix("/desk/").partition("/")[0]
    of_campaign = path.removeprefix(CAMPAIGN)
    slugs = {
        "campaigns": "bench-text" if of_campaign in OF_A_DRAFT else "bench-letter",
        "segments": session.execute(select(Segment.slug).limit(1)).scalar() or "",
        **dict.fromkeys(("courses", "reports", "forms", "lists", "senders"), "bench"),
    }
    ids = {
        "subscriber_id": select(Subscriber.id).where(Subscriber.id == 7),
        "delivery_id": select(Delivery.id).where(Delivery.state == "failed"),
        "enrollment_id": select(Enrollment.id).where(Enrollment.subscriber_id == 7),
        "operator_id": select(Operator.id),
        "channel_id": select(AlarmChannel.id),
        "webhook_id": select(Webhook.id),
        "version": select(CourseVersion.number),
    }
    values = {"slug": slugs.get(kind, ""), "name": "01-letter.md"}
    for name in re.findall(r"\{(\w+)\}", path):
        if name in ids:
            values[name] = str(session.execute(ids[name].limit(1)).scalar() or "")
        if not values.get(name):
            return None
    filled = re.sub(r"\{(\w+)\}", lambda part: values[part[1]], path)
    return f"{filled}{MOMENT}" if of_campaign == "/confirm" else filled
