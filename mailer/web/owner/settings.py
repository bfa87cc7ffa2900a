"""What this installation is set to; the limits for one person can be set here."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from mailer.desk import settings as desk
from mailer.errors import MailerError, Refused
from mailer.models import Losing
from mailer.schedule.cap import Cap, wished_cap
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Manage, See

router = APIRouter()

PATH = "/desk/settings"


@router.api_route(PATH, methods=READ)
def show(request: Request, parts: PartsDep, actor: See) -> Response:
    """Every setting, what it means, and where its value comes from."""
    return _page(request, parts, actor)


@router.post(PATH + "/cap")
def set_cap(request: Request, fields: FormFields, parts: PartsDep, actor: Manage) -> Response:
    """How many mails one person gets at most, and when none; the form again with what is to be mended."""
    try:
        wished = _wished(fields)
        with parts.session() as session:
            is_new = desk.set_cap(session, actor, wished)
    except MailerError as error:
        return _page(request, parts, actor, fields, str(error))
    if not is_new:
        return parts.desk.go(PATH, done="It was so already.")
    words = "These limits hold for what is planned from now on." if wished else "There are no limits now."
    return parts.desk.go(PATH, done=words)


def _page(
    request: Request, parts: Parts, actor: See, fields: Mapping[str, str] | None = None, error: str = ""
) -> Response:
    with parts.session() as session:
        view = desk.see_settings(session, actor, parts.settings)
    return parts.desk.page(
        request,
        "settings.html",
        actor,
        view=view,
        form=_form(view.cap) if fields is None else fields,
        losing=list(Losing),
        error=error,
    )


def _form(cap: Cap | None) -> dict[str, str]:
    """The cap as its form shows it."""
    if cap is None:
        return {}
    quiet = cap.quiet
    return {
        "per_day": str(cap.per_day or ""),
        "per_week": str(cap.per_week or ""),
        "quiet_from": f"{quiet[0]:%H:%M}" if quiet else "",
        "quiet_until": f"{quiet[1]:%H:%M}" if quiet else "",
        "losing": cap.losing,
    }


def _wished(fields: Mapping[str, str]) -> Cap | None:
    return wished_cap(
        *(_number(fields, "per_day"), _number(fields, "per_week")),
        *(fields.get("quiet_from", "").strip(), fields.get("quiet_until", "").strip()),
        fields.get("losing", Losing.MOVE),
    )


def _number(fields: Mapping[str, str], name: str) -> int | None:
    written = fields.get(name, "").strip()
    if written and not (written.isascii() and written.isdecimal() and len(written) < 6):
        raise Refused(f"{written!r} is no number of mails; leave it empty for no limit.")
    return int(written) if written else None
