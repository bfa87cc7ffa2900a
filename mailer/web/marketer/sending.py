"""A campaign that was scheduled: how far it is, and what can be done about it."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import Actor
from mailer.db import TooLong
from mailer.desk import campaigns, sent
from mailer.errors import Refused
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import See, Send
from mailer.web.taking_out import csv_answer

router = APIRouter()

ONE = "/desk/campaigns/{slug}"
VARIANTS = ("variant", "subject", "accepted", "people who clicked", "opened", "left")
STOP_ASKING = 286
"""With this status htmx asks no more: nothing changes any more."""


@router.api_route(ONE + "/progress", methods=READ)
def progress(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """How far it is; the part that changes by itself when a page of ours asks for it alone."""
    with parts.session() as session:
        found = sent.see_progress(session, actor, slug)
    if not request.headers.get("hx-request"):
        return parts.desk.page(request, "sent/progress.html", actor, found=found)
    status = STOP_ASKING if found.is_over else 200
    return parts.desk.page(request, "sent/live.html", actor, status=status, found=found)


@router.api_route(ONE + "/variants", methods=READ)
def variants(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """How the variants of its test do, counted now."""
    error = ""
    with parts.session() as session:
        found = sent.see_progress(session, actor, slug)
        try:
            scores = sent.see_scores(session, actor, slug)
        except TooLong as long:
            scores, error = (), str(long)
    name = "sent/scores.html" if request.headers.get("hx-request") else "sent/variants.html"
    return parts.desk.page(
        request, name, actor, status=200, found=found, scores=scores, error=error, is_counted=True
    )


@router.get(ONE + "/variants.csv")
def variants_csv(slug: str, parts: PartsDep, actor: See) -> Response:
    """The same as a file: nobody's own data is in it."""
    with parts.session() as session:
        scores = sent.see_scores(session, actor, slug)
        phases = sent.see_progress(session, actor, slug).report.phases
    trial = phases.trial if phases else None
    subjects = {one.name: one.subject for one in trial.variants} if trial else {}
    rows = [
        (one.name.upper(), subjects.get(one.name, ""), one.accepted, one.clicks, one.opens, one.unsubscribes)
        for one in scores
    ]
    return csv_answer(f"{slug}-variants.csv", VARIANTS, [rows])


@router.api_route(ONE + "/pause", methods=READ)
def ask_pause(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What pausing it means, and for how many mails."""
    return _ask(request, slug, parts, actor, "pause")


@router.post(ONE + "/pause")
def pause(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Stop it; a second time changes nothing."""
    with parts.session() as session:
        is_new = campaigns.pause_campaign(session, actor, slug, _reason(fields))
    done = "Paused. What is planned waits; Resume undoes it." if is_new else "It was paused already."
    return _back(parts, slug, done)


@router.api_route(ONE + "/resume", methods=READ)
def ask_resume(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What leaves when it goes on, and what its canary found if that has stopped it."""
    return _ask(request, slug, parts, actor, "resume")


@router.post(ONE + "/resume")
def resume(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Let it go on."""
    in_spite = fields.get("in_spite") == "yes"
    try:
        with parts.session() as session:
            was_on = sent.go_on(session, actor, slug, _reason(fields), in_spite=in_spite)
    except Refused as error:
        return _ask(request, slug, parts, actor, "resume", error=str(error))
    return _back(parts, slug, "Resumed: it goes on." if was_on else "It was not paused.")


@router.api_route(ONE + "/cancel", methods=READ)
def ask_cancel(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What ending it for good means, and for how many mails."""
    return _ask(request, slug, parts, actor, "cancel")


@router.post(ONE + "/cancel")
def cancel(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """End it; the tick takes back what has not left."""
    with parts.session() as session:
        campaigns.cancel_campaign(session, actor, slug, _reason(fields))
    return _back(parts, slug, "Cancelled. What has not left is taken back within moments.")


@router.api_route(ONE + "/choose", methods=READ)
def ask_choose(request: Request, slug: str, parts: PartsDep, actor: Send, variant: str = "") -> Response:
    """Which variant the rest would get, and how many they are."""
    with parts.session() as session:
        chosen = sent.look_at_choice(session, actor, slug, variant)
        found = sent.see_progress(session, actor, slug)
    return parts.desk.page(request, "sent/choose.html", actor, found=found, chosen=chosen)


@router.post(ONE + "/choose")
def choose(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Decide the test."""
    with parts.session() as session:
        chosen = sent.choose(session, actor, slug, fields.get("variant", ""))
    return _back(parts, slug, f"Chosen: the rest gets variant {chosen.letter}, “{chosen.subject}”.")


def _ask(request: Request, slug: str, parts: Parts, actor: Actor, act: str, error: str = "") -> Response:
    with parts.session() as session:
        going = sent.look_at_going_on(session, actor, slug)
    return parts.desk.page(
        request, "sent/act.html", actor, found=going.progress, stop=going.stop, act=act, error=error
    )


def _reason(fields: FormFields) -> str:
    return fields.get("reason", "").replace("\0", "").strip()[:200]


def _back(parts: Parts, slug: str, done: str) -> Response:
    return parts.desk.go(f"/desk/campaigns/{slug}/progress", done=done)
