"""For whom a campaign is, counted while it is chosen; and which of its variants they get."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from mailer.audience.aim import Aim
from mailer.content.campaign_file import CHOSEN, NO_ROOM
from mailer.content.file_edit import Value
from mailer.content.trial import OTHERS, Measure
from mailer.desk import campaign_drafts as desk
from mailer.desk.campaign_plans import aim_of_again, look_at_aim
from mailer.desk.lists import lists_to_choose
from mailer.desk.segments import list_segments
from mailer.desk.senders import senders_to_choose
from mailer.errors import MailerError, NotFound
from mailer.launch.campaign_reach import LookedAt
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.campaigns import PATH, is_sent
from mailer.web.marketer.chosen import ChosenFields
from mailer.web.signed_in import Write

router = APIRouter()

AUDIENCE = PATH + "/{slug}/audience"
VARIANTS = PATH + "/{slug}/ab-test"
OF_VARIANT = ("subject", "preheader", "sender", "file")

Chosen = Mapping[str, tuple[str, ...]]


@router.api_route(AUDIENCE, methods=READ)
def audience(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """Whom it is for, and how many they are."""
    with parts.session() as session:
        if is_sent(desk.find_kept(session, actor, slug)[1]):
            return parts.desk.go(f"{PATH}/{slug}/progress")
        text = desk.find_text(session, actor, slug)
    if text is None:
        raise NotFound(f"What {slug} was written as is not kept here.")
    return _audience(request, parts, actor, slug, text.chosen)


@router.post(AUDIENCE)
def choose(request: Request, slug: str, fields: ChosenFields, parts: PartsDep, actor: Write) -> Response:
    """Save the choice; the form again when somebody else has changed it meanwhile."""
    chosen = _chosen(fields)
    settings: dict[str, Value] = {}
    for name in CHOSEN:
        value = chosen[name]
        is_one = name.endswith("segment") or name == NO_ROOM
        settings[name] = (value[0] if is_one else list(value)) if value else None
    try:
        with parts.session() as session:
            saved = desk.save_settings(session, actor, slug, settings, _one(fields, "digest"))
    except NotFound:
        raise
    except MailerError as error:
        return _audience(request, parts, actor, slug, chosen, str(error), base=_one(fields, "digest"))
    done = "Saved whom it is for."
    if saved.was_scheduled:
        done += " It was scheduled, and is a draft again: schedule it anew."
    return parts.desk.go(AUDIENCE.format(slug=slug), done=done)


@router.post(AUDIENCE + "/look")
def look(request: Request, slug: str, fields: ChosenFields, parts: PartsDep, actor: Write) -> Response:
    """How many a choice reaches, saving nothing: the part of the page, or (no script) the whole page."""
    chosen = _chosen(fields)
    if not request.headers.get("hx-request"):
        base = _one(fields, "digest")
        return _audience(request, parts, actor, slug, chosen, base=base, is_counted=True)
    reached, cannot = _reached(parts, actor, slug, chosen)
    return parts.desk.page(request, "campaigns/look.html", actor, slug=slug, reached=reached, cannot=cannot)


@router.api_route(VARIANTS, methods=READ)
def variants(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """What is tested against what, and how it is decided."""
    return _variants(request, parts, actor, slug)


@router.post(VARIANTS)
def put_variants(
    request: Request, slug: str, fields: ChosenFields, parts: PartsDep, actor: Write
) -> Response:
    """Save the test, or end it when no variant says anything."""
    said = {letter: _variant(fields, slug, letter) for letter in OTHERS}
    said = {letter: one for letter, one in said.items() if one}
    test: dict[str, Value] = {
        name: _one(fields, name) for name in ("measure", "share", "at_least", "wait") if _one(fields, name)
    }
    try:
        with parts.session() as session:
            saved = desk.put_variants(session, actor, slug, said, test, _one(fields, "digest"))
    except NotFound:
        raise
    except MailerError as error:
        return _variants(request, parts, actor, slug, str(error), (said, test), _one(fields, "digest"))
    done = "Saved the test." if said else "There is no test: everybody gets the same mail."
    if saved.errors:
        done += " Mend what is named below."
    if saved.was_scheduled:
        done += " It was scheduled, and is a draft again: schedule it anew."
    return parts.desk.go(VARIANTS.format(slug=slug), done=done)


def _one(fields: Mapping[str, list[str]], name: str) -> str:
    """A field that is chosen once."""
    return " ".join(fields.get(name, [""])[-1].split())


def _variant(fields: Mapping[str, list[str]], slug: str, letter: str) -> dict[str, str]:
    said = {name: _one(fields, f"{letter}_{name}") for name in OF_VARIANT}
    if said["file"] == "new":
        said["file"] = f"{slug}-{letter}.{_one(fields, 'suffix') or 'md'}"
    return {name: value for name, value in said.items() if value}


def _chosen(fields: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(one for one in fields.get(name, ()) if one) for name in CHOSEN}


def _reached(parts: Parts, actor: Write, slug: str, chosen: Chosen) -> tuple[LookedAt | None, str]:
    """Whom a choice reaches, or what keeps it from being counted."""
    aim = Aim(
        segment="".join(chosen["segment"][:1]),
        exclude_segment="".join(chosen["exclude_segment"][:1]),
        exclude_lists=chosen["exclude_lists"],
        not_if_sent=chosen["not_if_sent"],
    )
    if not chosen["lists"] and not aim.segment:
        return None, "Choose at least one list, or a segment."
    try:
        with parts.session() as session:
            return look_at_aim(session, actor, slug, chosen["lists"], aim), ""
    except MailerError as error:
        return None, str(error)


def _audience(
    request: Request,
    parts: Parts,
    actor: Write,
    slug: str,
    chosen: Chosen,
    error: str = "",
    *,
    base: str = "",
    is_counted: bool = False,
) -> Response:
    """The page; where a million people would have to be counted for it, it is there before its count."""
    with parts.session() as session:
        text = desk.find_text(session, actor, slug)
        lists = lists_to_choose(session, actor)
        segments = list_segments(session, actor)
        again = aim_of_again(session, actor, slug)
        earlier = [one for one in desk.campaigns_to_leave_out(session, actor) if one[0] != slug]
    if text is None:
        raise NotFound(f"What {slug} was written as is not kept here.")
    reached, cannot = _reached(parts, actor, slug, chosen) if is_counted else (None, "")
    return parts.desk.page(
        request,
        "campaigns/audience.html",
        actor,
        slug=slug,
        base=base or text.first.digest,
        digest=text.first.digest,
        chosen=chosen,
        lists=lists,
        segments=segments,
        earlier=earlier,
        again=again,
        reached=reached,
        cannot=cannot,
        is_counted=is_counted,
        error=error,
    )


def _variants(
    request: Request,
    parts: Parts,
    actor: Write,
    slug: str,
    error: str = "",
    typed: tuple[Mapping[str, Mapping[str, str]], Mapping[str, Value]] | None = None,
    base: str = "",
) -> Response:
    with parts.session() as session:
        text = desk.find_text(session, actor, slug)
        senders = senders_to_choose(session, actor)
        checked = desk.check_draft(session, actor, slug)
    if text is None:
        raise NotFound(f"What {slug} was written as is not kept here.")
    written, test = typed or (text.settings.get("variants") or {}, text.settings.get("test") or {})
    return parts.desk.page(
        request,
        "campaigns/variants.html",
        actor,
        slug=slug,
        base=base or text.first.digest,
        digest=text.first.digest,
        letters=OTHERS,
        variants=written if isinstance(written, Mapping) else {},
        test=test if isinstance(test, Mapping) else {},
        measures=list(Measure),
        text=text,
        senders=senders,
        problems=[one for one in checked.problems if "ariant" in one.what or "test" in one.what.lower()],
        error=error,
    )
