"""The web application looks too: that all workers are gone is nothing that a worker could tell."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from mailer.alarms.tell import tell_due
from mailer.alarms.watch import watch
from mailer.delivery import guard
from mailer.delivery.installation import Installation
from mailer.web.api.documentation import prepare
from mailer.web.deps import Parts

log = logging.getLogger(__name__)

EVERY = 20.0


@asynccontextmanager
async def watching(app: FastAPI) -> AsyncIterator[None]:
    """As long as the application runs, in a thread of its own."""
    end = threading.Event()
    thread = threading.Thread(target=_watch, args=(app.state.parts, end), name="watchman", daemon=True)
    thread.start()
    threading.Thread(target=prepare, args=(app,), name="documentation", daemon=True).start()
    yield
    end.set()


def _watch(parts: Parts, end: threading.Event) -> None:
    while not end.wait(EVERY):
        try:
            look_and_tell(parts)
        except Exception as error:
            # The database may be away, and comes back; whatever it is, the next look must happen.
            log.warning("The watch failed, and looks again soon: %s", error, extra={"event": "watch.failed"})


def look_and_tell(parts: Parts) -> None:
    """One look, and whatever is to be told; nothing where this database may be a copy."""
    settings = parts.settings
    here = Installation(settings.data_dir, settings.instance_token)
    depths = parts.broker.depths_or_none()
    with parts.session() as session:
        if guard.is_fenced(session, here, settings.hold_after):
            return
        watch(session, depths)
    tell_due(parts.sessions, parts.seal, parts.fetcher, settings.smtp_url or "", parts.base_url)
