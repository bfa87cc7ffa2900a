"""The states of a delivery and the ways between them (the table of docs/architecture.md)."""

from __future__ import annotations

from mailer.models import DeliveryState

_S = DeliveryState

NEXT: dict[DeliveryState, frozenset[DeliveryState]] = {
    # Accepted: by a worker that had lost it meanwhile.
    _S.PLANNED: frozenset({_S.SENDING, _S.SKIPPED, _S.CANCELLED, _S.HELD, _S.ACCEPTED}),
    _S.HELD: frozenset({_S.PLANNED, _S.CANCELLED, _S.SKIPPED}),
    # What must not leave is found out as its batch is claimed.
    _S.SENDING: frozenset(
        {_S.ACCEPTED, _S.BOUNCED, _S.FAILED, _S.UNCERTAIN, _S.PLANNED, _S.QUARANTINED}
        | {_S.SUPPRESSED, _S.SKIPPED, _S.CANCELLED}
    ),
    _S.QUARANTINED: frozenset({_S.PLANNED, _S.CANCELLED}),
    # Resolved by evidence or by a person, never by a silent retry.
    _S.UNCERTAIN: frozenset({_S.ACCEPTED, _S.PLANNED, _S.CANCELLED}),
    _S.ACCEPTED: frozenset(),
    _S.BOUNCED: frozenset(),
    _S.SUPPRESSED: frozenset(),
    _S.SKIPPED: frozenset(),
    # A relay may have refused what it would take today; only a person can know.
    _S.FAILED: frozenset({_S.PLANNED}),
    _S.CANCELLED: frozenset(),
}
"""From each state, the states that may follow it."""

ENDS = frozenset({_S.ACCEPTED, _S.BOUNCED, _S.SUPPRESSED, _S.SKIPPED, _S.FAILED, _S.UNCERTAIN, _S.CANCELLED})
"""A send is finished when its audience equals the sum of these."""
