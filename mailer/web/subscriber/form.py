"""Signing up by a form: its page, and the same answer to everybody who sends it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from mailer.accounts.sessions import session_now
from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.forms import agreed_words
from mailer.db import business_now
from mailer.delivery.compose import CONFIRM_WITHIN
from mailer.feedback.by_form import sign_up_by_form
from mailer.models import SignUpForm
from mailer.reports.forms import FormPage, open_form
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.pages import PAGE_POLICY, PRIVATE_HEADERS
from mailer.web.subscriber.guard import BITS, WAIT, Answer, Asked

router = APIRouter()

TRAP = "website"
"""A field that people do not see: what is in it was written by a program."""
AT_LEAST = 0.3
"""Seconds that every answer takes: how long the work took must not tell whether an address is known."""
WITH_SCRIPT = PAGE_POLICY.replace("script-src 'none'", "script-src 'self'")


@router.api_route("/f/{slug}", methods=READ)
def ask(slug: str, parts: PartsDep) -> Response:
    """The form; one that is closed says so."""
    with parts.session() as session:
        seen = open_form(session, slug)
    return _page(parts, seen, "closed" if seen.is_closed else "ask", status=410 if seen.is_closed else 200)


@router.api_route("/f/{slug}/sent", methods=READ)
def sent(slug: str, parts: PartsDep) -> Response:
    """What everybody sees after signing up, whoever they are to us."""
    with parts.session() as session:
        seen = open_form(session, slug)
    return _page(parts, seen, "sent")


@router.post("/f/{slug}")
async def act(request: Request, slug: str, fields: FormFields, parts: PartsDep) -> Response:
    """Ask the address's owner to confirm; also what a form on somebody's own site sends here."""
    began = time.monotonic()
    network = request.client.host if request.client else ""
    answer = await run_in_threadpool(_answer, slug, fields, parts, network)
    await asyncio.sleep(max(0.0, began + AT_LEAST - time.monotonic()))
    return answer


def _answer(slug: str, fields: Mapping[str, str], parts: Parts, network: str) -> Response:
    with parts.session() as session:
        seen, now = open_form(session, slug), session_now(session)
    if seen.is_closed:
        return _page(parts, seen, "closed", status=410)
    if fields.get(TRAP):
        return _sent(slug)
    wrong = _wrong(seen.form, fields)
    if wrong:
        return _page(parts, seen, "ask", fields, wrong=wrong, status=422)
    asked, key = Asked(slug, fields["email"], network), fields.get("key", "")
    allowed = parts.guard.ask(asked, key, fields.get("solution", ""), now)
    if allowed is Answer.WORK:
        return _page(parts, seen, "work", fields, key=parts.guard.key(asked, key, now), status=429)
    if allowed is Answer.YES:
        name = fields.get("name", "") if seen.form.asks_name else ""
        with parts.session() as session:
            sign_up_by_form(session, seen.form, fields["email"], name, business_now(session))
    return _sent(slug)


def _wrong(form: SignUpForm, fields: Mapping[str, str]) -> str:
    """The word for what is missing, or nothing."""
    try:
        normalise(fields.get("email", ""))
    except BadAddress:
        return "email"
    return "agree" if form.is_health and fields.get("agree") != "yes" else ""


def _sent(slug: str) -> Response:
    # Relative, so that it is right below any path of the base URL; 303: look there, by GET.
    return RedirectResponse(f"{slug}/sent", 303, headers=PRIVATE_HEADERS)


def _page(
    parts: Parts,
    seen: FormPage,
    stage: str,
    fields: Mapping[str, str] | None = None,
    *,
    wrong: str = "",
    key: str = "",
    status: int = 200,
) -> Response:
    given = fields or {}
    return parts.pages.render(
        "subscriber/form.html",
        seen.form.language,
        status=status,
        # The one page of readers with a script: ours, from our own address.
        headers={"Content-Security-Policy": WITH_SCRIPT} if key else None,
        stage=stage,
        form=seen.form,
        list_title=seen.list_title,
        agreed=agreed_words(seen.form),
        given={name: given.get(name, "")[:320] for name in ("email", "name", "agree")},
        wrong=wrong,
        key=key,
        bits=BITS,
        trap=TRAP,
        wait_minutes=int(WAIT.total_seconds() // 60),
        days=CONFIRM_WITHIN.days,
        action=seen.form.slug,
        sender_name=seen.sender_name,
    )
