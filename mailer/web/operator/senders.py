"""Senders: who mails come from, by which transports, signed with which keys."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mailer.delivery.senders import SWITCHES, TEXTS
from mailer.delivery.signing import check_published
from mailer.desk import senders as desk
from mailer.desk.transports import list_transports
from mailer.errors import MailerError, Refused
from mailer.render.dkim import DkimAlgorithm
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.operator.transports import number
from mailer.web.signed_in import Run, See

router = APIRouter()

PATH = "/desk/senders"
KINDS = {"rsa": DkimAlgorithm.RSA_SHA256, "ed25519": DkimAlgorithm.ED25519_SHA256}


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them, and the form for another one."""
    return _list(request, parts, actor, dict.fromkeys(("slug", *TEXTS), ""))


@router.post(PATH)
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """A new one, or the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("slug", *TEXTS)}
    try:
        with parts.session() as session:
            desk.add_sender(session, actor, given["slug"], given)
    except MailerError as error:
        return _list(request, parts, actor, given, error=str(error))
    return parts.desk.go(f"{PATH}/{given['slug']}", done=f"Added {given['slug']}.")


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """One, with its transports and keys."""
    return _show(request, slug, parts, actor)


@router.post(PATH + "/{slug}")
def change(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """Its name, addresses and what it counts; the form again with what was wrong."""
    changes = {name: fields.get(name, "").strip() for name in TEXTS}
    switches = {name: fields.get(name) == "yes" for name in SWITCHES}
    try:
        with parts.session() as session:
            desk.change_sender(session, actor, slug, changes, switches)
    except MailerError as error:
        return _show(request, slug, parts, actor, error=str(error), **changes, **switches)
    return parts.desk.go(
        f"{PATH}/{slug}", done=f"Changed {slug}. Mail that has not left goes out in the new way."
    )


@router.post(PATH + "/{slug}/transports")
def use(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """By which transport its mail goes too, and how much of it."""
    transport = fields.get("transport", "")
    with parts.session() as session:
        desk.use_transport(session, actor, slug, transport, number(fields.get("weight", ""), "The weight"))
    return parts.desk.go(f"{PATH}/{slug}", done=f"{slug} sends by {transport} too.")


@router.post(PATH + "/{slug}/transports/remove")
def stop_using(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """By which it goes no more."""
    transport = fields.get("transport", "")
    with parts.session() as session:
        desk.stop_using(session, actor, slug, transport)
    return parts.desk.go(f"{PATH}/{slug}", done=f"{slug} does not send by {transport} any more.")


@router.post(PATH + "/{slug}/keys")
def new_key(slug: str, fields: FormFields, parts: PartsDep, actor: Run) -> Response:
    """A key, whose record has to be published before it signs."""
    kind = KINDS.get(fields.get("kind", "rsa"))
    if kind is None:
        raise Refused("A key is of the kind rsa or ed25519.")
    with parts.session() as session:
        selector = desk.new_key(session, actor, slug, kind, parts.seal)
    return parts.desk.go(f"{PATH}/{slug}", done=f"Made {selector}. Publish its record, then activate it.")


@router.post(PATH + "/{slug}/keys/{selector}/activate")
def activate(slug: str, selector: str, parts: PartsDep, actor: Run) -> Response:
    """Sign with it, once its record is in the DNS."""
    with parts.session() as session:
        record = desk.key_record(session, actor, slug, selector)
    check_published(record)
    with parts.session() as session:
        replaced = desk.activate_key(session, actor, slug, selector)
    words = f" {', '.join(replaced)} is retired; leave its record in place for a week." if replaced else ""
    return parts.desk.go(
        f"{PATH}/{slug}", done=f"Mail of {slug} is signed with {selector} from now on.{words}"
    )


@router.post(PATH + "/{slug}/keys/{selector}/retire")
def retire(slug: str, selector: str, parts: PartsDep, actor: Run) -> Response:
    """Sign with it no longer."""
    with parts.session() as session:
        desk.retire_key(session, actor, slug, selector)
    return parts.desk.go(
        f"{PATH}/{slug}", done=f"{selector} is retired; leave its DNS record in place for a week."
    )


def _list(request: Request, parts: Parts, actor: See, given: dict[str, str], *, error: str = "") -> Response:
    with parts.session() as session:
        found = desk.list_senders(session, actor)
    return parts.desk.page(request, "senders.html", actor, senders=found, given=given, error=error)


def _show(
    request: Request, slug: str, parts: Parts, actor: See, *, error: str = "", **given: str | bool
) -> Response:
    with parts.session() as session:
        sender = desk.show_sender(session, actor, slug)
        ways = list_transports(session, actor, parts.seal, parts.settings.smtp_url)
    return parts.desk.page(
        request,
        "sender.html",
        actor,
        sender={**sender, **given},
        ways=ways,
        error=error,
    )
