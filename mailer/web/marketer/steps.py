"""The step editor: its settings and its text, what is wrong where, and the mail beside it as it will be."""

from __future__ import annotations

from collections.abc import Mapping

from babel import Locale
from fastapi import APIRouter, Request, Response

from mailer.delivery.signing import Keyring
from mailer.desk import drafts as desk
from mailer.desk import step_texts as texts
from mailer.errors import MailerError, NotFound
from mailer.launch.send_test import MOST_TESTS
from mailer.launch.shown import Shown
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.chosen import addresses_of
from mailer.web.marketer.courses import PATH, drafts_of
from mailer.web.marketer.mail_frame import framed, shown_or_why
from mailer.web.signed_in import Send, Write

router = APIRouter()

STEP = PATH + "/{slug}/steps/{name}"
LANGUAGES = sorted(
    ((tag, name) for tag, name in Locale("en").languages.items() if len(tag) == 2), key=lambda one: one[1]
)
"""What a translation is offered to be in, by tag and English name; any other tag can be written."""
MOST_TYPED = 1_100_000
"""Bytes of a posted step: its text has up to a million."""


@router.api_route(STEP, methods=READ)
def edit(request: Request, slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """The editor, with what was typed and not saved."""
    with parts.session() as session:
        view = desk.open_step(session, actor, drafts_of(parts), slug, name)
    return _editor(request, parts, actor, slug, view)


@router.post(STEP, max_body_size=MOST_TYPED)
def save(
    request: Request, slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Write
) -> Response:
    """Save it; the editor again, nothing lost, when somebody else has changed it meanwhile."""
    drafts = drafts_of(parts)
    try:
        with parts.session() as session:
            problems = desk.save_step(session, actor, drafts, slug, name, fields)
    except NotFound:
        raise
    except MailerError as error:
        with parts.session() as session:
            view = desk.open_step(session, actor, drafts, slug, name)
        return _editor(request, parts, actor, slug, view, error=str(error))
    errors = sum(not problem.is_warning for problem in problems)
    done = "Saved." if not errors else "Saved. Before it can be published, mend what is named below."
    return parts.desk.go(f"{PATH}/{slug}/steps/{name}", done=done)


@router.post(STEP + "/preview", max_body_size=MOST_TYPED)
def preview(
    request: Request, slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Write
) -> Response:
    """Keep what is typed and show the mail: the part beside the editor, or (no script) the whole page."""
    drafts, error = drafts_of(parts), ""
    with parts.session() as session:
        try:
            view = desk.type_step(session, actor, drafts, slug, name, fields)
        except NotFound:
            raise
        except MailerError as refused:
            error = str(refused)
            view = desk.type_step(session, actor, drafts, slug, name, {**fields, "as": ""})
    if not request.headers.get("hx-request"):
        return _editor(request, parts, actor, slug, view, error=error, address=fields.get("as", ""))
    shown, cannot = _shown(parts, actor, view)
    return parts.desk.page(
        request,
        "courses/preview.html",
        actor,
        slug=slug,
        view=view,
        shown=shown,
        cannot=error or cannot,
    )


@router.get(STEP + "/mail")
def mail(slug: str, name: str, parts: PartsDep, actor: Write, dark: bool = False) -> Response:
    """The mail itself, for a frame that lets nothing out of it."""
    with parts.session() as session:
        view = desk.open_step(session, actor, drafts_of(parts), slug, name)
    shown, cannot = _shown(parts, actor, view)
    return framed(shown, cannot, is_dark=dark)


@router.post(STEP + "/test", max_body_size=MOST_TYPED)
def test(
    request: Request, slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Send
) -> Response:
    """Keep what is typed and send it as a test, outside every count; the editor again with what was wrong."""
    drafts, addresses = drafts_of(parts), addresses_of(fields.get("to", ""))
    try:
        with parts.session() as session:
            view = desk.type_step(session, actor, drafts, slug, name, fields)
            asked = session, actor, view, addresses, parts.signer, parts.base_url
            mails = desk.write_step_tests(*asked, Keyring(parts.seal))
        for one in mails:
            parts.send_at_once(one)
    except MailerError as error:
        with parts.session() as session:
            view = desk.open_step(session, actor, drafts, slug, name)
        return _editor(request, parts, actor, slug, view, error=str(error), to=fields.get("to", ""))
    return parts.desk.go(f"{PATH}/{slug}/steps/{name}", done=f"Sent a test to {', '.join(addresses)}.")


@router.post(STEP + "/forget")
def forget(slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """Back to what is saved."""
    with parts.session() as session:
        desk.forget_typing(session, actor, drafts_of(parts), slug, name)
    return parts.desk.go(f"{PATH}/{slug}/steps/{name}", done="This is the text as it is saved.")


@router.post(STEP + "/texts")
def begin(
    request: Request, slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Write
) -> Response:
    """A translation, a variant or a gentler version of it, opened to be written."""
    try:
        with parts.session() as session:
            file = texts.begin_text(
                *(session, actor, drafts_of(parts), slug, name),
                what=fields.get("what", ""),
                language=fields.get("language", ""),
                when=fields.get("when", ""),
            )
    except NotFound:
        raise
    except MailerError as error:
        with parts.session() as session:
            view = desk.open_step(session, actor, drafts_of(parts), slug, name)
        return _editor(request, parts, actor, slug, view, error=str(error), beginning=fields)
    done = f"Began {file} with the words of {name}; write yours in their place."
    return parts.desk.go(f"{PATH}/{slug}/steps/{file}", done=done)


@router.api_route(STEP + "/remove", methods=READ)
def ask_remove(request: Request, slug: str, name: str, parts: PartsDep, actor: Write) -> Response:
    """What removing a step means."""
    with parts.session() as session:
        view = desk.open_step(session, actor, drafts_of(parts), slug, name)
        removal = texts.look_at_removal(session, actor, drafts_of(parts), slug, name)
    return parts.desk.page(request, "courses/step_remove.html", actor, slug=slug, view=view, removal=removal)


@router.post(STEP + "/remove")
def remove(slug: str, name: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Take it out of the draft."""
    with parts.session() as session:
        texts.remove_text(session, actor, drafts_of(parts), slug, name, fields.get("digest", ""))
    return parts.desk.go(f"{PATH}/{slug}", done=f"Removed {name} from the draft.")


def _shown(parts: Parts, actor: Write, view: desk.StepView) -> tuple[Shown | None, str]:
    return shown_or_why(
        parts, lambda session: desk.show_mail(session, actor, view, parts.signer, parts.base_url)
    )


def _editor(
    request: Request,
    parts: Parts,
    actor: Write,
    slug: str,
    view: desk.StepView,
    *,
    error: str = "",
    address: str = "",
    to: str = "",
    beginning: Mapping[str, str] | None = None,
) -> Response:
    shown, cannot = _shown(parts, actor, view)
    with parts.session() as session:
        beside = texts.texts_of(session, actor, view.look.course, view.name)
        rules = texts.rules_to_choose(session, actor)
    if not address and shown is not None and view.as_subscriber is not None:
        address = shown.who
    return parts.desk.page(
        request,
        "courses/step.html",
        actor,
        slug=slug,
        view=view,
        shown=shown,
        cannot=cannot,
        beside=beside,
        rules=rules,
        languages=LANGUAGES,
        as_file="as_file" in request.query_params or not view.has_settings,
        address=address,
        to=to or (actor.who if "@" in actor.who else ""),
        most=MOST_TESTS,
        beginning=beginning or {},
        error=error,
    )
