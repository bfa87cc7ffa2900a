"""A mail to one person: a delivery like all others, sent once, and never to who wants none."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, select

from mailer.db import Sessions, session_scope
from mailer.models import Delivery, KeptAnswer, Lane, Message
from tests.integration.api.conftest import Program
from tests.integration.api.test_how_the_api_works import kind
from tests.support.cast import ADA, BEN
from tests.support.house import House
from tests.support.scripted_smtp import ScriptedSmtp

RECEIPT = {"subject": "Your order", "markdown": "# Your order\n\n{{ greeting }}\n\nIt is on its way."}
TO_ADA = {"to": {"email": ADA, "name": "Ada"}, "list": "calm"}


@pytest.fixture
def shop_of_house(house: House, shop: Program) -> Program:
    """The program, with the course "calm" and its sender there."""
    return shop


def test_a_mail_of_its_own_text_is_sent_once_however_often_it_is_asked_for(
    shop_of_house: Program, house: House, sessions: Sessions
) -> None:
    shop = shop_of_house
    first = shop.post("/mails", TO_ADA | RECEIPT, key="order 12")
    again = shop.post("/mails", TO_ADA | RECEIPT, key="order 12")
    assert (first.status_code, again.json()) == (202, first.json())
    house.send()
    row = shop.get(f"/deliveries/{first.json()['delivery_id']}").json()
    assert (row["mail"], row["state"], row["email"]) == ("mail", "accepted", ADA)
    with session_scope(sessions) as session:
        assert session.execute(select(func.count()).select_from(Delivery)).scalar_one() == 1
        assert session.execute(select(Delivery.lane)).scalar_one() == Lane.TRANSACTIONAL
    # It is nobody's list: the course's own statement does not know it.
    assert shop.get("/deliveries", course="calm").json()["items"] == []
    (hers,) = shop.get("/deliveries", subscriber=row["subscriber_id"]).json()["items"]
    assert hers["id"] == row["id"]


def test_a_key_that_is_forgotten_is_another_mails_key(
    shop_of_house: Program, house: House, sessions: Sessions
) -> None:
    shop = shop_of_house
    first = shop.post("/mails", TO_ADA | RECEIPT, key="reset ada")
    with session_scope(sessions) as session:
        session.execute(delete(KeptAnswer))  # as after its 24 hours
    later = shop.post("/mails", TO_ADA | RECEIPT | {"subject": "Another reset"}, key="reset ada")
    assert later.json()["delivery_id"] != first.json()["delivery_id"]
    house.send()
    assert house.states() == {"accepted": 2}


def test_mails_that_have_not_left_are_cancelled_by_filter_or_id_and_never_more_than_were_seen(
    shop_of_house: Program,
) -> None:
    shop = shop_of_house
    ids = [shop.post("/mails", TO_ADA | RECEIPT, key=f"{n}").json()["delivery_id"] for n in range(3)]
    hers = {"act": "cancel", "ids": ids}
    too_many = shop.post("/deliveries/act", hers | {"at_most": 2})
    assert too_many.status_code == 422
    assert "more than the 2" in too_many.json()["detail"]
    one = shop.post("/deliveries/act", {"act": "cancel", "ids": ids[:1], "at_most": 1, "because": "late"})
    assert one.json() == {"changed": 1, "is_done": True, "act": None}
    assert shop.post("/deliveries/act", hers | {"at_most": 3}).json()["changed"] == 2
    assert shop.get(f"/deliveries/{ids[0]}").json()["state"] == "cancelled"
    # Nothing named would mean every mail.
    assert shop.post("/deliveries/act", {"act": "cancel", "at_most": 3}).status_code == 422


def test_it_says_why_one_gets_it_and_has_nothing_to_unsubscribe_from(
    shop_of_house: Program, house: House, server: ScriptedSmtp
) -> None:
    shop_of_house.post("/mails", TO_ADA | RECEIPT)
    house.send()
    (mail,) = server.mails
    assert mail["Subject"] == "Your order"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None
    plain = mail.get_body(("plain",))
    assert plain is not None
    text = " ".join(plain.get_content().split())
    assert "because of something that you did with us" in text
    assert "unsubscribe" not in text.lower()


def test_a_template_is_kept_and_sent_in_its_readers_language(
    shop_of_house: Program, sessions: Sessions
) -> None:
    shop = shop_of_house
    assert shop.send("PUT", "/templates/receipt", RECEIPT).json() == {"name": "receipt", "languages": ["en"]}
    german = {"subject": "Ihre Bestellung", "markdown": "# Ihre Bestellung\n\nUnterwegs.", "language": "de"}
    shop.send("PUT", "/templates/receipt", german)
    assert shop.get("/templates").json()["items"] == [{"name": "receipt", "languages": ["de", "en"]}]
    ben = {"to": {"email": BEN, "language": "de-AT"}, "list": "calm", "template": "receipt"}
    sent = shop.post("/mails", ben).json()
    with session_scope(sessions) as session:
        subject = select(Message.subject).join(Delivery, Delivery.message_id == Message.id)
        chosen = subject.where(Delivery.id == sent["delivery_id"])
        assert session.execute(chosen).scalar_one() == "Ihre Bestellung"
    assert kind(shop.post("/mails", TO_ADA | {"template": "nothing"})) == "not-found"


def test_who_wants_no_mail_at_all_gets_none_of_these_either(shop_of_house: Program, house: House) -> None:
    shop = shop_of_house
    shop.post("/suppressions", {"emails": [ADA]})
    sent = shop.post("/mails", TO_ADA | RECEIPT).json()
    house.send()
    row = shop.get(f"/deliveries/{sent['delivery_id']}").json()
    assert (row["state"], row["reason"]) == ("suppressed", "manual")


def test_what_was_written_for_somebody_goes_with_them(shop_of_house: Program, sessions: Sessions) -> None:
    shop = shop_of_house
    sent = shop.post("/mails", TO_ADA | RECEIPT).json()
    assert shop.send("DELETE", f"/subscribers/{sent['subscriber_id']}").json() == {"mails": 1, "lists": 0}
    with session_scope(sessions) as session:
        left = select(func.count()).where(Message.source.startswith("mail/"))
        assert session.execute(left).scalar_one() == 0


def test_what_cannot_be_a_mail_is_told(shop_of_house: Program) -> None:
    shop = shop_of_house
    for wrong in ({}, RECEIPT | {"template": "receipt"}, {"subject": "Only this"}):
        assert kind(shop.post("/mails", TO_ADA | wrong)) == "bad-request", wrong
    broken = shop.post("/mails", TO_ADA | {"subject": "x", "markdown": "# x\n\n{{ nmae }}"})
    assert kind(broken) == "faulty-files"
    assert broken.json()["problems"][0]["line"] == 3
    shop.send("PUT", "/lists/bare", {"title": "No sender"})
    assert "no sender" in shop.post("/mails", TO_ADA | {"list": "bare"} | RECEIPT).json()["detail"]


def test_a_program_counts_before_it_acts_and_touches_nothing_that_came_since(shop_of_house: Program) -> None:
    shop = shop_of_house
    shop.post("/mails", TO_ADA | RECEIPT, key="1")
    weighed = shop.post("/deliveries/weigh", {"act": "cancel", "lane": "transactional"}).json()
    assert weighed["total"] == sum(weighed["counts"].values()) > 0
    late = shop.post("/mails", TO_ADA | RECEIPT, key="2").json()["delivery_id"]
    asked = {"act": "cancel", "lane": "transactional", "at_most": 10, "seen_at": weighed["seen_at"]}
    assert shop.post("/deliveries/act", asked).json()["changed"] == weighed["total"]
    assert shop.get(f"/deliveries/{late}").json()["state"] == "planned"


@pytest.mark.parametrize("path", ["/lists/a%00b", "/deliveries?lane=course&reason=a%00b"])
def test_what_cannot_be_kept_is_refused_and_no_fault_of_ours(shop: Program, path: str) -> None:
    answer = shop.get(path)
    assert (answer.status_code, kind(answer)) == (422, "refused")
    assert answer.headers["Cache-Control"] == "private, no-store"
