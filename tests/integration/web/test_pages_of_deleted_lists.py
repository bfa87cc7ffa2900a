"""Old mails of a list that was deleted: their pages say so, and offer nothing that does not work."""

from __future__ import annotations

import httpx
import pytest

from mailer.audience.lists import get_list
from mailer.db import Sessions, business_now, session_scope
from mailer.feedback.record import leave
from mailer.models import Subscription
from tests.support.reader_pages import TITLE, Links, Reader

AGAIN = "Sign up again"
GONE = f"“{TITLE}” no longer exists, so nobody can sign up for it any more."


@pytest.fixture
def gone(sessions: Sessions, ada: Reader) -> Reader:
    """Ada was on the list until it was deleted."""
    with session_scope(sessions) as session:
        list_, now = get_list(session, "neck"), business_now(session)
        leave(session, ada.id, list_.id, source="list removed", now=now)
        list_.slug, list_.removed_at = f"neck~{list_.id}", now
    return ada


def test_the_way_back_is_not_offered_where_there_is_none(
    site: httpx.Client, links: Links, gone: Reader
) -> None:
    for page in (site.get(links.unsubscribe(gone)), site.post(links.unsubscribe(gone))):
        assert (page.status_code, GONE in page.text, AGAIN in page.text) == (200, True, False)
    page = site.get(links.manage(gone))
    assert "This list no longer exists" in page.text
    assert AGAIN not in page.text
    assert ">Stop</button>" not in page.text
    assert "Stop everything from us" in page.text


def test_who_presses_it_on_a_page_from_before_is_told(
    site: httpx.Client, links: Links, gone: Reader, sessions: Sessions
) -> None:
    page = site.post(links.mail(gone, "/resubscribe"))
    assert page.status_code == 200
    assert "<h1>This list no longer exists</h1>" in page.text
    assert GONE in page.text
    with sessions() as session:
        list_id = session.get_one(Subscription, gone.subscription_id).list_id
    page = site.post(links.manage(gone), data={"action": "again", "list": str(list_id)})
    assert (page.status_code, GONE in page.text) == (200, True)


def test_a_confirmation_says_so_too(site: httpx.Client, links: Links, gone: Reader) -> None:
    page = site.get(links.confirm(gone)).text
    assert GONE in page
    assert "please sign up where you did" not in page
