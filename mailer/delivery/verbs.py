"""What a person may do to mails: from which states to which, by the one table of states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailer.delivery.states import NEXT
from mailer.errors import Refused
from mailer.models import DeliveryState

_S = DeliveryState


@dataclass(frozen=True)
class Verb:
    """One thing to do: the state it leads to, those it starts from, and those of them that must be named.

    A step that the table of states does not have cannot be made: ValueError.
    """

    name: str
    done: str
    to: DeliveryState
    from_: tuple[DeliveryState, ...]
    reason: str
    only_named: tuple[DeliveryState, ...] = ()

    def __post_init__(self) -> None:
        for state in self.from_:
            if self.to not in NEXT[state]:
                raise ValueError(f"{state} is never followed by {self.to}")

    def starts_from(self, named: tuple[DeliveryState, ...]) -> tuple[DeliveryState, ...]:
        """The states it acts on when the filter names these, or none; raises Refused for any other."""
        wrong = [state for state in named if state not in self.from_]
        if wrong:
            raise Refused(f"What is {wrong[0]} cannot be {self.done}; {', '.join(self.from_)} can.")
        return named or tuple(state for state in self.from_ if state not in self.only_named)


# What is uncertain may have arrived: nobody sends it again, or calls it not sent, by the way.
RETRY = Verb(
    *("retry", "tried again", _S.PLANNED, (_S.QUARANTINED, _S.FAILED, _S.UNCERTAIN), "tried again by hand"),
    only_named=(_S.UNCERTAIN,),
)
HOLD = Verb("hold", "held", _S.HELD, (_S.PLANNED,), "held by hand")
RELEASE = Verb("release", "released", _S.PLANNED, (_S.HELD,), "released by hand")
CANCEL = Verb(
    *("cancel", "cancelled", _S.CANCELLED, (_S.PLANNED, _S.HELD, _S.QUARANTINED, _S.UNCERTAIN)),
    reason="cancelled by hand",
    only_named=(_S.UNCERTAIN,),
)
SETTLE = {
    _S.ACCEPTED: Verb("settle", "settled", _S.ACCEPTED, (_S.UNCERTAIN,), "settled by hand as accepted"),
    _S.CANCELLED: Verb("settle", "settled", _S.CANCELLED, (_S.UNCERTAIN,), "settled by hand as cancelled"),
}


VERBS: Mapping[str, Verb] = {
    "retry": RETRY,
    "hold": HOLD,
    "release": RELEASE,
    "cancel": CANCEL,
    "settle-accepted": SETTLE[_S.ACCEPTED],
    "settle-cancelled": SETTLE[_S.CANCELLED],
}
"""The verbs by the word that says which, in a form, in a request and in a bulk act."""
