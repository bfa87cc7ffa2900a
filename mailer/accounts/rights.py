"""What each role may do, asked where it is done.

Every call that people and programs make goes through `mailer.desk`, whose functions say by `needs` which
right they take; so no page and no route can forget to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.orm import Session

from mailer.errors import Refused
from mailer.models import Role

P = ParamSpec("P")
T = TypeVar("T")

ROLES = tuple(Role)
"""From the one who may least to the one who may most."""


class Right(StrEnum):
    """One kind of act. The same words are the scopes of an API token."""

    SEE = "see"
    WRITE = "write"
    SEND = "send"
    AUDIENCE = "audience"
    EXPORT = "export"
    RUN = "run"
    MANAGE = "manage"


LEAST = {
    Right.SEE: Role.READER,
    Right.WRITE: Role.MARKETER,
    Right.SEND: Role.MARKETER,
    Right.AUDIENCE: Role.MARKETER,
    Right.EXPORT: Role.MARKETER,
    Right.RUN: Role.OPERATOR,
    Right.MANAGE: Role.OWNER,
}
"""The least role that has each right; all above it have it too."""

MEANING = {
    Right.SEE: "see every page and figure",
    Right.WRITE: "write courses, campaigns, lists and segments",
    Right.SEND: "publish, schedule and send",
    Right.AUDIENCE: "add and change subscribers, import",
    Right.EXPORT: "take people's data out",
    Right.RUN: "hold, release, retry, and set up senders and transports",
    Right.MANAGE: "people, roles, webhooks and settings",
}


class NotAllowed(Refused):
    """Somebody asked for what their role or their token does not cover; `what` says who may."""

    def __init__(self, actor: Actor, right: Right) -> None:
        self.right = right
        if right in rights_of(actor.role):
            what = f"This token has not the scope {right.value!r}; make one that has."
        else:
            what = f"Only somebody who is {at_least(LEAST[right])} may do this ({MEANING[right]})."
        super().__init__(what)


@dataclass(frozen=True)
class Actor:
    """Who does something. `who` is what the record of actions shows; `scopes` narrows a program's rights.

    `operator_id` is None for whoever sits at the machine itself (`at_the_machine`).
    """

    who: str
    role: Role
    operator_id: int | None = None
    session_id: int | None = None
    token_id: int | None = None
    scopes: frozenset[Right] | None = None
    name: str = ""
    zone: str = "UTC"
    theme: str = "auto"

    @property
    def rights(self) -> frozenset[Right]:
        """All that this actor may do."""
        mine = rights_of(self.role)
        return mine if self.scopes is None else mine & self.scopes

    def may(self, right: Right) -> bool:
        """Whether this actor has `right`."""
        return right in self.rights

    def require(self, right: Right) -> None:
        """Nothing when this actor has `right`; raises NotAllowed."""
        if not self.may(right):
            raise NotAllowed(self, right)


def at_the_machine(who: str) -> Actor:
    """Whoever runs a command: they can read the database as it is, so nothing is refused them."""
    return Actor(who=who, role=Role.OWNER)


def rights_of(role: Role) -> frozenset[Right]:
    """What somebody in `role` may do."""
    return frozenset(right for right, least in LEAST.items() if ROLES.index(role) >= ROLES.index(least))


def at_least(role: Role) -> str:
    """ "a marketer, an operator or an owner": those who may what `role` may."""
    able = [f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in ROLES[ROLES.index(role) :]]
    return able[0] if len(able) == 1 else f"{', '.join(able[:-1])} or {able[-1]}"


def needs(
    right: Right,
) -> Callable[[Callable[Concatenate[Session, Actor, P], T]], Callable[Concatenate[Session, Actor, P], T]]:
    """Have a function ask for `right` before it does anything; raises NotAllowed."""

    def asking(
        act: Callable[Concatenate[Session, Actor, P], T],
    ) -> Callable[Concatenate[Session, Actor, P], T]:
        @wraps(act)
        def asked(session: Session, actor: Actor, /, *args: P.args, **named: P.kwargs) -> T:
            actor.require(right)
            return act(session, actor, *args, **named)

        asked.right = right  # type: ignore[attr-defined]
        return asked

    return asking
