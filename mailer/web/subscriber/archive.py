"""The archive of public issues: a list, and each as a page that anybody may read and pass on."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from mailer.i18n import format_date
from mailer.reports.archive import Issue, list_issues, read_issue
from mailer.web.deps import READ, PartsDep
from mailer.web.language import asked_for
from mailer.web.subscriber.choices import own_name
from mailer.web.subscriber.mail import MAIL_POLICY

router = APIRouter()

PUBLIC_HEADERS = {
    # Nobody's values are in it: other sites, caches and search engines may know these pages.
    "Cache-Control": "public, max-age=300",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
}


@router.api_route("/archive", methods=READ)
def list_(request: Request, parts: PartsDep, before: str = "") -> Response:
    """Public issues, the newest first."""
    language = asked_for(request.headers.get("accept-language", ""))
    with parts.session() as session:
        page = list_issues(session, int(before) if _is_number(before) else None)
    answer = parts.pages.render(
        "subscriber/archive.html",
        language,
        page=page,
        is_first=not before,
        dated=lambda issue: format_date(issue.begun_at.date(), language),
        own_name=own_name,
        others=_others,
        url=f"{parts.pages.root}/archive",
    )
    del answer.headers["X-Robots-Tag"]
    answer.headers.update({**PUBLIC_HEADERS, "Vary": "Accept-Language"})
    return answer


@router.api_route("/archive/links-in-mails", methods=READ)
def links_in_mails(request: Request, parts: PartsDep) -> Response:
    """What the links of an issue lead to that are a reader's own in a mail: here they are nobody's."""
    language = asked_for(request.headers.get("accept-language", ""))
    return parts.pages.render("problem.html", language, kind="in-mails")


@router.api_route("/archive/{slug}", methods=READ)
def show(slug: str, parts: PartsDep, language: str = "") -> Response:
    """One issue, as nobody in particular would have got it."""
    with parts.session() as session:
        mail = read_issue(session, slug, language, parts.base_url.rstrip("/"))
    headers = {**PUBLIC_HEADERS, "Content-Security-Policy": MAIL_POLICY}
    return HTMLResponse(mail.html, headers=headers)


def _others(issue: Issue) -> tuple[str, ...]:
    return issue.languages[1:]


def _is_number(words: str) -> bool:
    return words.isascii() and words.isdigit() and len(words) < 19
