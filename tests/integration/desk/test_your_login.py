"""What people do with their own login, and the second factor, over HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pyotp
import pytest
from sqlalchemy import select, update

from mailer.accounts.throttle import MOST, Try
from mailer.db import Sessions, session_scope
from mailer.models import Action, Operator, OperatorSession, RecoveryCode, Role
from mailer.settings import Settings
from tests.support.reader_pages import running_app
from tests.support.staff import PASSWORD, STAFF, Person, hire, signs_in

MARC = STAFF[Role.MARKETER][0]
NEW = "quite another way to get in"


def seed_on(page: str) -> pyotp.TOTP:
    found = re.search(r"<code>([A-Z2-7 ]{30,})</code>", page)
    assert found, page
    return pyotp.TOTP(found[1].replace(" ", ""))


def codes_on(page: str) -> list[str]:
    return re.findall(r"<li><code>([a-z0-9-]{19})</code></li>", page)


def turns_on_codes(marc: Person) -> tuple[pyotp.TOTP, list[str]]:
    """One-time codes are on; what makes them, and the recovery codes."""
    totp = seed_on(marc.post("/desk/you/codes", current=PASSWORD).text)
    return totp, codes_on(marc.post("/desk/you/codes/confirm", code=totp.now()).text)


def next_code(totp: pyotp.TOTP) -> str:
    """One that was not used yet: the next step's is taken already, since clocks drift."""
    import time

    return totp.at(time.time() + 30)


@pytest.fixture
def client(desk: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=desk) as browser:
        yield browser


@pytest.fixture
def gives_password(client: httpx.Client) -> Callable[[], Person]:
    """Marc at another browser, as far as the password takes him."""

    def give() -> Person:
        client.post("/desk/sign-in", data={"email": MARC, "password": PASSWORD})
        person = Person(Role.MARKETER, client)
        person.get("/desk")
        return person

    return give


def test_the_password_is_changed_and_other_browsers_are_signed_out(marc: Person, desk: str) -> None:
    elsewhere = signs_in(desk, Role.MARKETER)
    answer = marc.post("/desk/you/password", current=PASSWORD, new=NEW, again=NEW)
    assert "Your password is changed. You were signed out at 1 other place." in answer.text
    assert "Sign in" in elsewhere.get("/desk/you").text
    tried = httpx.post(f"{desk}/desk/sign-in", data={"email": MARC, "password": PASSWORD})
    assert tried.status_code == 422
    assert httpx.post(f"{desk}/desk/sign-in", data={"email": MARC, "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"current": "not the password"}, "current password is another one"),
        ({"again": "something else entirely"}, "not the same"),
        ({"new": "short", "again": "short"}, "at least 12"),
    ],
)
def test_a_password_is_not_changed_by_mistake(marc: Person, wrong: dict[str, str], words: str) -> None:
    answer = marc.post("/desk/you/password", **{"current": PASSWORD, "new": NEW, "again": NEW, **wrong})
    assert answer.status_code == 422
    assert words in answer.text
    assert "Your login" in marc.get("/desk/you").text


def test_name_zone_and_look(marc: Person) -> None:
    page = marc.post("/desk/you", name="Marc A.", zone="Europe/Lisbon", theme="dark").text
    assert "Times are in Europe/Lisbon" in page
    assert 'data-theme-choice="dark"' in page
    refused = marc.post("/desk/you", name="Marc", zone="Middle/Earth", theme="auto")
    assert (refused.status_code, "IANA" in refused.text) == (422, True)


def test_one_time_codes_and_recovery_codes_are_shown_once(marc: Person, sessions: Sessions) -> None:
    asked = marc.post("/desk/you/codes", current=PASSWORD)
    totp = seed_on(asked.text)
    assert 'src="data:image/svg+xml' in asked.text
    assert totp.secret not in marc.get("/desk/you").text
    codes = codes_on(marc.post("/desk/you/codes/confirm", code=totp.now()).text)
    assert len(set(codes)) == 10
    page = marc.get("/desk/you").text
    assert "10 left" in page
    assert not [code for code in codes if code in page]
    with session_scope(sessions) as session:
        kept = session.scalars(select(RecoveryCode.code_hash)).all()
        sealed = session.scalars(select(Operator.totp_sealed).where(Operator.email == MARC)).one()
        told = str(session.scalars(select(Action.detail)).all())
    assert {len(one) for one in kept} == {32}
    assert sealed
    assert totp.secret not in sealed
    assert not [secret for secret in (totp.secret, *codes) if secret in told]


