"""Recovery codes: shown once, on the page that answers the act which made them."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request, Response

from mailer.accounts.factor import has_factor, new_codes
from mailer.accounts.operators import get_operator
from mailer.accounts.record import record
from mailer.accounts.rights import Actor
from mailer.errors import Refused
from mailer.web.account.proof import proven
from mailer.web.deps import FormFields, Parts, PartsDep
from mailer.web.signed_in import Own

router = APIRouter()


@router.post("/desk/you/recovery-codes")
def renew(request: Request, fields: FormFields, parts: PartsDep, actor: Own) -> Response:
    """Ten new ones; those from before stop working."""
    with proven(parts, actor, fields) as session:
        operator = get_operator(session, actor.operator_id or 0)
        if not has_factor(session, operator):
            raise Refused("Recovery codes stand in for a second factor; set one up first.")
        codes = new_codes(session, operator.id)
        record(session, actor, "recovery codes make", len(codes))
    return shown_once(request, parts, actor, codes)


def shown_once(request: Request, parts: Parts, actor: Actor, codes: Sequence[str]) -> Response:
    """The page with the codes; nobody can see them again."""
    return parts.desk.page(request, "recovery_codes.html", actor, codes=codes)
