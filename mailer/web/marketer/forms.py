"""Sign-up forms: all of them, one with its address and its snippet, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from mailer.audience.forms import FormText, agreed_words
from mailer.desk import forms as desk
from mailer.errors import MailerError
from mailer.i18n import is_right_to_left, languages, translator
from mailer.models import SignUpForm
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import See, Write
from mailer.web.subscriber.choices import language_choices
from mailer.web.subscriber.form import TRAP

router = APIRouter()

PATH = "/desk/forms"
NOTHING = {
    **dict.fromkeys(("slug", "list", "title", "words", "consent", "is_health", "asks_name"), ""),
    "language": "en",
}


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See) -> Response:
    """All of them, and the form for another one."""
    return _list(request, parts, actor, {})


@router.post(PATH)
def add(request: Request, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """A new one; the form again, with what was wrong, when that fails."""
    slug = fields.get("slug", "").strip()
    try:
        with parts.session() as session:
            desk.add_form(session, actor, slug, _text(fields))
    except MailerError as error:
        return _list(request, parts, actor, fields, error=str(error))
    return parts.desk.go(f"{PATH}/{slug}", done=f"Added {slug}: it is open. Link to it, or take its snippet.")


@router.api_route(PATH + "/{slug}", methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """One, with its address and its snippet."""
    return _show(request, parts, actor, slug, None)


@router.post(PATH + "/{slug}")
def change(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Other words."""
    try:
        with parts.session() as session:
            desk.change_form(session, actor, slug, _text(fields), fields.get("seen", ""))
    except MailerError as error:
        return _show(request, parts, actor, slug, fields, error=str(error))
    return parts.desk.go(
        f"{PATH}/{slug}", done="Changed. Take the snippet anew where you put it into a page of your own."
    )


@router.post(PATH + "/{slug}/close")
def close(slug: str, parts: PartsDep, actor: Write) -> Response:
    """Nobody signs up by it any more."""
    with parts.session() as session:
        desk.close_form(session, actor, slug, is_closed=True)
    return parts.desk.go(f"{PATH}/{slug}", done="Closed: its page says so. Links to confirm still work.")


@router.post(PATH + "/{slug}/open")
def open_(slug: str, parts: PartsDep, actor: Write) -> Response:
    """It is there again."""
    with parts.session() as session:
        desk.close_form(session, actor, slug, is_closed=False)
    return parts.desk.go(f"{PATH}/{slug}", done="Open again.")


def _text(fields: Mapping[str, str]) -> FormText:
    return FormText(
        list_slug=fields.get("list", ""),
        title=fields.get("title", ""),
        words=fields.get("words", ""),
        consent=fields.get("consent", ""),
        language=fields.get("language", "en"),
        asks_name="asks_name" in fields,
        is_health="is_health" in fields,
    )


def _list(request: Request, parts: Parts, actor: See, fields: dict[str, str], *, error: str = "") -> Response:
    with parts.session() as session:
        rows = desk.list_forms(session, actor)
        lists = desk.lists_to_choose(session, actor)
    return parts.desk.page(
        request,
        "forms.html",
        actor,
        rows=rows,
        lists=lists,
        languages=_languages(),
        given=NOTHING | fields,
        error=error,
    )


def _show(
    request: Request,
    parts: Parts,
    actor: See,
    slug: str,
    fields: dict[str, str] | None,
    *,
    error: str = "",
) -> Response:
    with parts.session() as session:
        view = desk.show_form(session, actor, slug)
        lists = desk.lists_to_choose(session, actor)
    return parts.desk.page(
        request,
        "form.html",
        actor,
        view=view,
        lists=lists,
        languages=_languages(),
        seen=(fields or {}).get("seen") or view.digest,
        given=NOTHING | (_as_fields(view.form, view.list_slug) if fields is None else fields),
        address=f"{parts.base_url.rstrip('/')}/f/{view.form.slug}",
        agreed=agreed_words(view.form),
        snippet=_snippet(parts, view.form),
        error=error,
    )


def _languages() -> list[tuple[str, str]]:
    return [choice for choice in language_choices("en") if choice[0] in languages()]


def _as_fields(form: SignUpForm, list_slug: str) -> dict[str, str]:
    ticked = {name: "yes" for name in ("asks_name", "is_health") if getattr(form, name)}
    said = {name: getattr(form, name) for name in ("title", "words", "consent", "language")}
    return {"list": list_slug, **said, **ticked}


def _snippet(parts: Parts, form: SignUpForm) -> str:
    """Plain HTML for a page of one's own: no script, nothing loaded from us, and it has that page's look."""
    _ = translator(form.language).gettext
    return parts.desk.part(
        "form_snippet.html",
        None,
        form=form,
        direction="rtl" if is_right_to_left(form.language) else "ltr",
        address=f"{parts.base_url.rstrip('/')}/f/{form.slug}",
        agreed=agreed_words(form),
        trap=TRAP,
        words={
            "email": _("Your email address"),
            "name": _("Your name"),
            "empty": _("Leave this empty"),
            "button": _("Sign up"),
        },
    )
