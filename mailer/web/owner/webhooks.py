"""Webhooks: which programs are told what happens, and every call to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from mailer.desk import webhooks as desk
from mailer.errors import MailerError
from mailer.models import Webhook, WebhookKind
from mailer.web.account.proof import has_password, proven
from mailer.web.deps import MAX_FIELDS, READ, Parts, PartsDep
from mailer.web.signed_in import Manage
from mailer.webhooks.endpoints import CHOICES, PAGE

router = APIRouter()

PATH = "/desk/webhooks"
MEANING = {
    WebhookKind.CONFIRMED: "somebody confirmed that they want a list's mail",
    WebhookKind.UNSUBSCRIBED: "somebody left a list, or stopped all mail",
    WebhookKind.BOUNCED: "an address does not exist, and is not mailed any more",
    WebhookKind.COURSE_FINISHED: "somebody had the last step of a course",
    WebhookKind.CAMPAIGN_FINISHED: "the last mail of a campaign is settled",
}


async def _form(request: Request) -> dict[str, list[str]]:
    """The posted fields, each with all of its values."""
    form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    return {name: [one for one in form.getlist(name) if isinstance(one, str)] for name in form}


Form = Annotated[dict[str, list[str]], Depends(_form)]


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: Manage) -> Response:
    """All of them, and the form for another one."""
    return _list(request, parts, actor, {})


@router.post(PATH)
def add(request: Request, form: Form, parts: PartsDep, actor: Manage) -> Response:
    """A new one, and its secret, shown this once; or the form again with what was wrong."""
    try:
        with proven(parts, actor, _proof(form)) as session:
            webhook, secret = desk.add_webhook(
                session, actor, parts.seal, _one(form, "name"), _one(form, "url"), form.get("kinds", [])
            )
            return _secret(request, parts, actor, webhook, secret, is_new=True)
    except MailerError as error:
        return _list(request, parts, actor, form, error=str(error))


@router.api_route(PATH + "/{webhook_id}", methods=READ)
def show(
    request: Request, webhook_id: int, parts: PartsDep, actor: Manage, before: int | None = None
) -> Response:
    """One, with its calls, newest first."""
    return _show(request, parts, actor, webhook_id, {}, before=before)


@router.post(PATH + "/{webhook_id}")
def change(request: Request, webhook_id: int, form: Form, parts: PartsDep, actor: Manage) -> Response:
    """Another name, address or choice."""
    try:
        with proven(parts, actor, _proof(form)) as session:
            desk.change_webhook(
                session, actor, webhook_id, _one(form, "name"), _one(form, "url"), form.get("kinds", [])
            )
    except MailerError as error:
        return _show(request, parts, actor, webhook_id, form, error=str(error))
    return parts.desk.go(f"{PATH}/{webhook_id}", done="Changed.")


@router.post(PATH + "/{webhook_id}/secret")
def change_secret(request: Request, webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """A new secret, shown this once."""
    with parts.session() as session:
        webhook, secret = desk.change_secret(session, actor, parts.seal, webhook_id)
        return _secret(request, parts, actor, webhook, secret, is_new=False)


@router.post(PATH + "/{webhook_id}/pause")
def pause(webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Nothing is sent to it, and nothing new is kept for it."""
    with parts.session() as session:
        desk.pause_webhook(session, actor, webhook_id)
    return parts.desk.go(f"{PATH}/{webhook_id}", done="Paused. What happens meanwhile is not kept for it.")


@router.post(PATH + "/{webhook_id}/resume")
def resume(webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """It is told again."""
    with parts.session() as session:
        desk.resume_webhook(session, actor, webhook_id)
    return parts.desk.go(f"{PATH}/{webhook_id}", done="Resumed.")


@router.post(PATH + "/{webhook_id}/test")
def test(webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """A call that says it is a test."""
    with parts.session() as session:
        desk.test_webhook(session, actor, webhook_id)
    return parts.desk.go(f"{PATH}/{webhook_id}", done="A test is on its way; look again in some seconds.")


@router.post(PATH + "/{webhook_id}/calls/{call_id}/again")
def again(webhook_id: int, call_id: int, parts: PartsDep, actor: Manage) -> Response:
    """A call once more, with the id it had."""
    with parts.session() as session:
        desk.call_again(session, actor, webhook_id, call_id)
    return parts.desk.go(f"{PATH}/{webhook_id}", done="It is on its way again, with the same id.")


@router.api_route(PATH + "/{webhook_id}/remove", methods=READ)
def ask_remove(request: Request, webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """What removing means."""
    with parts.session() as session:
        webhook, _ = desk.show_webhook(session, actor, webhook_id)
        return parts.desk.page(request, "webhook_remove.html", actor, webhook=webhook)


@router.post(PATH + "/{webhook_id}/remove")
def remove(webhook_id: int, parts: PartsDep, actor: Manage) -> Response:
    """Forget it, its secret and its calls."""
    with parts.session() as session:
        desk.remove_webhook(session, actor, webhook_id)
    return parts.desk.go(PATH, done="Removed.")


def _secret(
    request: Request, parts: Parts, actor: Manage, webhook: Webhook, secret: str, *, is_new: bool
) -> Response:
    """The page that shows a secret this once."""
    return parts.desk.page(
        request, "webhook_secret.html", actor, webhook=webhook, secret=secret, is_new=is_new
    )


def _proof(form: dict[str, list[str]]) -> dict[str, str]:
    # Personal data goes where these forms say: whoever found a screen open has not the password.
    return {"current": form.get("current", [""])[0]}


def _one(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0].strip()


def _list(
    request: Request, parts: Parts, actor: Manage, form: dict[str, list[str]], *, error: str = ""
) -> Response:
    with parts.session() as session:
        return parts.desk.page(
            request,
            "webhooks.html",
            actor,
            has_password=has_password(session, actor),
            webhooks=desk.list_webhooks(session, actor),
            choices=[(kind, MEANING[kind]) for kind in CHOICES],
            given={"name": _one(form, "name"), "url": _one(form, "url"), "kinds": form.get("kinds", [])},
            error=error,
        )


def _show(
    request: Request,
    parts: Parts,
    actor: Manage,
    webhook_id: int,
    form: dict[str, list[str]],
    *,
    before: int | None = None,
    error: str = "",
) -> Response:
    with parts.session() as session:
        webhook, calls = desk.show_webhook(session, actor, webhook_id, before)
        kept = {"name": webhook.name, "url": webhook.url, "kinds": webhook.kinds}
        asked = {"name": _one(form, "name"), "url": _one(form, "url"), "kinds": form.get("kinds", [])}
        path = f"{PATH}/{webhook_id}"
        older = parts.desk.url(path, before=calls[PAGE - 1].id) if len(calls) > PAGE else ""
        return parts.desk.page(
            request,
            "webhook.html",
            actor,
            has_password=has_password(session, actor),
            webhook=webhook,
            calls=calls[:PAGE],
            choices=[(kind, MEANING[kind]) for kind in CHOICES],
            given=asked if error else kept,
            error=error,
            older=older,
        )