def test_a_wrong_first_code_leaves_them_off_and_shows_the_picture_again(marc: Person) -> None:
    totp = seed_on(marc.post("/desk/you/codes", current=PASSWORD).text)
    answer = marc.post("/desk/you/codes/confirm", code="000000" if totp.now() != "000000" else "111111")
    assert answer.status_code == 422
    assert "This code does not fit" in answer.text
    assert seed_on(answer.text).secret == totp.secret
    assert "Set up one-time codes" in marc.get("/desk/you").text


def test_setting_up_codes_takes_the_password(marc: Person) -> None:
    answer = marc.post("/desk/you/codes", current="not the password")
    assert (answer.status_code, "image/svg+xml;" in answer.text) == (422, False)


def test_who_has_given_only_the_password_sees_only_the_second_step(
    marc: Person, gives_password: Callable[[], Person]
) -> None:
    totp, _ = turns_on_codes(marc)
    half = gives_password()
    for path in ("/desk", "/desk/you", "/desk/audit"):
        assert "Your second factor" in half.get(path).text, path
    assert half.post("/desk/you/codes/off", current=PASSWORD).url.path == "/desk/sign-in/factor"
    assert "does not fit" in half.post("/desk/sign-in/factor", code="12").text
    half.post("/desk/sign-in/factor", code=next_code(totp))
    assert "One-time codes" in half.get("/desk/you").text


def test_a_one_time_code_works_once(marc: Person, gives_password: Callable[[], Person], desk: str) -> None:
    totp, _ = turns_on_codes(marc)
    code = next_code(totp)
    gives_password().post("/desk/sign-in/factor", code=code)
    with httpx.Client(base_url=desk) as thief:
        thief.post("/desk/sign-in", data={"email": MARC, "password": PASSWORD})
        second = Person(Role.MARKETER, thief)
        second.get("/desk/sign-in/factor")
        assert "does not fit" in second.post("/desk/sign-in/factor", code=code).text


def test_a_recovery_code_stands_in_once(
    marc: Person, gives_password: Callable[[], Person], sessions: Sessions
) -> None:
    _, codes = turns_on_codes(marc)
    typed = codes[3].upper().replace("-", " ")
    gives_password().post("/desk/sign-in/factor", code=typed)
    assert "9 left" in marc.get("/desk/you").text
    half = gives_password()
    assert "does not fit" in half.post("/desk/sign-in/factor", code=typed).text
    with session_scope(sessions) as session:
        noted = session.scalars(select(Action).where(Action.what == "recovery code use")).one()
    assert (noted.who, noted.detail) == (MARC, {"left": 9})


def test_new_recovery_codes_end_the_old_ones(marc: Person, gives_password: Callable[[], Person]) -> None:
    _, old = turns_on_codes(marc)
    new = codes_on(marc.post("/desk/you/recovery-codes", current=PASSWORD).text)
    half = gives_password()
    assert "does not fit" in half.post("/desk/sign-in/factor", code=old[0]).text
    assert half.post("/desk/sign-in/factor", code=new[0]).url.path != "/desk/sign-in/factor"


def test_turning_codes_off_takes_the_recovery_codes_along(
    marc: Person, gives_password: Callable[[], Person], sessions: Sessions
) -> None:
    turns_on_codes(marc)
    assert "One-time codes are off" in marc.post("/desk/you/codes/off", current=PASSWORD).text
    assert "Your second factor" not in gives_password().get("/desk").text
    with session_scope(sessions) as session:
        assert session.scalars(select(RecoveryCode)).all() == []


def test_too_many_codes_are_told_in_a_plain_sentence(
    marc: Person, gives_password: Callable[[], Person]
) -> None:
    totp, _ = turns_on_codes(marc)
    half = gives_password()
    # Confirming the first code was a try at the second factor, too, and a success does not count.
    answers = [half.post("/desk/sign-in/factor", code="1") for _ in range(MOST[Try.FACTOR].amount + 1)]
    assert answers[-1].status_code == 429
    assert "There were too many tries. Wait 15 minutes, then try again." in answers[-1].text
    assert half.post("/desk/sign-in/factor", code=next_code(totp)).status_code == 429


