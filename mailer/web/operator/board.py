"""The operator's board; it keeps itself up to date."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from mailer.accounts.rights import Actor
from mailer.desk import board as desk
from mailer.errors import MailerError
from mailer.models import Lane
from mailer.reports.board import Board
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.signed_in import See, still_signed_in

router = APIRouter()

SECTIONS = ("headline", "lanes", "transports", "workers", "reasons", "holds")
"""The parts of the page that change by themselves; each has a template of its own in desk/board/."""

EVERY = 2.0
"""Seconds between two looks, one for all who look."""

LONGEST = 600.0
"""Seconds after which a browser asks anew, so that none is served for ever by a process that should end."""


@dataclass
class Glance:
    """The newest look at the board; whoever comes within EVERY seconds is shown the same."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    taken_at: float = float("-inf")
    board: Board | None = None

    def look(self, parts: Parts, actor: Actor) -> Board:
        """The board of now, or of a moment ago."""
        with self.lock:
            if self.board is None or time.monotonic() - self.taken_at >= EVERY * 0.9:
                # Before the transaction begins: a broker that is away takes seconds to find out.
                depths = parts.broker.depths_or_none()
                with parts.session() as session:
                    self.board = desk.see_board(session, actor, depths)
                self.taken_at = time.monotonic()
            return self.board


@router.api_route("/desk/board", methods=READ)
def board(request: Request, parts: PartsDep, actor: See) -> Response:
    """Whether mail flows, what is late and why, and what can be done."""
    depths = parts.broker.depths_or_none()
    with parts.session() as session:
        found = desk.see_board(session, actor, depths)
        hours = desk.see_hours(session, actor)
        return parts.desk.page(request, "board.html", actor, board=found, hours=hours, lanes=list(Lane))


@router.get("/desk/board/events", response_class=EventSourceResponse)
async def events(request: Request, parts: PartsDep, actor: See) -> AsyncIterator[ServerSentEvent]:
    """Each part of the board when it has changed, as long as who looks is signed in."""
    glance = _glance_of(request)
    shown: dict[str, str] = {}
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        try:
            await run_in_threadpool(still_signed_in, request, parts)
            made = await run_in_threadpool(_sections, glance, parts, actor)
        except MailerError:
            return
        for name, html in made.items():
            if shown.get(name) != html:
                yield ServerSentEvent(event=name, raw_data=html, retry=5000)
        shown = made
        await asyncio.sleep(EVERY)


def _sections(glance: Glance, parts: Parts, actor: Actor) -> dict[str, str]:
    found = glance.look(parts, actor)
    return {name: parts.desk.part(f"board/{name}.html", actor, board=found) for name in SECTIONS}


def _glance_of(request: Request) -> Glance:
    """This process's."""
    state = request.app.state
    if not hasattr(state, "glance"):
        state.glance = Glance()
    glance: Glance = state.glance
    return glance
