"""Series: campaigns that recur, by the calendar or from a feed; written, looked at, paused, made now."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from mailer.accounts.rights import Actor
from mailer.content.course_source import Problem
from mailer.desk import series as desk
from mailer.errors import MailerError, NotFound, Refused
from mailer.launch.asked import WARNINGS, FaultyFiles, NotAgreed
from mailer.launch.series_look import Look, look_at_feed
from mailer.launch.series_make import Due
from mailer.launch.series_preview import Preview
from mailer.launch.shown import in_scheme
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.chosen import ChosenFields
from mailer.web.marketer.courses import number
from mailer.web.marketer.mail_frame import MAIL_POLICY
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import See, Send

router = APIRouter()

PATH = "/desk/series"
NEW = "/desk/new-series"
ONE = PATH + "/{slug}"
SHOWN, AHEAD = 50, 5
MOST_TYPED = 1_100_000
"""Bytes of the posted files."""
EXAMPLE = """---
slug: letter
subject: "A letter for {{{{ series.date }}}}"
lists: [{lists}]
every: week
on: [monday]
at: "09:00"
zone: {zone}
---
# Number {{{{ series.number }}}}

{{{{ greeting }}}}

What happened this week.
"""
"""What a new one begins with."""


@router.api_route(PATH, methods=READ)
def list_(request: Request, parts: PartsDep, actor: See, after: str = "") -> Response:
    """All of them, each with when it comes next and what is the matter."""
    with parts.session() as session:
        rows = desk.list_series(session, actor, after, SHOWN + 1)
    more = rows[SHOWN - 1].slug if len(rows) > SHOWN else ""
    return parts.desk.page(request, "series/list.html", actor, rows=rows[:SHOWN], more=more, after=after)


@router.api_route(NEW, methods=READ)
def new(request: Request, parts: PartsDep, actor: Send) -> Response:
    """The file of a new one, to be written."""
    with parts.session() as session:
        lists = desk.lists_with_sender(session, actor)
    text = EXAMPLE.format(lists=lists[0] if lists else "letters", zone=actor.zone)
    return _write(request, parts, actor, [text])


@router.post(NEW, max_body_size=MOST_TYPED)
def put(request: Request, fields: ChosenFields, parts: PartsDep, actor: Send) -> Response:
    """Have it made from now on, or change it; the form again, with what was wrong or takes a yes."""
    texts = [text.replace("\r\n", "\n") for text in fields.get("text", []) if text.strip()]
    slug, seen = ((fields.get(name) or [""])[-1] for name in ("slug", "seen"))
    try:
        with parts.session() as session:
            checked = desk.check_files(session, actor, texts, pictures_of=slug)
            desk.refuse_another(session, actor, checked, slug, seen)
        feed = checked.series.repeats.feed
        look = look_at_feed(feed, {}, parts.fetcher, checked.at) if checked.needs_look else None
        asked = checked, look, parts.signer, parts.base_url, fields.get("agreed", [])
        with parts.session() as session:
            desk.refuse_another(session, actor, checked, slug, seen)
            done = desk.put_series(session, actor, *asked)
    except FaultyFiles as error:
        return _write(request, parts, actor, texts, slug, seen, problems=error.problems)
    except NotAgreed as error:
        words = " ".join(words for _, words in error.surprising)
        return _write(request, parts, actor, texts, slug, seen, warnings=words)
    except MailerError as error:
        return _write(request, parts, actor, texts, slug, seen, error=str(error))
    said = "Added" if done.is_new else "Changed" if done.is_changed else "Nothing was changed in"
    known = f" What is in its feed already ({done.old_items}) is not mailed." if done.old_items else ""
    return parts.desk.go(f"{PATH}/{checked.series.slug}", done=f"{said} {checked.series.slug}.{known}")


@router.api_route(ONE, methods=READ)
def show(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """What is to come, what was made, what is the matter, and what can be done."""
    with parts.session() as session:
        found = desk.show_series(session, actor, slug, AHEAD)
    return parts.desk.page(request, "series/one.html", actor, found=found, row=found.row)


@router.api_route(ONE + "/edit", methods=READ)
def edit(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """Its files as they were added."""
    with parts.session() as session:
        texts, seen = desk.texts_of(session, actor, slug), desk.seen_of(session, actor, slug)
    return _write(request, parts, actor, texts, slug, seen)


@router.api_route(ONE + "/preview", methods=READ)
def preview(request: Request, slug: str, parts: PartsDep, actor: See) -> Response:
    """What would be made now. Nothing is sent or kept."""
    found, cannot = _preview(parts, actor, slug)
    return parts.desk.page(request, "series/preview.html", actor, slug=slug, found=found, cannot=cannot)


@router.get(ONE + "/mail")
def mail(slug: str, parts: PartsDep, actor: See, number: int = 0) -> Response:
    """One of its mails, for a frame that lets nothing out of it."""
    found, _ = _preview(parts, actor, slug)
    if found is None or not 0 <= number < len(found.mails):
        raise NotFound("There is no such mail.")
    html = in_scheme(found.mails[number].html, is_dark=False)
    return HTMLResponse(html, headers={**PRIVATE_HEADERS, "Content-Security-Policy": MAIL_POLICY})


@router.api_route(ONE + "/run", methods=READ)
def ask_run(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What making it now means, and for how many."""
    with parts.session() as session:
        row = desk.show_series(session, actor, slug, 1).row
        reach = desk.look_at_audience(session, actor, slug)
    return parts.desk.page(request, "series/run.html", actor, row=row, reach=reach)


