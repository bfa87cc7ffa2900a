"""Suppressions: addresses that are not mailed, why, and lifting one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from mailer.accounts.rights import ROLES, Actor, at_least
from mailer.audience.suppression import THEIR_WISH, who_may_lift
from mailer.desk import suppression as desk
from mailer.desk.suppression import BY_HAND
from mailer.errors import MailerError, NotFound, Refused
from mailer.models import Role, Suppression, SuppressionReason
from mailer.sealing import SealedWithAnotherKey
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.signed_in import Audience, Export, See
from mailer.web.taking_out import Cells, csv_answer, in_pieces

router = APIRouter()

PATH = "/desk/suppressions"
ROWS = 50
COLUMNS = ("email", "reason", "detail", "since", "until")
EXPORTED_AT_ONCE = 1000


@router.api_route(PATH, methods=READ)
def list_(
    request: Request,
    parts: PartsDep,
    actor: See,
    reason: str = "",
    find: str = "",
    before: int | None = None,
    after: str = "",
) -> Response:
    """Those in force, the newest first, or those whose addresses begin as somebody wrote."""
    return _list(request, parts, actor, reason=_reason(reason), find=find, before=before, after=after)


@router.post(PATH + "/find")
def find(fields: FormFields, parts: PartsDep, _: See) -> Response:
    """What was typed, on to its page, sealed: addresses are in no address of ours."""
    typed = fields.get("address", "").strip()[:320]
    sealed = parts.seal.close(typed) if typed else ""
    return parts.desk.go(PATH, reason=fields.get("reason", ""), find=sealed)


@router.post(PATH)
def add(request: Request, actor: Audience, fields: FormFields, parts: PartsDep) -> Response:
    """One address or many; the form again with what was wrong."""
    given = {name: fields.get(name, "").strip() for name in ("addresses", "by", "detail")}
    try:
        by = _reason(given["by"])
        if by not in BY_HAND:
            raise Refused("Choose why they must not be mailed.")
        with parts.session() as session:
            done = desk.suppress_written(session, actor, given["addresses"], by, given["detail"][:500])
    except MailerError as error:
        return _list(request, parts, actor, given=given, error=str(error))
    said = [f"{done.new:,} {'address is' if done.new == 1 else 'addresses are'} not mailed any more."]
    if done.graver:
        said.append(
            f"{done.graver:,} had been stopped by their readers, or for a while; now for this reason."
        )
    if done.known:
        said.append(f"{done.known:,} had been stopped before and stay as they were.")
    return parts.desk.go(PATH, done=" ".join(said))


@router.get(PATH + ".csv")
def take_out(parts: PartsDep, actor: Export, reason: str = "") -> Response:
    """All in force, or those for a reason, as a file; taking it out is noted."""
    chosen = _reason(reason)
    with parts.session() as session:
        desk.note_export(session, actor, chosen)
    return csv_answer("suppressions.csv", COLUMNS, _rows(parts, actor, chosen))


@router.api_route(PATH + "/{suppression_id}", methods=READ)
def show(request: Request, suppression_id: int, parts: PartsDep, actor: See) -> Response:
    """One of them, what it means, and who may lift it."""
    return _show(request, suppression_id, parts, actor)


@router.post(PATH + "/{suppression_id}/lift")
def lift(
    request: Request, suppression_id: int, fields: FormFields, parts: PartsDep, actor: Audience
) -> Response:
    """Mail the address again."""
    because = fields.get("because", "").strip()[:500]
    try:
        with parts.session() as session:
            row = desk.show_suppression(session, actor, suppression_id).row
            if row.reason in THEIR_WISH and not (fields.get("despite") == "yes" and because):
                raise Refused("It is the reader's own wish: tick that you know, and write why it is lifted.")
            desk.lift(
                session,
                actor,
                row.email or fields.get("address", ""),
                who_may_lift(parts.settings),
                despite_their_wish=fields.get("despite") == "yes",
                because=because,
            )
    except NotFound:
        raise
    except MailerError as error:
        return _show(request, suppression_id, parts, actor, because=because, error=str(error))
    done = "The address may be mailed again. Courses that ended for it stay ended until somebody begins them."
    return parts.desk.go(PATH, done=done)


def _reason(word: str) -> SuppressionReason | None:
    return SuppressionReason(word) if word in set(SuppressionReason) else None


def _rows(parts: Parts, actor: Actor, reason: SuppressionReason | None) -> Iterator[Sequence[Cells]]:
    def read(before: int | None) -> tuple[Sequence[Cells], int | None]:
        with parts.session() as session:
            rows = desk.list_suppressions(session, actor, reason, before, EXPORTED_AT_ONCE)
            return [_cells(row) for row in rows], rows[-1].id if len(rows) == EXPORTED_AT_ONCE else None

    return in_pieces(read)


def _cells(row: Suppression) -> Cells:
    until = row.until.isoformat() if row.until else ""
    return row.email or "(erased)", row.reason, row.detail, row.at.isoformat(), until


def _list(
    request: Request,
    parts: Parts,
    actor: Actor,
    *,
    reason: SuppressionReason | None = None,
    find: str = "",
    before: int | None = None,
    after: str = "",
    given: dict[str, str] | None = None,
    error: str = "",
) -> Response:
    try:
        typed, place = (parts.seal.open(one) if one else "" for one in (find, after))
    except SealedWithAnotherKey:
        typed = place = ""
    more: dict[str, Any] = {}
    with parts.session() as session:
        in_all = desk.count_suppressions(session, actor)
        if typed:
            rows, next_place = desk.find_suppressions(session, actor, typed, reason, place, ROWS)
            if next_place:
                more = {"reason": reason, "find": find, "after": parts.seal.close(next_place)}
        else:
            rows = desk.list_suppressions(session, actor, reason, before, ROWS + 1)
            if len(rows) > ROWS:
                more = {"reason": reason, "before": rows[ROWS - 1].id}
    return parts.desk.page(
        request,
        "audience/suppressions.html",
        actor,
        rows=rows[:ROWS],
        in_all=in_all,
        typed=typed,
        reason=reason or "",
        reasons=list(SuppressionReason),
        by_hand=list(BY_HAND),
        given=given or {"addresses": "", "by": SuppressionReason.MANUAL, "detail": ""},
        error=error,
        is_later=before is not None or bool(place),
        older=parts.desk.url(PATH, **more) if more else "",
        csv=parts.desk.url(f"{PATH}.csv", reason=reason),
    )


def _show(
    request: Request,
    suppression_id: int,
    parts: Parts,
    actor: Actor,
    *,
    because: str = "",
    error: str = "",
) -> Response:
    with parts.session() as session:
        view = desk.show_suppression(session, actor, suppression_id)
    reason = SuppressionReason(view.row.reason)
    least = who_may_lift(parts.settings)[reason]
    return parts.desk.page(
        request,
        "audience/suppression.html",
        actor,
        view=view,
        who="nobody" if least is None else at_least(least),
        may_lift=least is not None and ROLES.index(Role(actor.role)) >= ROLES.index(least),
        is_their_wish=reason in THEIR_WISH,
        because=because,
        error=error,
    )
