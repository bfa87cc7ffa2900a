"""The page of API tokens."""

from __future__ import annotations

import re

from mailer.accounts.rights import Right
from mailer.accounts.sessions import session_now
from mailer.accounts.tokens import find_token
from mailer.db import Sessions, session_scope
from tests.support.staff import PASSWORD, Person


def makes(person: Person, **fields: str) -> str:
    person.get("/desk/tokens")
    page = person.post("/desk/tokens", current=PASSWORD, **{"name": "the shop", "lasts": "90", **fields}).text
    found = re.search(r'id="secret" value="(sp_[\w-]{43})"', page)
    assert found, page
    return found[1]


def rights_of(sessions: Sessions, secret: str) -> frozenset[Right]:
    with session_scope(sessions) as session:
        found = find_token(session, secret, session_now(session))
    assert found is not None
    return found.rights


def test_a_token_is_shown_once_and_may_what_was_ticked(marc: Person, sessions: Sessions) -> None:
    secret = makes(marc, right_see="yes", right_audience="yes")
    assert rights_of(sessions, secret) == {Right.SEE, Right.AUDIENCE}
    page = marc.get("/desk/tokens").text
    assert secret not in page
    assert secret[:7] in page


def test_a_role_stands_for_all_that_it_may(opal: Person, sessions: Sessions) -> None:
    secret = makes(opal, role="marketer", right_run="yes", lasts="")
    assert rights_of(sessions, secret) == set(Right) - {Right.MANAGE}
    assert "until revoked" in opal.get("/desk/tokens").text


def test_what_somebody_may_not_is_not_offered_and_not_given(marc: Person) -> None:
    assert "right_manage" not in marc.get("/desk/tokens").text
    for fields in ({"right_manage": "yes"}, {"role": "owner"}, {}, {"right_see": "yes", "lasts": "4000"}):
        answer = marc.post("/desk/tokens", current=PASSWORD, **{"name": "too much", "lasts": "90", **fields})
        assert answer.status_code == 422, fields
        assert "sp_" not in answer.text
        assert 'value="too much"' in answer.text


def test_only_its_owner_and_who_manages_people_revoke_a_token(
    marc: Person, opal: Person, owen: Person, sessions: Sessions
) -> None:
    secret = makes(marc, right_see="yes")
    (token,) = re.findall(r"/desk/tokens/(\d+)/revoke", marc.get("/desk/tokens").text)
    assert secret[:7] not in opal.get("/desk/tokens").text
    assert opal.post(f"/desk/tokens/{token}/revoke").status_code == 404
    assert "marc@example.org" in owen.get("/desk/tokens").text
    assert "opens nothing any more" in owen.post(f"/desk/tokens/{token}/revoke").text
    with session_scope(sessions) as session:
        assert find_token(session, secret, session_now(session)) is None
