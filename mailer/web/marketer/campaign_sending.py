"""A campaign checked, tested, scheduled, and approved by a second person: what happens is said before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from mailer.clock import zone_names
from mailer.content.amounts import share_words
from mailer.content.canary import MOST
from mailer.content.course_source import Problem
from mailer.delivery.signing import Keyring
from mailer.desk import campaign_drafts as writing
from mailer.desk import campaign_plans as plans
from mailer.desk import campaigns as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.launch.send_test import MOST_TESTS
from mailer.launch.shown import Shown
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.campaigns import PATH, is_sent
from mailer.web.marketer.chosen import ChosenFields, addresses_of
from mailer.web.marketer.mail_frame import framed, shown_or_why
from mailer.web.marketer.plan_form import read_plan
from mailer.web.signed_in import See, Send, Write

router = APIRouter()

CHECK = PATH + "/{slug}/check"
TEST = PATH + "/{slug}/test"
SCHEDULE = PATH + "/{slug}/schedule"
CONFIRM = PATH + "/{slug}/confirm"
APPROVE = PATH + "/{slug}/approve"
OF_PLAN = ("when", "day", "clock", "zone", "past", "canary", "canary_wait", *(f"limit_{one}" for one in MOST))
"""The fields of a plan, which its confirmation repeats."""
UNSEEN = "Look at whom it reaches first, then say yes."


@router.api_route(CHECK, methods=READ)
def check(request: Request, slug: str, parts: PartsDep, actor: See, count: str = "") -> Response:
    """The preflight: what would go wrong for real readers, each with its place in the text."""
    with parts.session() as session:
        if is_sent(writing.find_kept(session, actor, slug)[1]):
            return parts.desk.go(f"{PATH}/{slug}/progress")
        asked = session, actor, slug, parts.signer, parts.base_url
        found = plans.check_campaign(*asked, is_asked=count == "yes")
    return _check(request, parts, actor, slug, found)


@router.post(CHECK)
def ask_links(request: Request, slug: str, parts: PartsDep, actor: Write) -> Response:
    """The same with every link asked, which takes a moment."""
    links = parts.ask_links(
        lambda session: plans.links_to_ask(session, actor, slug, parts.signer, parts.base_url), anew=True
    )
    with parts.session() as session:
        asked = session, actor, slug, parts.signer, parts.base_url
        found = plans.check_campaign(*asked, is_asked=True)
    return _check(request, parts, actor, slug, found, links=links)


@router.api_route(TEST, methods=READ)
def ask_test(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """Where a test mail goes, and as whom."""
    return _test(request, parts, actor, slug, {})


@router.post(TEST)
def test(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Send it, outside every count; the form again, with what was wrong."""
    addresses = addresses_of(fields.get("to", ""))
    try:
        with parts.session() as session:
            mails = plans.write_tests(
                session,
                actor,
                slug,
                addresses,
                as_email=fields.get("as", "").strip(),
                language=fields.get("language", ""),
                variant=fields.get("variant", ""),
                signer=parts.signer,
                base_url=parts.base_url,
                keyring=Keyring(parts.seal),
            )
        for one in mails:
            parts.send_at_once(one)
    except MailerError as error:
        return _test(request, parts, actor, slug, fields, str(error))
    return parts.desk.go(TEST.format(slug=slug), done=f"Sent a test of {slug} to {', '.join(addresses)}.")