@router.post(ONE + "/run")
def run(slug: str, _: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Make its next occurrence now, in place of when it was to come."""
    with parts.session() as session:
        due = desk.to_be_made(session, actor, slug)
    look = _look(parts, due)
    with parts.session() as session:
        asked = session, actor, due, look, parts.signer, parts.base_url
        made = desk.make_now(*asked, needs_approval=parts.settings.needs_approval)
    if made.campaign:
        return parts.desk.go(f"/desk/campaigns/{made.campaign}", done=f"Made {made.campaign}.")
    words = made.trouble or made.words or "It was changed or made a moment ago."
    return parts.desk.go(f"{PATH}/{slug}", done=f"No campaign was made: {words}")


@router.api_route(ONE + "/skip", methods=READ)
def ask_skip(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What of its feed would never be mailed."""
    with parts.session() as session:
        row = desk.show_series(session, actor, slug, 1).row
    titles, cannot = list[str](), ""
    try:
        with parts.session() as session:
            due = desk.to_be_skipped(session, actor, slug)
        look = look_at_feed(due.feed_url, due.marks, parts.fetcher, due.at)
        with parts.session() as session:
            titles = desk.items_to_skip(session, actor, slug, look)
    except Refused as error:
        cannot = str(error)
    return parts.desk.page(request, "series/skip.html", actor, row=row, titles=titles, cannot=cannot)


@router.post(ONE + "/skip")
def skip(slug: str, fields: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Take all that is in its feed now as known, if that is no more than was seen: it is not mailed."""
    seen = number(fields.get("items", ""), "How many there are")
    with parts.session() as session:
        due = desk.to_be_skipped(session, actor, slug)
    look = look_at_feed(due.feed_url, due.marks, parts.fetcher, due.at)
    with parts.session() as session:
        items = desk.skip_items(session, actor, slug, look, seen)
    return parts.desk.go(f"{PATH}/{slug}", done=f"{items} of its feed count as known and are not mailed.")


@router.post(ONE + "/pause")
def pause(slug: str, _: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Make nothing of it until it is resumed."""
    with parts.session() as session:
        desk.pause_series(session, actor, slug)
    return parts.desk.go(f"{PATH}/{slug}", done="Paused. Campaigns that it has made go on.")


@router.post(ONE + "/resume")
def resume(slug: str, _: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Go on with it; what fell into the pause is not made up for."""
    with parts.session() as session:
        desk.resume_series(session, actor, slug)
    return parts.desk.go(f"{PATH}/{slug}", done="It goes on. What fell into the pause is not made up for.")


@router.api_route(ONE + "/remove", methods=READ)
def ask_remove(request: Request, slug: str, parts: PartsDep, actor: Send) -> Response:
    """What removing it means."""
    with parts.session() as session:
        row = desk.show_series(session, actor, slug, 1).row
    return parts.desk.page(request, "series/remove.html", actor, row=row)


@router.post(ONE + "/remove")
def remove(slug: str, _: FormFields, parts: PartsDep, actor: Send) -> Response:
    """Forget it; the campaigns that it made stay."""
    with parts.session() as session:
        desk.remove_series(session, actor, slug)
    return parts.desk.go(PATH, done=f"Removed {slug}. The campaigns that it made stay.")


def _look(parts: Parts, due: Due) -> Look | None:
    """One look at its feed, while no transaction is open; None when it has none."""
    return look_at_feed(due.feed_url, due.marks, parts.fetcher, due.at) if due.feed_url else None


def _preview(parts: Parts, actor: Actor, slug: str) -> tuple[Preview | None, str]:
    """What would be made now, or why nothing can be; raises NotFound."""
    with parts.session() as session:
        due = desk.to_be_looked_at(session, actor, slug)
    look = _look(parts, due)
    try:
        with parts.session() as session:
            return desk.preview_series(session, actor, due, look, parts.signer, parts.base_url), ""
    except MailerError as error:
        return None, str(error)


def _write(
    request: Request,
    parts: Parts,
    actor: Actor,
    texts: Sequence[str],
    slug: str = "",
    seen: str = "",
    *,
    problems: Sequence[Problem] = (),
    warnings: str = "",
    error: str = "",
) -> Response:
    with parts.session() as session:
        now_seen = desk.seen_of(session, actor, slug) if slug else ""
    return parts.desk.page(
        request,
        "series/write.html",
        actor,
        texts=texts or [""],
        slug=slug,
        seen=seen,
        now_seen=now_seen,
        problems=problems,
        warnings=warnings,
        agree=WARNINGS,
        error=error,
        status=422 if problems or warnings or error else 200,
    )
