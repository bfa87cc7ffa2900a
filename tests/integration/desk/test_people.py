"""People: invitations, roles, suspending, and the last owner, who stays one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mailer.accounts.operators import find_operator
from mailer.accounts.people import change_role
from mailer.accounts.rights import at_the_machine
from mailer.db import Sessions, session_scope
from mailer.delivery.senders import add_sender
from mailer.errors import Refused
from mailer.models import Action, Invitation, Operator, Role
from mailer.settings import Settings
from tests.support.reader_pages import running_app
from tests.support.scripted_smtp import ScriptedSmtp, scripted_smtp
from tests.support.staff import PASSWORD, STAFF, Person, hire, signs_in

NINA = "nina@example.org"
SENDER = {"name": "The Reading Room", "email": "post@example.org", "postal_address": "12 Quiet Lane, Bristol"}


@pytest.fixture
def stranger(desk: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=desk, follow_redirects=True) as client:
        yield client


def link_on(page: str) -> str:
    """The path of the link that a page shows once."""
    found = re.search(r'value="[^"]*(/desk/join/[\w-]+)"', page)
    assert found, page
    return found[1]


def invites(owen: Person, email: str = NINA, role: str = "marketer") -> str:
    owen.get("/desk/people")
    return link_on(owen.post("/desk/people", current=PASSWORD, email=email, role=role).text)


def joins(client: httpx.Client, link: str, password: str = PASSWORD, again: str = "") -> httpx.Response:
    return client.post(link, data={"name": "Nina", "password": password, "again": again or password})


def id_of(sessions: Sessions, role: Role) -> int:
    with session_scope(sessions) as session:
        found = find_operator(session, STAFF[role][0])
        assert found is not None
        return found.id


def test_nina_is_invited_makes_her_login_and_is_in(owen: Person, stranger: httpx.Client) -> None:
    link = invites(owen)
    assert "owen@example.org invites you to work here as marketer" in stranger.get(link).text
    assert stranger.get(link).status_code == 200  # looking uses nothing up
    assert "Nina (marketer)" in joins(stranger, link).text
    page = owen.get("/desk/people").text
    assert NINA in page
    assert "Withdraw" not in page


def test_the_invitation_arrives_by_mail(settings: Settings, sessions: Sessions) -> None:
    hire(sessions, Role.OWNER)
    with session_scope(sessions) as session:
        add_sender(session, "news", SENDER, "tests")
    with (
        scripted_smtp() as server,
        running_app(settings.replace(smtp_url=server.url, base_url="http://mail.example")) as address,
    ):
        page = _invited_by_mail(server, address)
    assert "A mail with the link is on its way to nina@example.org" in page


def _invited_by_mail(server: ScriptedSmtp, address: str) -> str:
    owen = signs_in(address, Role.OWNER)
    owen.get("/desk/people")
    page = owen.post("/desk/people", current=PASSWORD, email=NINA, role="marketer").text
    (mail,) = server.mails
    assert mail["Subject"] == "You are invited to Steadypost at The Reading Room"
    assert server.recipients == [NINA]
    text = mail.get_content()
    assert "Owen invites you to work on the mails of" in text
    assert f"http://mail.example{link_on(page)}" in text
    return page


def test_a_mail_that_could_not_be_sent_leaves_the_link_to_be_copied(owen: Person) -> None:
    owen.get("/desk/people")
    page = owen.post("/desk/people", current=PASSWORD, email=NINA, role="marketer").text
    assert "was not sent, so hand it on yourself" in page
    assert "There is no sender yet" in page
    assert link_on(page)


def test_a_link_works_once(owen: Person, stranger: httpx.Client, desk: str) -> None:
    link = invites(owen)
    joins(stranger, link)
    with httpx.Client(base_url=desk) as second:
        late = joins(second, link, "another long password")
    assert (late.status_code, "This link was used" in late.text) == (404, True)


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [("short", "", "at least 12"), (PASSWORD, "something else", "not the same"), (NINA, "", "no password")],
)
def test_a_weak_password_uses_nothing_up(
    owen: Person, stranger: httpx.Client, password: str, again: str, words: str
) -> None:
    link = invites(owen)
    answer = joins(stranger, link, password, again)
    assert (answer.status_code, words in answer.text) == (422, True)
    assert joins(stranger, link).status_code == 200


def test_a_link_runs_out_is_withdrawn_or_is_replaced_by_a_newer_one(
    owen: Person, stranger: httpx.Client, sessions: Sessions
) -> None:
    first, second = invites(owen), invites(owen)
    assert stranger.get(first).status_code == 404
    (invitation,) = re.findall(r"/desk/people/invitations/(\d+)/withdraw", owen.get("/desk/people").text)
    owen.post(f"/desk/people/invitations/{invitation}/withdraw")
    assert stranger.get(second).status_code == 404
    third = invites(owen)
    with session_scope(sessions) as session:
        session.execute(update(Invitation).values(expires_at=Invitation.expires_at - timedelta(days=7)))
    assert joins(stranger, third).status_code == 404
    assert stranger.get("/desk/join/made-up").status_code == 404


def test_only_a_hash_of_the_link_is_kept(owen: Person, sessions: Sessions) -> None:
    secret = invites(owen).rpartition("/")[2]
    with session_scope(sessions) as session:
        kept = session.execute(select(Invitation)).scalar_one()
        told = str([(one.what, one.detail) for one in session.scalars(select(Action))])
    assert len(kept.token_hash) == 32
    assert secret not in told
    assert "user invite" in told


def test_who_has_a_login_is_not_invited(owen: Person) -> None:
    owen.get("/desk/people")
    answer = owen.post("/desk/people", current=PASSWORD, email="MARC@example.org", role="reader")
    assert (answer.status_code, "has a login already" in answer.text) == (422, True)
    assert owen.post("/desk/people", current=PASSWORD, email=NINA, role="emperor").status_code == 422


def test_a_role_changes_with_the_next_page(owen: Person, marc: Person, sessions: Sessions) -> None:
    assert marc.get("/desk/people").status_code == 403
    owen.get("/desk/people")
    answer = owen.post(f"/desk/people/{id_of(sessions, Role.MARKETER)}/role", current=PASSWORD, role="owner")
    assert "marc@example.org is owner from now on" in answer.text
    assert marc.get("/desk/people").status_code == 200


def test_the_last_owner_stays_one(owen: Person, sessions: Sessions) -> None:
    myself = id_of(sessions, Role.OWNER)
    owen.get("/desk/people")
    for act, fields in (("role", {"role": "operator"}), ("suspend", {}), ("remove", {})):
        answer = owen.post(f"/desk/people/{myself}/{act}", current=PASSWORD, **fields)
        assert answer.status_code == 422, act
        assert "last owner" in answer.text or "yourself" in answer.text, act
    owen.post(f"/desk/people/{id_of(sessions, Role.OPERATOR)}/role", current=PASSWORD, role="owner")
    answer = owen.post(f"/desk/people/{myself}/role", current=PASSWORD, role="operator")
    assert "is operator from now on" in answer.text


def test_two_owners_who_demote_each_other_at_once_leave_one(sessions: Sessions) -> None:
    hire(sessions, Role.OWNER, Role.OPERATOR)
    with session_scope(sessions) as session:
        change_role(session, at_the_machine("tests"), _id(session, Role.OPERATOR), Role.OWNER)
        both = [_id(session, role) for role in (Role.OWNER, Role.OPERATOR)]

    def demote(who: int) -> bool:
        try:
            with session_scope(sessions) as session:
                change_role(session, at_the_machine("tests"), who, Role.READER)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(demote, both))
    assert sorted(done) == [False, True]


def _id(session: Session, role: Role) -> int:
    found = find_operator(session, STAFF[role][0])
    assert found is not None
    return found.id


def test_who_is_suspended_is_out_at_once_and_can_be_let_in_again(
    owen: Person, marc: Person, desk: str, sessions: Sessions
) -> None:
    them = id_of(sessions, Role.MARKETER)
    owen.get("/desk/people")
    assert "cannot sign in" in owen.post(f"/desk/people/{them}/suspend").text
    assert "Sign in" in marc.get("/desk/you").text
    sign_in = {"email": STAFF[Role.MARKETER][0], "password": PASSWORD}
    assert httpx.post(f"{desk}/desk/sign-in", data=sign_in).status_code == 422
    assert "can sign in again" in owen.post(f"/desk/people/{them}/restore").text
    assert httpx.post(f"{desk}/desk/sign-in", data=sign_in).status_code == 303


def test_a_login_is_removed_and_what_was_done_stays(owen: Person, sessions: Sessions) -> None:
    them = id_of(sessions, Role.MARKETER)
    owen.get("/desk/people")
    assert "The login of marc@example.org is gone" in owen.post(f"/desk/people/{them}/remove").text
    with session_scope(sessions) as session:
        assert session.get(Operator, them) is None
        what = session.scalars(select(Action.what)).all()
    assert "user remove" in what


def test_a_new_password_by_link_signs_out_everywhere_and_still_takes_the_second_factor(
    owen: Person, marc: Person, stranger: httpx.Client, sessions: Sessions
) -> None:
    them = id_of(sessions, Role.MARKETER)
    with session_scope(sessions) as session:
        session.execute(
            update(Operator)
            .where(Operator.id == them)
            .values(totp_since=Operator.created_at, totp_sealed="sealed")
        )
    owen.get("/desk/people")
    link = link_on(owen.post(f"/desk/people/{them}/password", current=PASSWORD).text)
    answer = joins(stranger, link, "a new and better password")
    assert answer.url.path == "/desk/sign-in/factor"
    assert "Sign in" in marc.get("/desk/you").text
    owen.get("/desk/people")
    assert "password alone" in owen.post(f"/desk/people/{them}/factor", current=PASSWORD).text


@pytest.mark.parametrize("act", ["factor", "password"])
def test_an_owner_changes_their_own_way_in_at_their_own_page_alone(
    owen: Person, sessions: Sessions, act: str
) -> None:
    owen.get("/desk/people")
    answer = owen.post(f"/desk/people/{id_of(sessions, Role.OWNER)}/{act}", current=PASSWORD)
    assert answer.status_code == 422
    assert "at Your login" in answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/desk/people", {"email": NINA, "role": "owner"}),
        ("/desk/people/{marc}/role", {"role": "owner"}),
        ("/desk/people/{marc}/factor", {}),
        ("/desk/people/{marc}/password", {}),
        ("/desk/tokens", {"name": "shop", "right_see": "yes"}),
    ],
)
def test_a_browser_that_was_left_open_lets_nobody_in(
    owen: Person, marc: Person, sessions: Sessions, path: str, fields: dict[str, str]
) -> None:
    owen.get("/desk/people")
    answer = owen.post(path.format(marc=id_of(sessions, Role.MARKETER)), current="a wrong guess", **fields)
    assert answer.status_code == 422
    assert "Your current password is another one" in answer.text
