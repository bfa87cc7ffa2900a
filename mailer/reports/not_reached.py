"""Who did not get a campaign, and why: a page at a time, at a cost that does not grow with its audience."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.errors import Refused
from mailer.models import Campaign, DeliveryState
from mailer.outbox import campaign_source, first_id, period_of

PAGE = 50
LOOK_AT = 10_000
"""So many rows are looked through for a page; when too few of them fit, the page leads on."""

_S = DeliveryState
STATES = (
    *(_S.BOUNCED, _S.FAILED, _S.SUPPRESSED, _S.SKIPPED, _S.CANCELLED, _S.UNCERTAIN),
    *(_S.QUARANTINED, _S.HELD),
)
"""What became of who did not get it, or is not known to have it. Who is planned only waits for their turn."""

MEANING = {
    _S.BOUNCED: "their server refused it for good: there is no such mailbox",
    _S.FAILED: "given up: the server refused it, or put it off for too long",
    _S.SUPPRESSED: "not tried: the address must not be mailed, or they had left by then",
    _S.SKIPPED: "not for them any more when their turn came",
    _S.CANCELLED: "taken back before it left",
    _S.UNCERTAIN: "the connection broke before the server answered: they may have it",
    _S.QUARANTINED: "set aside: their mail could not be made; an operator has to look",
    _S.HELD: "waits: it has not been let go yet",
}


@dataclass(frozen=True)
class NotReached:
    """One of them. `said` is what a server answered last, empty where none did."""

    delivery_id: int
    subscriber_id: int
    email: str
    state: str
    reason: str
    said: str
    at: datetime | None


@dataclass(frozen=True)
class NotReachedPage:
    """Some of them; `next` is where to go on, empty at the end. `is_cut`: there may be more that fit."""

    rows: tuple[NotReached, ...]
    next: str
    is_cut: bool


# A walk along ix_deliveries_aside, whose own words stand in the condition; within the campaign's month.
_LOOKED = """
    SELECT id, subscriber_id, state, reason, code, reply, settled_at FROM deliveries
    WHERE source = :source AND state NOT IN ('planned', 'sending', 'accepted')
      AND id >= :first AND id < :end {which} AND (state, id) > (:after, :after_id)
    ORDER BY state, id LIMIT :look_at
"""
_PAGE = """
    WITH looked AS MATERIALIZED ({looked}),
    fits AS (
        SELECT * FROM looked WHERE CAST(:reason AS text) IS NULL OR reason = :reason
        ORDER BY state, id LIMIT :most
    ),
    seen AS (SELECT state, id FROM looked ORDER BY state DESC, id DESC LIMIT 1)
    SELECT f.*, p.email, (SELECT count(*) FROM looked) AS looked_at, s.state AS end_state, s.id AS end_id
    FROM seen AS s LEFT JOIN fits AS f ON true LEFT JOIN subscribers AS p ON p.id = f.subscriber_id
    ORDER BY f.state, f.id
"""


def not_reached(
    session: Session,
    campaign: Campaign,
    state: str = "",
    reason: str | None = None,
    at: str = "",
    *,
    most: int = PAGE,
    look_at: int = LOOK_AT,
) -> NotReachedPage:
    """Those in this state (any that is none of arriving) and for this reason, by state; raises Refused."""
    if state and state not in STATES:
        raise Refused(f"{state!r} is none of {', '.join(STATES)}.")
    if campaign.starts_at is None:
        return NotReachedPage((), "", is_cut=False)
    after, after_id = _begin(at)
    if reason is None:
        look_at = min(look_at, most + 1)  # all of them fit
    period = period_of(campaign.starts_at)
    values = {
        **{"source": campaign_source(campaign.id), "first": first_id(period), "end": first_id(period + 1)},
        **{"after": after, "after_id": after_id, "reason": reason, "most": most + 1, "look_at": look_at},
    }
    # The word itself, so that the planner sees a range of the index; it is one of STATES.
    query = _PAGE.format(looked=_LOOKED.format(which=f"AND state = '{state}'" if state else ""))
    found = session.execute(text(query), values).all()
    fitting = [row for row in found if row.id is not None]
    rows = tuple(
        NotReached(
            *(row.id, row.subscriber_id, row.email or "", row.state, row.reason),
            *(f"{row.code or ''} {row.reply or ''}".strip(), row.settled_at),
        )
        for row in fitting[:most]
    )
    if len(fitting) > most:
        return NotReachedPage(rows, f"{rows[-1].state}~{rows[-1].delivery_id}", is_cut=False)
    if found and found[0].looked_at == look_at:
        return NotReachedPage(rows, f"{found[0].end_state}~{found[0].end_id}", is_cut=True)
    return NotReachedPage(rows, "", is_cut=False)


def _begin(at: str) -> tuple[str, int]:
    """Where an earlier page ended; raises Refused for what is none of ours."""
    state, _, number = at.partition("~")
    if not at:
        return "", 0
    if state not in STATES or not number.isdecimal() or len(number) > 18:
        raise Refused("This address is not one of ours; begin again at the first page.")
    return state, int(number)
