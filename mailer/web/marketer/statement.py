"""A campaign's account: what became of its audience, who did not get it and why, sending it again to them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import Actor
from mailer.audience.aim import Again
from mailer.desk import sent
from mailer.errors import NotFound, Refused
from mailer.reports.not_reached import MEANING, STATES, NotReached
from mailer.reports.patience import as_far_as_counted
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.marketer.sending import ONE
from mailer.web.signed_in import Export, See, Write
from mailer.web.taking_out import Cells, csv_answer, in_pieces

router = APIRouter()

LINES = ("state", "reason", "mails")
COLUMNS = ("address", "subscriber", "state", "reason", "server said", "at")


@router.api_route(ONE + "/statement", methods=READ)
def statement(request: Request, slug: str, parts: PartsDep, actor: See, count: str = "") -> Response:
    """The balanced statement; the reasons too where there are few mails, or somebody asks for them."""
    with parts.session() as session:
        account, cannot = as_far_as_counted(
            lambda is_asked: sent.see_statement(session, actor, slug, is_asked=is_asked), count == "yes"
        )
        found = sent.see_progress(session, actor, slug)
    is_part = bool(request.headers.get("hx-request"))
    return parts.desk.page(
        request,
        f"sent/{'account' if is_part else 'statement'}.html",
        actor,
        account=account,
        found=found,
        cannot=cannot,
        meaning=MEANING,
    )


@router.get(ONE + "/statement.csv")
def statement_csv(slug: str, parts: PartsDep, actor: See) -> Response:
    """The statement as a file, a line for each state and reason, and for what went with its person.

    Nobody's own data is in it.
    """
    with parts.session() as session:
        account = sent.see_statement(session, actor, slug, is_asked=True)
    found = account.statement
    lines: list[Cells] = [(one.state, one.reason, one.mails) for one in found.lines]
    if found.forgotten:
        lines.append(("gone", "with their person", found.forgotten))
    return csv_answer(f"{slug}-statement.csv", LINES, [lines])


@router.api_route(ONE + "/missing", methods=READ)
def missing(
    request: Request,
    slug: str,
    parts: PartsDep,
    actor: See,
    state: str = "",
    reason: str = "",
    at: str = "",
) -> Response:
    """Who did not get it, a page at a time."""
    address = f"/desk/campaigns/{slug}/missing"
    with parts.session() as session:
        campaign, page = sent.list_not_reached(session, actor, slug, state, reason or None, at)
        account = sent.see_statement(session, actor, slug, is_asked=False)
    return parts.desk.page(
        request,
        "sent/missing.html",
        actor,
        campaign=campaign,
        account=account,
        page=page,
        state=state,
        reason=reason,
        states=STATES,
        meaning=MEANING,
        next=parts.desk.url(address, state=state, reason=reason, at=page.next) if page.next else "",
    )


@router.get(ONE + "/missing.csv")
def missing_csv(slug: str, parts: PartsDep, actor: Export, state: str = "", reason: str = "") -> Response:
    """All of them as a file; taking it out is in the log."""
    with parts.session() as session:
        sent.note_export(session, actor, slug, state)

    def read(at: str | None) -> tuple[Sequence[Cells], str | None]:
        with parts.session() as session:
            page = sent.take_out(session, actor, slug, state, reason or None, at or "")
        return [_cells(row) for row in page.rows], page.next or None

    return csv_answer(f"{slug}-missing.csv", COLUMNS, in_pieces(read))


def _cells(row: NotReached) -> Cells:
    at = row.at.isoformat(timespec="seconds") if row.at else ""
    return row.email, row.subscriber_id, row.state, row.reason, row.said, at


@router.api_route(ONE + "/again", methods=READ)
def ask_again(
    request: Request, slug: str, parts: PartsDep, actor: Write, to: str = Again.MISSED, count: str = ""
) -> Response:
    """To whom it would go again, and how many they are."""
    return _ask_again(request, slug, parts, actor, to, is_asked=count == "yes")


@router.post(ONE + "/again")
def again(request: Request, slug: str, fields: FormFields, parts: PartsDep, actor: Write) -> Response:
    """Make the draft, and go on writing it; nothing is sent."""
    to, new_slug = fields.get("to", ""), fields.get("slug", "").strip()
    try:
        with parts.session() as session:
            draft = sent.draft_again(session, actor, slug, to, new_slug)
    except NotFound:
        raise
    except Refused as error:
        return _ask_again(request, slug, parts, actor, to, error=str(error), typed=new_slug)
    done = "A draft of the same mail, for those people. Change what you like; nothing is sent yet."
    return parts.desk.go(f"/desk/campaigns/{draft.slug}", done=done)


def _ask_again(
    request: Request,
    slug: str,
    parts: Parts,
    actor: Actor,
    to: str,
    *,
    is_asked: bool = False,
    error: str = "",
    typed: str = "",
) -> Response:
    with parts.session() as session:
        asked, cannot = as_far_as_counted(
            lambda is_asked: sent.look_at_again(session, actor, slug, to, is_asked=is_asked), is_asked
        )
    return parts.desk.page(
        request,
        "sent/again_count.html" if request.headers.get("hx-request") else "sent/again.html",
        actor,
        asked=asked,
        cannot=cannot,
        error=error,
        slug=typed or f"{slug}-again",
    )
