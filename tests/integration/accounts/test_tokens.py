"""API tokens: what a program shows to do a part of what its owner may."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from mailer.accounts.operators import find_operator, get_operator
from mailer.accounts.rights import Actor, NotAllowed, Right, at_the_machine
from mailer.accounts.sessions import actor_of, session_now
from mailer.accounts.tokens import find_token, list_tokens, new_token, revoke_token
from mailer.db import Sessions
from mailer.errors import NotFound, Refused
from mailer.models import Action, ApiToken, Role
from tests.support.staff import STAFF, hire


@pytest.fixture
def marc(session: Session) -> Actor:
    return person(session, Role.MARKETER)


@pytest.fixture(autouse=True)
def staff(sessions: Sessions) -> None:
    hire(sessions)


def person(session: Session, role: Role) -> Actor:
    found = find_operator(session, STAFF[role][0])
    assert found is not None
    return actor_of(found)


def a_token(session: Session, actor: Actor, *rights: Right, name: str = "the shop") -> str:
    return new_token(session, actor, name, rights or (Right.SEE,), None, session_now(session))


def test_a_program_may_what_its_token_says_and_no_more(session: Session, marc: Actor) -> None:
    secret = a_token(session, marc, Right.SEE, Right.AUDIENCE)
    program = find_token(session, secret, session_now(session))
    assert program is not None
    assert program.who == "marc@example.org by token the shop"
    assert program.rights == {Right.SEE, Right.AUDIENCE}
    with pytest.raises(NotAllowed, match="not the scope"):
        program.require(Right.SEND)


def test_a_token_follows_its_owners_role(session: Session, marc: Actor) -> None:
    secret = a_token(session, marc, Right.SEE, Right.SEND)
    get_operator(session, marc.operator_id or 0).role = Role.READER
    program = find_token(session, secret, session_now(session))
    assert program is not None
    assert program.rights == {Right.SEE}


def test_nobody_makes_a_token_that_may_more_than_they(session: Session, marc: Actor) -> None:
    with pytest.raises(NotAllowed):
        a_token(session, marc, Right.RUN)


def test_a_token_makes_no_tokens(session: Session) -> None:
    program = find_token(session, a_token(session, person(session, Role.OWNER), *Right), session_now(session))
    assert program is not None
    with pytest.raises(Refused, match="makes no tokens"):
        a_token(session, program)


def test_it_is_kept_as_a_hash_and_recorded_without_its_secret(session: Session, marc: Actor) -> None:
    secret = a_token(session, marc)
    (token,) = list_tokens(session, marc.operator_id or 0)
    assert secret.startswith(token.hint)
    assert len(token.hint) == 7  # sp_ and four of 43 letters
    kept = [str(getattr(token, column.name)) for column in ApiToken.__table__.columns]
    action = session.query(Action).order_by(Action.id.desc()).first()
    assert action is not None
    assert (action.what, action.detail) == ("token make", {"token": "the shop", "scopes": "see"})
    assert secret not in "".join(kept)


def test_it_ends_when_it_was_said_to(session: Session, marc: Actor) -> None:
    now = session_now(session)
    secret = new_token(session, marc, "a week", [Right.SEE], now + timedelta(days=7), now)
    assert find_token(session, secret, now + timedelta(days=7, seconds=-1)) is not None
    assert find_token(session, secret, now + timedelta(days=7)) is None
    with pytest.raises(Refused, match="ended already"):
        new_token(session, marc, "yesterday", [Right.SEE], now - timedelta(days=1), now)


def test_a_revoked_token_and_one_of_somebody_suspended_open_nothing(session: Session, marc: Actor) -> None:
    now = session_now(session)
    secret, other = a_token(session, marc), a_token(session, marc, name="the till")
    till, shop = list_tokens(session, marc.operator_id or 0)
    revoke_token(session, marc, shop.id, now)
    revoke_token(session, marc, shop.id, now)
    assert find_token(session, secret, now) is None
    assert find_token(session, other, now) is not None
    get_operator(session, marc.operator_id or 0).disabled_at = now
    assert find_token(session, other, now) is None
    assert list_tokens(session, marc.operator_id or 0) == [till]
    assert session.query(Action).filter(Action.what == "token revoke").count() == 1


def test_who_may_revoke_whose(session: Session, marc: Actor) -> None:
    a_token(session, marc)
    (token,) = list_tokens(session, marc.operator_id or 0)
    with pytest.raises(NotFound):
        revoke_token(session, person(session, Role.OPERATOR), token.id, session_now(session))
    revoke_token(session, person(session, Role.OWNER), token.id, session_now(session))
    assert token.revoked_at is not None
    with pytest.raises(NotFound):
        revoke_token(session, marc, 987, session_now(session))


def test_when_it_was_used_last_is_kept_to_the_minute(session: Session, marc: Actor) -> None:
    secret, now = a_token(session, marc), session_now(session)
    (token,) = list_tokens(session, marc.operator_id or 0)
    for seconds, noted in ((0, 0), (50, 0), (61, 61)):
        find_token(session, secret, now + timedelta(seconds=seconds))
        session.refresh(token)
        assert token.used_at == now + timedelta(seconds=noted)


@pytest.mark.parametrize("secret", ["", "sp_", "sp_nobody", "Bearer", "sp_\x00", "sp_é"])
def test_what_is_no_token_opens_nothing(session: Session, secret: str) -> None:
    assert find_token(session, secret, session_now(session)) is None


def test_nobody_at_the_machine_owns_a_token(session: Session) -> None:
    with pytest.raises(Refused, match="somebody with a login"):
        a_token(session, at_the_machine("tests"))
