"""Transports: how each is, and everything that can be done with one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.delivery.transports.check import check_server, server_of
from mailer.delivery.warmup import WarmupPlan
from mailer.desk import transports as desk
from mailer.errors import MailerError, Refused
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Run, See

router = APIRouter()

PATH = "/desk/transports"
PER = {"minute": "a minute", "hour": "an hour", "day": "a day"}


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them, and the form for another one."""
    return _list(request, parts, actor)


@router.post(PATH)
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """A new one, connected to first; the form again, with what was wrong, when that fails."""
    slug, url = fields.get("slug", "").strip(), fields.get("url", "").strip()
    try:
        conversations = number(fields.get("conversations", "4"), "The number of connections")
        check_server(server_of(url), parts.fetcher)
        with parts.session() as session:
            desk.add_transport(session, actor, slug, url, conversations, parts.seal)
    except MailerError as error:
        return _list(request, parts, actor, slug=slug, error=str(error))
    return parts.desk.go(f"{PATH}/{slug}", done=f"Added {slug}: it lets us in. Have a sender use it next.")


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """How one is, its limits and its warm-up."""
    with parts.session() as session:
        view = desk.show_transport(session, actor, slug, parts.seal, parts.settings.smtp_url)
    return parts.desk.page(request, "transport.html", actor, view=view)


@router.post(PATH + "/{slug}")
def change(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Another URL, connected to first, or another number of connections."""
    url = fields.get("url", "").strip() or None
    conversations = number(fields.get("conversations", ""), "The number of connections")
    if url is not None:
        check_server(server_of(url), parts.fetcher)
    with parts.session() as session:
        desk.change_transport(session, actor, slug, parts.seal, url, conversations)
    return parts.desk.go(f"{PATH}/{slug}", done=f"Changed {slug}.")


@router.post(PATH + "/{slug}/pause")
def pause(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Nothing goes by it until it is resumed."""
    with parts.session() as session:
        desk.pause_transport(session, actor, slug, fields.get("reason", "").strip()[:200])
    return parts.desk.go(
        f"{PATH}/{slug}", done=f"Paused {slug}: its senders' mail goes by their other transports, or waits."
    )


@router.post(PATH + "/{slug}/resume")
def resume(slug: str, parts: PartsDep, actor: Run) -> Response:
    """It is used again, at once."""
    with parts.session() as session:
        desk.resume_transport(session, actor, slug)
    return parts.desk.go(f"{PATH}/{slug}", done=f"Resumed {slug}.")


@router.post(PATH + "/{slug}/limit")
def limit(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """So many a minute, an hour or a day, to a provider or to all."""
    most = number(fields.get("most", ""), "The limit")
    period = fields.get("period", "")
    with parts.session() as session:
        to = desk.limit_transport(session, actor, slug, period, most, fields.get("to", "").strip())
    where = f" to {to}" if to else ""
    words = f"at most {most:,} mails {PER[period]}" if most else f"no limit {PER[period]}"
    return parts.desk.go(f"{PATH}/{slug}", done=f"{slug}{where}: {words}.")


@router.post(PATH + "/{slug}/warmup")
def warmup(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Begin slowly from today, or end that."""
    plan = None
    if fields.get("end") != "yes":
        plan = WarmupPlan(
            number(fields.get("first", ""), "The first day"),
            number(fields.get("target", ""), "The day's mails at the end"),
            number(fields.get("growth", ""), "The growth"),
        )
    with parts.session() as session:
        desk.warm_up(session, actor, slug, plan)
    done = (
        f"{slug} warms up: {plan.days()} days to {plan.target:,} a day." if plan else "The warm-up is over."
    )
    return parts.desk.go(f"{PATH}/{slug}", done=done)


@router.post(PATH + "/{slug}/test")
def test(slug: str, parts: PartsDep, actor: Run) -> Response:
    """One mail to whoever presses the button, outside every count and limit."""
    with parts.session() as session:
        made = desk.write_test_mail(session, actor, slug)
    reply = parts.send_at_once(made)
    done = f"{made.email.recipient} was accepted by {slug}, which said: {reply.code} {reply.text}"
    return parts.desk.go(f"{PATH}/{slug}", done=done)


@router.api_route(PATH + "/{slug}/remove", methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Run) -> Response:
    """What removing means."""
    with parts.session() as session:
        view = desk.show_transport(session, actor, slug, parts.seal, parts.settings.smtp_url)
    return parts.desk.page(request, "transport_remove.html", actor, view=view)


@router.post(PATH + "/{slug}/remove")
def remove(slug: str, parts: PartsDep, actor: Run) -> Response:
    """Forget it, its limits and its password."""
    with parts.session() as session:
        desk.remove_transport(session, actor, slug)
    return parts.desk.go(PATH, done=f"Removed {slug}.")


def number(words: str, what: str) -> int:
    """The whole number in a field; raises Refused."""
    if not words.strip().isdecimal() or len(words) > 10:
        raise Refused(f"{what} is a whole number.")
    return int(words)


def _list(request: Request, parts: Parts, actor: See, *, slug: str = "", error: str = "") -> Response:
    with parts.session() as session:
        views = desk.list_transports(session, actor, parts.seal, parts.settings.smtp_url)
    return parts.desk.page(
        request,
        "transports.html",
        actor,
        views=views,
        slug=slug,
        error=error,
    )
