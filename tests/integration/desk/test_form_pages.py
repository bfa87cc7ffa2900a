"""Marc makes sign-up forms: words, consent, a page and a snippet."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Action, SignUpForm, Subscription
from tests.support.reader_pages import make_course
from tests.support.staff import Person

FORM = {
    "slug": "neck-page",
    "list": "neck",
    "title": "A calmer neck",
    "words": "Three letters.\r\n\r\nNo cost.",
    "consent": "Yes, please.",
    "language": "en",
    "is_health": "yes",
}


@pytest.fixture(autouse=True)
def course(sessions: Sessions) -> None:
    with session_scope(sessions) as session:
        make_course(session)


def form_now(sessions: Sessions) -> SignUpForm:
    with sessions() as session:
        return session.scalars(select(SignUpForm)).one()


def test_marc_adds_a_form_and_it_is_open(marc: Person, desk: str, sessions: Sessions) -> None:
    assert "There is no form yet" in marc.get("/desk/forms").text
    page = marc.post("/desk/forms", **FORM).text
    assert "Added neck-page" in page
    assert "/f/neck-page" in page
    form = form_now(sessions)
    assert (form.words, form.is_health, form.asks_name) == ("Three letters.\n\nNo cost.", True, False)
    assert "A calmer neck" in httpx.get(f"{desk}/f/neck-page").text
    with sessions() as session:
        assert "form add" in session.scalars(select(Action.what)).all()


def test_what_is_wrong_is_said_and_what_was_typed_stays(marc: Person) -> None:
    marc.get("/desk/forms")
    for wrong, words in [
        ({"slug": "Neck Page"}, "small letters"),
        ({"title": " "}, "needs a title"),
        ({"consent": ""}, "evidence of consent"),
        ({"words": "x" * 2001}, "2,000 characters"),
        ({"language": "tlh"}, "one of these languages"),
        ({"list": "nowhere"}, "There is no list"),
    ]:
        page = marc.post("/desk/forms", **{**FORM, **wrong})
        assert page.status_code == 422
        assert words in page.text
        assert wrong.get("title", "A calmer neck") in page.text


def test_marc_changes_closes_and_opens_it(marc: Person, desk: str, sessions: Sessions) -> None:
    marc.get("/desk/forms")
    marc.post("/desk/forms", **FORM)
    assert "Changed." in marc.post("/desk/forms/neck-page", **{**FORM, "title": "Another title"}).text
    assert form_now(sessions).title == "Another title"
    assert marc.post("/desk/forms/neck-page", **{**FORM, "consent": ""}).status_code == 422
    assert "closed" in marc.post("/desk/forms/neck-page/close").text
    assert httpx.get(f"{desk}/f/neck-page").status_code == 410
    assert "Open again" in marc.post("/desk/forms/neck-page/open").text
    assert "There is a form neck-page already" in marc.post("/desk/forms", **FORM).text


class Fields(HTMLParser):
    """The form of a page: where it goes to, and the names of its fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.names, self.tags = "", set[str](), set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.action = values.get("action") or self.action
        self.names |= {values["name"] or ""} if "name" in values else set()


def test_the_snippet_is_plain_html_that_signs_people_up(marc: Person, desk: str, sessions: Sessions) -> None:
    marc.get("/desk/forms")
    page = marc.post("/desk/forms", **{**FORM, "consent": 'Yes, <b>"please"</b>.', "asks_name": "yes"}).text
    snippet = unescape(page.partition("readonly")[2].partition(">")[2].partition("</textarea>")[0])
    read = Fields(snippet)
    assert read.tags == {"form", "p", "label", "input", "button"}
    assert "<b>" not in snippet
    assert read.names == {"email", "name", "website", "agree"}
    path = read.action.partition("/f/")[2]
    fields = {"email": "eva@example.org", "agree": "yes", "name": "", "website": ""}
    elsewhere = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"}
    assert httpx.post(f"{desk}/f/{path}", data=fields, headers=elsewhere).status_code == 303
    with sessions() as session:
        assert session.scalars(select(Subscription.state)).one() == "pending"


def test_rea_sees_forms_and_changes_none(marc: Person, rea: Person) -> None:
    marc.get("/desk/forms")
    marc.post("/desk/forms", **FORM)
    assert "neck-page" in rea.get("/desk/forms").text
    assert "Close it" not in rea.get("/desk/forms/neck-page").text
