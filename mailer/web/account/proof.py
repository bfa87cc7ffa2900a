"""Acts that change who gets in ask for the password again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.orm import Session

from mailer.accounts.operators import get_operator
from mailer.accounts.profile import prove
from mailer.accounts.rights import Actor
from mailer.accounts.throttle import Try
from mailer.web.deps import Parts


def has_password(session: Session, actor: Actor) -> bool:
    """Whether there is a password to be asked for: not of who only comes from the identity provider."""
    return get_operator(session, actor.operator_id or 0).password_hash is not None


@contextmanager
def proven(parts: Parts, actor: Actor, fields: Mapping[str, str]) -> Iterator[Session]:
    """A session for such an act, once the field `current` held the password; raises Refused or TooOften."""
    parts.throttle.take(Try.PASSWORD, actor.who)
    # In a transaction of its own: none is open while Redis is told of the success.
    with parts.session() as session:
        prove(session, actor, fields.get("current", ""))
    parts.throttle.forget(Try.PASSWORD, actor.who)
    with parts.session() as session:
        yield session
