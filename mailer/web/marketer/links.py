"""Which links of a campaign were followed: over the mail itself, and as a table."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from mailer.accounts.rights import Actor
from mailer.desk import sent
from mailer.desk.sent import LinkMap
from mailer.render.personalize import CannotRender
from mailer.reports.patience import as_far_as_counted
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.sending import ONE
from mailer.web.pages import PRIVATE_HEADERS
from mailer.web.signed_in import See
from mailer.web.taking_out import csv_answer

router = APIRouter()

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; font-src 'none'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
)
"""What a marketer writes runs no script, asks nothing of anybody but its own pictures, and has no origin."""

COLUMNS = ("link", "people", "machine requests", "all requests")


@router.api_route(ONE + "/links", methods=READ)
def links(
    request: Request,
    slug: str,
    parts: PartsDep,
    actor: See,
    variant: str = "",
    language: str = "",
    count: str = "",
) -> Response:
    """The mail with its figures, and the table; counted where there is little of it, or on demand."""
    seen, cannot = _seen(parts, actor, slug, variant, language, is_asked=count == "yes")
    asked = {"variant": variant, "language": language}
    return parts.desk.page(
        request,
        f"sent/{'followed' if request.headers.get('hx-request') else 'links'}.html",
        actor,
        seen=seen,
        cannot=cannot,
        is_asked=count == "yes",
        asked={name: value for name, value in asked.items() if value},
    )


@router.get(ONE + "/links/mail")
def mail(
    slug: str, parts: PartsDep, actor: See, variant: str = "", language: str = "", count: str = ""
) -> Response:
    """The mail itself, for a frame that lets nothing out of it."""
    seen, _ = _seen(parts, actor, slug, variant, language, is_asked=count == "yes")
    try:
        with parts.session() as session:
            html = sent.show_mail(session, actor, seen, parts.desk.root).html
    except CannotRender as error:
        html = f"<p>{escape(str(error))}</p>"
    return HTMLResponse(html, headers={**PRIVATE_HEADERS, "Content-Security-Policy": MAIL_POLICY})


@router.get(ONE + "/links.csv")
def links_csv(slug: str, parts: PartsDep, actor: See, variant: str = "") -> Response:
    """The table as a file: nobody's own data is in it."""
    with parts.session() as session:
        seen = sent.see_links(session, actor, slug, variant, "", is_asked=True)
    found = seen.figures.links if seen.figures else ()
    rows = [(one.url, one.people, one.machines, one.requests) for one in found]
    return csv_answer(f"{slug}-links.csv", COLUMNS, [rows])


def _seen(
    parts: Parts, actor: Actor, slug: str, variant: str, language: str, *, is_asked: bool
) -> tuple[LinkMap, str]:
    """The links, and a sentence when they could not be counted in time."""
    with parts.session() as session:
        return as_far_as_counted(
            lambda is_asked: sent.see_links(session, actor, slug, variant, language, is_asked=is_asked),
            is_asked,
        )
