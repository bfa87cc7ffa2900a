"""What a reader receives, and what they say about themselves, changed without a login."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Enrollment, Subscriber, Subscription, SubscriptionState
from mailer.schedule.plan import plan_due
from tests.support.reader_pages import TITLE, Links, Reader, make_course, signs_up, standing


@pytest.fixture
def letters(sessions: Sessions, now: datetime, ada: Reader) -> Reader:
    """Ada is also on a second list."""
    with session_scope(sessions) as session:
        course = make_course(session, "letters", "Letters")
        return signs_up(session, course, now, then=SubscriptionState.ACTIVE)


def list_of(sessions: Sessions, reader: Reader) -> str:
    with sessions() as session:
        return str(session.get_one(Subscription, reader.subscription_id).list_id)


def ada_now(sessions: Sessions, reader: Reader) -> Subscriber:
    with sessions() as session:
        return session.get_one(Subscriber, reader.id)


def test_it_shows_what_its_mail_belongs_to_and_its_state(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader
) -> None:
    page = site.get(links.manage(ada)).text
    assert TITLE in page
    assert page.count("You get this") == 1
    assert "ada@example.org" not in page
    site.post(links.unsubscribe(ada))
    assert site.get(links.manage(ada)).text.count("Stopped") == 1


def test_a_forwarded_mail_does_not_tell_what_else_its_reader_gets(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    assert "Letters" not in site.get(links.manage(ada)).text
    form = {"action": "stop", "list": list_of(sessions, letters)}
    assert "Letters" not in site.post(links.manage(ada), data=form).text
    with sessions() as session:
        assert standing(session, letters).subscription == "active"


def test_stopping_one_list_leaves_the_other(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    form = {"action": "stop", "list": list_of(sessions, letters)}
    page = site.post(links.manage(letters), data=form)
    assert "“Letters” has stopped." in page.text
    with sessions() as session:
        assert standing(session, letters).subscription == "ended"
        assert standing(session, ada).subscription == "active"


def test_a_list_that_is_not_hers_is_left_alone(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    for number in ("", "0", "-1", "99999999999999999999", "ten", "\x00"):
        for action in ("stop", "again"):
            answer = site.post(links.manage(ada), data={"action": action, "list": number})
            assert answer.status_code == 200
    with sessions() as session:
        assert standing(session, ada).subscription == "active"


def test_stopping_everything(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    page = site.post(links.manage(ada), data={"action": "everything"})
    assert page.text.count("Stopped") == 1
    with sessions() as session:
        assert standing(session, ada).subscription == "ended"
        assert standing(session, letters).subscription == "ended"


def test_a_stopped_list_can_be_asked_for_again(
    site: httpx.Client, links: Links, ada: Reader, letters: Reader, sessions: Sessions
) -> None:
    site.post(links.unsubscribe(letters))
    page = site.post(links.manage(letters), data={"action": "again", "list": list_of(sessions, letters)})
    assert "is on its way" in page.text
    assert "Waits for you to confirm" in page.text
    with sessions() as session:
        assert standing(session, letters).subscription == "pending"


def test_name_language_and_zone_are_saved_and_the_page_speaks_the_new_language(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    form = {"action": "details", "name": "  Ada\r\nBcc: x ", "language": "de", "zone": "Asia/Tokyo"}
    page = site.post(links.manage(ada), data=form).text
    assert '<html lang="de"' in page
    assert "Gespeichert." in page
    assert '<option value="Asia/Tokyo" selected>Tokio</option>' in page
    # Seven in London is four in the afternoon in Tokyo.
    assert "16:00" in page
    ada_is = ada_now(sessions, ada)
    assert (ada_is.name, ada_is.language, ada_is.zone) == ("Ada Bcc: x", "de", "Asia/Tokyo")


def test_a_name_can_be_taken_back(site: httpx.Client, links: Links, ada: Reader, sessions: Sessions) -> None:
    form = {"action": "details", "name": "", "language": "en", "zone": "Europe/London"}
    assert "Saved." in site.post(links.manage(ada), data=form).text
    assert ada_now(sessions, ada).name == ""


def test_who_changes_only_their_name_gets_no_zone_and_no_language_that_they_never_chose(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    with session_scope(sessions) as session:
        who = session.get_one(Subscriber, ada.id)
        who.zone = who.language = None
    page = site.get(links.manage(ada)).text
    # What the page takes for theirs: the course's.
    shown = dict(re.findall(r'<input type="hidden" name="(shown_\w+)" value="([^"]*)">', page))
    assert shown == {"shown_zone": "Europe/London", "shown_language": "en"}
    form = {"action": "details", "name": "Ada", "language": "en", "zone": "Europe/London", **shown}
    assert "Saved." in site.post(links.manage(ada), data=form).text
    ada_is = ada_now(sessions, ada)
    assert (ada_is.name, ada_is.language, ada_is.zone) == ("Ada", None, None)
    site.post(links.manage(ada), data={**form, "zone": "Asia/Tokyo"})
    assert (ada_now(sessions, ada).language, ada_now(sessions, ada).zone) == (None, "Asia/Tokyo")


def test_the_next_lesson_moves_to_the_new_zone(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions, now: datetime
) -> None:
    form = {"action": "details", "name": "Ada", "language": "en", "zone": "Asia/Tokyo"}
    site.post(links.manage(ada), data=form)
    with session_scope(sessions) as session:
        plan_due(session, now)
        due = session.scalars(select(Enrollment.next_due_at).where(Enrollment.subscriber_id == ada.id)).one()
    # Eight o'clock on Tuesday in Tokyo is 23:00 UTC on Monday; in London it would have been 08:00 UTC.
    assert due == datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


def test_what_is_not_on_the_lists_is_not_saved(
    site: httpx.Client, links: Links, ada: Reader, sessions: Sessions
) -> None:
    for wrong in ({"zone": "Mars/Olympus"}, {"zone": "\x00"}, {"language": "xx"}, {"language": "fr"}):
        form = {"action": "details", "name": "Eve", "language": "en", "zone": "Europe/London", **wrong}
        page = site.post(links.manage(ada), data=form)
        assert page.status_code == 422
        assert "Nothing was saved." in page.text
    assert ada_now(sessions, ada).name == "Ada Lovelace"


def test_a_name_is_text_and_never_markup(site: httpx.Client, links: Links, ada: Reader) -> None:
    form = {"action": "details", "name": '"><script>1</script>', "language": "en", "zone": "Europe/London"}
    page = site.post(links.manage(ada), data=form).text
    assert "<script" not in page