@router.api_route(SCHEDULE, methods=READ)
def schedule(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """When it leaves, and whether a few go first."""
    return _schedule(request, parts, actor, slug, dict(request.query_params))


@router.api_route(CONFIRM, methods=READ)
def confirm(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What will happen, to how many, and what takes a yes."""
    typed = dict(request.query_params)
    return _confirm(request, parts, actor, slug, typed, [], is_asked=typed.get("count") == "yes")


@router.post(CONFIRM)
def launch(request: Request, slug: str, fields: ChosenFields, parts: PartsDep, actor: Send) -> Response:
    """Have it sent as it was looked at; the page again when that is not so any more."""
    typed = {name: values[0] for name, values in fields.items() if name in OF_PLAN}
    agreed = fields.get("agreed", [])
    try:
        with parts.session() as session:
            plan = read_plan(typed)
            desk.schedule_campaign(
                *(session, actor, slug, plan.moment, parts.signer, parts.base_url),
                agreed=agreed,
                people_at_most=_people(fields),
                digest=_digest(fields),
                canary=plan.canary,
                needs_approval=parts.settings.needs_approval,
            )
    except NotFound:
        raise
    except MailerError as error:
        return _confirm(request, parts, actor, slug, typed, agreed, _in_words(error), is_asked=True)
    if parts.settings.needs_approval:
        done = f"{slug} is scheduled, and waits for somebody else to approve it."
    elif typed.get("when") == "now":
        done = f"{slug} is on its way."
    else:
        done = f"{slug} is scheduled."
    return parts.desk.go(f"{PATH}/{slug}", done=done)


@router.api_route(APPROVE, methods=READ)
def ask_approve(
    request: Request, slug: str, parts: PartsDep, actor: Send, count: str = "", mail: int = 0
) -> Response:
    """What approving it means, to how many, and what they get: one of its languages and variants."""
    return _approve(request, parts, actor, slug, [], is_asked=count == "yes", mail=mail)


@router.post(APPROVE)
def approve(request: Request, slug: str, fields: ChosenFields, parts: PartsDep, actor: Send) -> Response:
    """Approve what was looked at, as a second person."""
    agreed = fields.get("agreed", [])
    try:
        with parts.session() as session:
            desk.approve_campaign(
                *(session, actor, slug, parts.signer, parts.base_url),
                agreed=agreed,
                people_at_most=_people(fields),
                digest=_digest(fields),
            )
    except NotFound:
        raise
    except MailerError as error:
        return _approve(request, parts, actor, slug, agreed, _in_words(error), is_asked=True)
    return parts.desk.go(f"{PATH}/{slug}", done=f"Approved {slug}.")


@router.get(PATH + "/{slug}/approve/frame")
def show_frame(slug: str, parts: PartsDep, actor: Send, mail: int = 0, dark: bool = False) -> Response:
    """A mail of it by itself, for a frame that lets nothing out of it."""
    shown, cannot = shown_or_why(parts, lambda session: _mail(session, parts, actor, slug, mail)[0])
    return framed(shown, cannot, is_dark=dark)


def _mail(session: Session, parts: Parts, actor: Send, slug: str, number: int) -> tuple[Shown, list[str]]:
    return desk.show_mail(session, actor, slug, number, parts.signer, parts.base_url)


def _people(fields: Mapping[str, list[str]]) -> int:
    """How many people the page said that it reaches; raises Refused."""
    words = fields.get("people", [""])[0]
    if not words.isdecimal() or len(words) > 12:
        raise Refused(UNSEEN)
    return int(words)


def _digest(fields: Mapping[str, list[str]]) -> str:
    """That of the campaign as the page showed it; raises Refused."""
    if digest := fields.get("digest", [""])[0]:
        return digest
    raise Refused(UNSEEN)


def _in_words(error: MailerError) -> str:
    """What was refused; what takes a yes is shown by the page itself."""
    is_asked = isinstance(error, desk.NotAgreed)
    return "Tick each of the points below if it is meant so." if is_asked else str(error)


def _check(
    request: Request,
    parts: Parts,
    actor: See,
    slug: str,
    found: list[Problem] | None,
    links: int | None = None,
) -> Response:
    with parts.session() as session:
        text = writing.find_text(session, actor, slug)
    is_checked, found = found is not None, found or []
    return parts.desk.page(
        request,
        "campaigns/check.html",
        actor,
        slug=slug,
        is_checked=is_checked,
        errors=[one for one in found if not one.is_warning],
        warnings=[one for one in found if one.is_warning],
        files=[one.name for one in text.files] if text else [],
        links=links,
    )


def _test(
    request: Request, parts: Parts, actor: Send, slug: str, typed: Mapping[str, str], error: str = ""
) -> Response:
    with parts.session() as session:
        try:
            languages, letters = plans.versions_to_test(session, actor, slug)
        except NotFound:
            _ = writing.find_kept(session, actor, slug)
            languages, letters = [], []
    return parts.desk.page(
        request,
        "campaigns/test.html",
        actor,
        slug=slug,
        languages=languages,
        letters=letters,
        most=MOST_TESTS,
        typed=typed,
        error=error,
    )


def _schedule(
    request: Request, parts: Parts, actor: Send, slug: str, typed: Mapping[str, str], error: str = ""
) -> Response:
    with parts.session() as session:
        _, campaign = writing.find_kept(session, actor, slug)
    if is_sent(campaign):
        return parts.desk.go(f"{PATH}/{slug}/progress")
    return parts.desk.page(
        request,
        "campaigns/schedule.html",
        actor,
        slug=slug,
        typed=typed,
        zones=sorted(name for name in zone_names() if "/" in name),
        written_canary=campaign.canary.get("written") if campaign is not None else None,
        limits={str(sign): share_words(share) for sign, share in MOST.items()},
        error=error,
    )


def _confirm(
    request: Request,
    parts: Parts,
    actor: Send,
    slug: str,
    typed: Mapping[str, str],
    agreed: list[str],
    error: str = "",
    *,
    is_asked: bool,
) -> Response:
    """The page; where a million people would have to be counted for it, it is there before its count."""
    of_plan = {name: typed[name] for name in OF_PLAN if typed.get(name)}
    ahead, text, cannot = None, None, ""
    try:
        plan = read_plan(typed)
        if is_asked:
            _ask_links_first(parts, actor, slug)
        with parts.session() as session:
            asked = session, actor, slug, plan, parts.signer, parts.base_url
            ahead = plans.look_at_plan(*asked, is_asked=is_asked)
            links = session, actor, slug, parts.signer, parts.base_url
            if ahead is not None and plans.unasked_links(*links):
                ahead = None
            text = writing.find_text(session, actor, slug)
    except NotFound:
        raise
    except MailerError as refused:
        if not request.headers.get("hx-request"):
            return _schedule(request, parts, actor, slug, typed, error or str(refused))
        cannot = str(refused)
    return parts.desk.page(
        request,
        "campaigns/confirm.html",
        actor,
        slug=slug,
        ahead=ahead,
        cannot=cannot,
        moment=None if cannot else plan.moment,
        files=[one.name for one in text.files] if text else [],
        typed=of_plan,
        count=parts.desk.url(CONFIRM.format(slug=slug), **of_plan, count="yes"),
        agreed=agreed,
        waits=parts.settings.needs_approval,
        error=error,
    )


def _ask_links_first(parts: Parts, actor: Send, slug: str) -> None:
    """Ask those of its links that nobody asked lately: until then nothing can be agreed to."""
    parts.ask_links(lambda session: plans.unasked_links(session, actor, slug, parts.signer, parts.base_url))


def _approve(
    request: Request,
    parts: Parts,
    actor: Send,
    slug: str,
    agreed: list[str],
    error: str = "",
    *,
    is_asked: bool,
    mail: int = 0,
) -> Response:
    if is_asked:
        _ask_links_first(parts, actor, slug)
    with parts.session() as session:
        asked = session, actor, slug, parts.signer, parts.base_url
        waiting = plans.look_at_approval(*asked, is_asked=is_asked)
        if waiting.ahead is not None and plans.unasked_links(*asked):
            waiting = replace(waiting, ahead=None)
        text = writing.find_text(session, actor, slug)
    try:
        with parts.session() as session:
            shown, mails = _mail(session, parts, actor, slug, mail)
        cannot = ""
    except MailerError as wrong:
        shown, mails, cannot = None, [], str(wrong)
    return parts.desk.page(
        request,
        "campaigns/approve.html",
        actor,
        slug=slug,
        ahead=waiting.ahead,
        campaign=waiting.campaign,
        is_past=waiting.is_past,
        is_own=waiting.is_own,
        files=[one.name for one in text.files] if text else [],
        agreed=agreed,
        error=error,
        shown=shown,
        mails=mails,
        mail=mail,
        cannot=cannot,
    )
