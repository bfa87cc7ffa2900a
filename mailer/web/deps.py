"""What requests are given: the parts of this process, and the fields of a posted form."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from mailer.accounts.throttle import Throttle
from mailer.db import Sessions, Wake, make_engine, make_sessions, session_scope
from mailer.delivery.one_mail import OneMail, send_at_once
from mailer.delivery.retry import SmtpReply
from mailer.errors import BadSetting
from mailer.fetch import Fetcher, fetcher_of
from mailer.launch.link_checks import ASKING, Links, ask_links
from mailer.links import Signer
from mailer.queue import Broker, client_url
from mailer.sealing import Seal
from mailer.settings import Settings
from mailer.web.desk import Desk
from mailer.web.pages import Pages
from mailer.web.subscriber.guard import Guard

MAX_FIELDS = 1000
"""More than any form of ours has: one may ask about each step of a long course."""

READ = ["GET", "HEAD"]
"""Methods that change nothing: mail scanners follow every link."""


@dataclass(frozen=True)
class Parts:
    """Made once for a process: its database pool, its broker, its keys, its pages."""

    sessions: Sessions
    broker: Broker
    wake: Wake
    signer: Signer
    pages: Pages
    desk: Desk
    throttle: Throttle
    guard: Guard
    base_url: str
    settings: Settings

    @property
    def seal(self) -> Seal:
        """What opens and closes secrets that are kept in the database."""
        return Seal(self.settings.secret_key)

    @property
    def fetcher(self) -> Fetcher:
        """What asks other people's servers."""
        return fetcher_of(self.settings)

    def send_at_once(self, mail: OneMail) -> SmtpReply:
        """Hand one mail over, outside every count; raises Refused. Takes seconds: hold no session."""
        default_url = self.settings.smtp_url or ""
        return send_at_once(
            self.sessions, self.seal, default_url, self.fetcher, mail.transport_id, mail.email
        )

    def ask_links(self, find: Callable[[Session], Links], *, anew: bool = False) -> int:
        """Ask the links that `find` finds; how many they are. Takes seconds: hold no session.

        What they said is kept, and the preflight tells it.
        """
        with self.session() as session:
            links = find(session)
        ask_links(self.session, links, self.fetcher, seconds=ASKING, anew=anew)
        return len(links)

    def session(self) -> AbstractContextManager[Session]:
        """One transaction; workers are told of new mail after its commit."""
        return session_scope(self.sessions, wake=self.wake)


def make_parts(settings: Settings) -> Parts:
    """The parts for these settings; raises BadSetting naming all that are missing."""
    missing = [name for name in ("database_url", "redis_url", "secret_key") if not getattr(settings, name)]
    if missing:
        names = ", ".join(f"STEADYPOST_{name.upper()}" for name in missing)
        raise BadSetting(f"{names} missing, the web application cannot run without")
    broker = Broker(str(settings.redis_url))
    signer = Signer(settings.secret_key)
    return Parts(
        sessions=make_sessions(make_engine(str(settings.database_url))),
        broker=broker,
        wake=broker.wake,
        signer=signer,
        pages=Pages(settings.base_url),
        desk=Desk(settings.base_url),
        throttle=Throttle(client_url(str(settings.redis_url))),
        guard=Guard(client_url(str(settings.redis_url)), signer),
        base_url=settings.base_url,
        settings=settings,
    )


def get_parts(request: Request, tasks: BackgroundTasks) -> Parts:
    """The parts of this application; the workers hear of new mail when the answer is on its way."""
    parts: Parts = request.app.state.parts

    # A broker that is away takes seconds to find out, and no reader should wait for that.
    def wake_later(lanes: frozenset[str]) -> None:
        tasks.add_task(parts.wake, lanes)

    return replace(parts, wake=wake_later)


async def form_fields(request: Request) -> dict[str, str]:
    """The text fields of a posted form, of either encoding; none when it cannot be read as a form.

    A provider's one-click POST must always work, and says all it has to say by its address.
    """
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}


PartsDep = Annotated[Parts, Depends(get_parts)]
FormFields = Annotated[dict[str, str], Depends(form_fields)]
