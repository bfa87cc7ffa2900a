"""Who is signed in, what they may do, and that a form came from a page of ours.

Every route of the desk names in its signature what it takes: `actor: Run`, or `Anybody` for what
each may do with their own login. A test reads those and tries each route as each role.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from mailer.accounts.factor import lacks_factor
from mailer.accounts.operators import get_operator
from mailer.accounts.rights import Actor, Right
from mailer.accounts.secrets import is_form_key
from mailer.accounts.sessions import SignedIn, find_session, session_now
from mailer.errors import MailerError
from mailer.web.cookie import COOKIE, FORM_KEY
from mailer.web.deps import READ, Parts, PartsDep


class NotSignedIn(MailerError):
    """Sign in first."""


class OwesFactor(MailerError):
    """Give your second factor first."""


class LacksFactor(MailerError):
    """Your role needs a second factor here; set one up, then go on."""


class NotOurForm(MailerError):
    """This form is not from a page of ours, or of a session that has ended; go back and try again."""


@dataclass(frozen=True)
class Entry:
    """A dependency that lets in who is signed in and has `right` (None: whoever is signed in)."""

    right: Right | None
    half: bool = False
    """Whether who still owes the second factor gets in too."""

    own: bool = False
    """Whether who first has to set up a second factor gets in too."""

    async def __call__(self, request: Request, parts: PartsDep) -> Actor:
        secret = request.cookies.get(COOKIE, "")
        # Before anything of a body is read: a stranger's may be large.
        if not secret and request.method not in READ:
            raise NotOurForm
        actor = await run_in_threadpool(self.find, parts, secret)
        if request.method not in READ:
            await _check_form(request, parts, secret)
        request.state.actor = actor
        if self.right is not None:
            actor.require(self.right)
        return actor

    def find(self, parts: Parts, secret: str) -> Actor:
        """Who has this secret; raises NotSignedIn."""
        with parts.session() as session:
            found = find_session(session, secret, session_now(session)) if secret else None
            lacks = found is not None and not (self.half or self.own) and _lacks(session, parts, found)
        if found is None:
            raise NotSignedIn
        if found.needs_factor and not self.half:
            raise OwesFactor
        if lacks:
            raise LacksFactor
        return found.actor


def _lacks(session: Session, parts: Parts, found: SignedIn) -> bool:
    """Whether they have to set up a second factor first. A provider sees to it for who comes from there."""
    least = parts.settings.second_factor
    if least == "optional" or found.way != "password":
        return False
    return lacks_factor(session, get_operator(session, found.actor.operator_id or 0), least)


async def _check_form(request: Request, parts: Parts, secret: str) -> None:
    """Raise NotOurForm unless the form or its header repeats the key of this session."""
    check_origin(request, parts.base_url)
    given = request.headers.get(FORM_KEY.replace("_", "-"), "")
    if not given:
        try:
            form = await request.form()
        except RuntimeError:
            # It was read in vain before: with more fields than any form of ours has.
            raise NotOurForm from None
        value = form.get(FORM_KEY, "")
        given = value if isinstance(value, str) else ""
    if not secret or not is_form_key(given, secret):
        raise NotOurForm


def check_origin(request: Request, base_url: str) -> None:
    """Raise NotOurForm when the browser says that another site sends this request.

    For forms without a session too (signing in, accepting an invitation); browsers say it in Sec-Fetch-Site
    or, the older ones, in Origin.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise NotOurForm
        return
    origin = request.headers.get("origin")
    if origin is None:
        return
    known = {urlsplit(base_url).netloc, request.headers.get("host", "")}
    if urlsplit(origin).netloc not in known:
        raise NotOurForm


Anybody = Annotated[Actor, Depends(Entry(None))]
"""Whoever is signed in, for what is their own."""

Own = Annotated[Actor, Depends(Entry(None, own=True))]
"""Whoever is signed in, also before the second factor that their role needs: the page that sets it up."""

Half = Annotated[Actor, Depends(Entry(None, half=True))]
"""Who gave the password and still owes the second factor: the pages that ask for it, and nothing else."""

See = Annotated[Actor, Depends(Entry(Right.SEE))]
Write = Annotated[Actor, Depends(Entry(Right.WRITE))]
Send = Annotated[Actor, Depends(Entry(Right.SEND))]
Audience = Annotated[Actor, Depends(Entry(Right.AUDIENCE))]
Export = Annotated[Actor, Depends(Entry(Right.EXPORT))]
Run = Annotated[Actor, Depends(Entry(Right.RUN))]
Manage = Annotated[Actor, Depends(Entry(Right.MANAGE))]


def still_signed_in(request: Request, parts: Parts) -> None:
    """For what goes on for minutes: raises NotSignedIn or NotAllowed once its session has ended."""
    Entry(Right.SEE).find(parts, request.cookies.get(COOKIE, "")).require(Right.SEE)