def test_too_many_passwords_are_told_in_a_plain_sentence_whoever_asks(client: httpx.Client) -> None:
    for email in ("rea@example.org", "nobody-at-all@example.org"):
        for _ in range(MOST[Try.PASSWORD].amount):
            assert client.post("/desk/sign-in", data={"email": email, "password": "x"}).status_code == 422
        told = client.post("/desk/sign-in", data={"email": email, "password": PASSWORD})
        assert told.status_code == 429
        assert 0 < int(told.headers["retry-after"]) <= 900
        assert "There were too many tries. Wait 15 minutes, then try again." in told.text


def test_one_network_guesses_at_many_logins_in_vain(client: httpx.Client) -> None:
    far = {"X-Forwarded-For": "198.51.100.23"}
    tries = MOST[Try.NETWORK].amount
    for number in range(tries):
        client.post("/desk/sign-in", data={"email": f"{number}@guess.example", "password": "x"}, headers=far)
    refused = client.post("/desk/sign-in", data={"email": MARC, "password": PASSWORD}, headers=far)
    assert refused.status_code == 429
    assert client.post("/desk/sign-in", data={"email": MARC, "password": PASSWORD}).status_code == 303


def test_people_see_where_they_are_signed_in_and_end_it(marc: Person, desk: str, opal: Person) -> None:
    elsewhere = signs_in(desk, Role.MARKETER)
    page = marc.get("/desk/you").text
    (other,) = re.findall(r"/desk/you/sessions/(\d+)/end", page)
    opal.get("/desk/you")
    opal.post(f"/desk/you/sessions/{other}/end")
    assert "Your login" in elsewhere.get("/desk/you").text  # nobody ends somebody else's
    marc.post(f"/desk/you/sessions/{other}/end")
    assert "Sign in" in elsewhere.get("/desk/you").text
    again = signs_in(desk, Role.MARKETER)
    assert "signed out at 1 other place." in marc.post("/desk/you/sessions/others/end").text
    assert "Sign in" in again.get("/desk/you").text


def test_the_second_step_takes_ten_minutes_at_most(
    marc: Person, gives_password: Callable[[], Person], sessions: Sessions
) -> None:
    totp, _ = turns_on_codes(marc)
    half = gives_password()
    with session_scope(sessions) as session:
        session.execute(
            update(OperatorSession)
            .where(OperatorSession.needs_factor)
            .values(created_at=OperatorSession.created_at - timedelta(minutes=11))
        )
    assert half.post("/desk/sign-in/factor", code=next_code(totp)).url.path == "/desk/sign-in"


def test_an_owner_who_needs_a_second_factor_can_do_nothing_before(
    settings: Settings, sessions: Sessions
) -> None:
    hire(sessions)
    with running_app(settings.replace(second_factor="owner")) as address:
        owen, opal = signs_in(address, Role.OWNER), signs_in(address, Role.OPERATOR)
        assert "Audit log" in opal.get("/desk/audit").text
        for path in ("/desk/audit", "/desk/first-mail"):
            answer = owen.get(path)
            assert answer.url.path == "/desk/you"
            assert "Your role needs a second factor" in answer.text
        assert owen.post("/desk/first-mail").url.path == "/desk/you"
        turns_on_codes(owen)
        assert owen.get("/desk/audit").url.path == "/desk/audit"


def test_passkeys_say_what_they_need_where_they_cannot_be(marc: Person) -> None:
    assert "STEADYPOST_BASE_URL" in marc.get("/desk/you").text
    assert marc.post("/desk/you/passkeys/question").status_code == 422


@pytest.mark.parametrize("answer", ["", "{}", "[]", '{"id": 1}', '{"id":"a","rawId":"é","response":{}}'])
def test_what_is_no_passkey_signs_nobody_in(settings: Settings, sessions: Sessions, answer: str) -> None:
    hire(sessions, Role.MARKETER)
    with (
        running_app(settings.replace(base_url="http://localhost:8025")) as address,
        httpx.Client(base_url=address) as client,
    ):
        assert client.post("/desk/sign-in/passkey/question").json()["rpId"] == "localhost"
        tried = client.post("/desk/sign-in/passkey", data={"answer": answer})
        assert tried.status_code == 422
        assert "did not fit" in tried.text
        client.cookies.set("steadypost_passkey", "made up")
        assert client.post("/desk/sign-in/passkey", data={"answer": answer}).status_code == 422
