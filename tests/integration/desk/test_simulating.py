"""Marc lives through a course for readers he chooses: written down, in a file, or some who are here."""

from __future__ import annotations

import re
from html import unescape

import pytest

from mailer.audience.subscribers import Person as PersonOf
from mailer.audience.subscribers import add_subscriber
from mailer.content.draft_store import Drafts
from mailer.db import Sessions, session_scope
from mailer.models import Subscriber
from tests.support.cast import step_file
from tests.support.course_desk import upload
from tests.support.staff import Person

PEOPLE = "email,zone,gap\nada@example.org,Europe/Berlin,\nben@example.org,Asia/Tokyo,7\n"


@pytest.fixture
def ahead(calm: str, marc: Person) -> str:
    marc.get(f"{calm}/simulate")
    return f"{calm}/simulate"


def test_people_who_are_written_down_are_lived_through_and_kept_nowhere(
    marc: Person, sessions: Sessions, ahead: str
) -> None:
    page = marc.post(ahead, start="2027-03-01", people=PEOPLE).text
    # hello 1, rest 2, walk 4: Ada's on 2, 3 and 5 March; Ben's a week apart, on 8, 15 and 22 March.
    assert "Fri 2027-03-05 08:00 CET" in page
    assert "Mon 2027-03-22 08:00 JST" in page
    assert "As written" not in page
    assert "ada@example.org,Europe/Berlin" in page
    with session_scope(sessions) as session:
        assert session.query(Subscriber).count() == 0
    file = marc.post(ahead, start="2027-03-01", people=PEOPLE, take="csv").text
    assert file.startswith("\ufeffreader,at,their time,step,subject,why")
    assert file.count("ben@example.org,") == 3


def test_a_file_of_any_encoding_stands_in_the_field_afterwards(marc: Person, ahead: str) -> None:
    people = "email;name;zone\nada@example.org;Zoë;Europe/Berlin\n".encode("utf-16")
    page = upload(marc, ahead, "people.csv", people, start="2027-03-01")
    assert "Fri 2027-03-05 08:00 CET" in page
    assert "ada@example.org;Zoë" in page


WRONG = (
    ("email\nada@example.org\nnobody\n", "people.csv:3: "),
    ("email,gap\nada@example.org,900\n", "people.csv:2: "),
    ("email,zone\nada@example.org,Mars/North\n", "people.csv:2: "),
    ("name\nAda\n", "people.csv"),
    ("email\n", "has no people"),
    ("email\nada@example.org\nada@example.org\n", "more than once"),
    ("email\n" + "".join(f"p{at}@example.org\n" for at in range(101)), "101 people; up to 100"),
)


@pytest.mark.parametrize(("people", "said"), WRONG)
def test_what_is_wrong_is_said_where_it_was_written(marc: Person, ahead: str, people: str, said: str) -> None:
    answer = marc.post(ahead, people=people)
    assert answer.status_code == 422
    assert said in answer.text
    assert people.strip().splitlines()[-1] in answer.text
    assert 'aria-invalid="true"' in answer.text


def test_a_day_at_the_calendars_end_is_refused(marc: Person, ahead: str) -> None:
    enrolled = "email,enrolled_at\nada@example.org,9999-12-31T12:00:00-08:00\n"
    answers = [
        marc.post(ahead, start="9999-12-31", people=PEOPLE),
        marc.post(ahead, start="2027-03-01", people=enrolled),
        marc.get(ahead, start="0001-01-01"),
    ]
    assert [(one.status_code, "This day is too far off" in one.text) for one in answers] == [(422, True)] * 3


def test_some_who_are_here_get_it_as_their_tags_say(
    marc: Person, rea: Person, sessions: Sessions, drafts: Drafts, ahead: str
) -> None:
    stroll = step_file("walk", 4).replace("key: walk", 'key: stroll\nwhen: tag "tired"\ninstead_of: walk')
    (drafts.folder("calm") / "04-stroll.md").write_text(stroll)
    with session_scope(sessions) as session:
        for number in range(12):
            add_subscriber(session, PersonOf(f"p{number:02}@example.org", tags=("keen",)))
        add_subscriber(session, PersonOf("ada@example.org", tags=("keen", "tired"), zone="Asia/Tokyo"))
        add_subscriber(session, PersonOf("cleo@example.org", tags=("tired",)))
    page = marc.post(ahead, start="2027-03-01", who='tag "tired"', take="csv").text
    assert [line.split(",")[0] for line in page.splitlines() if "stroll" in line] == [
        "ada@example.org",
        "cleo@example.org",
    ]
    rea.get(ahead)
    page = rea.post(ahead, who='tag "keen"').text
    # The first ten; of them eight are in the chart.
    assert "p09@example.org" in page
    assert "p10@example.org" not in page
    assert "The first 8 of 10." in page
    assert "Nobody meets this rule." in marc.post(ahead, who='tag "nobody"').text
    assert 'value="tag keen"' in marc.post(ahead, who="tag keen").text


def test_each_mail_is_shown_as_its_reader_would_get_it(marc: Person, drafts: Drafts, ahead: str) -> None:
    (drafts.folder("calm") / "01-hello.md").write_text(step_file("hello", 1, "Hello {{ first_name }}"))
    page = marc.post(ahead, start="2027-03-01", people="email,name\nada@example.org,Ada <3\n").text
    reader, mail = _asked(page, "reader"), _asked(page, "mail")
    assert "ada@" not in reader
    shown = marc.get(f"{ahead}/mail", reader=reader, mail=mail).text
    assert "<h1>Hello Ada</h1>" in shown
    assert "As ada@example.org would get it at" in shown
    frame = marc.get(f"{ahead}/frame", reader=reader, mail=mail, dark="yes")
    assert "Hello Ada" in frame.text
    assert "sandbox" in frame.headers["Content-Security-Policy"]
    (drafts.folder("calm") / "01-hello.md").unlink()
    assert "There is no step" in marc.get(f"{ahead}/mail", reader=reader, mail=mail).text


@pytest.mark.parametrize("reader", ["", "rubbish", "gAAAAAB"])
def test_an_address_that_is_not_ours_shows_nothing(marc: Person, ahead: str, reader: str) -> None:
    assert marc.get(f"{ahead}/mail", reader=reader, mail="hello x first").status_code == 404


def _asked(page: str, name: str) -> str:
    """The first value that the page would ask for by this name."""
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found
    return unescape(found[1])
