"""The list news with ten readers and its sender: what a campaign needs, and no more."""

from __future__ import annotations

from datetime import datetime

from mailer.audience.lists import add_list
from mailer.db import Sessions, session_scope
from mailer.models import OptIn, Sender
from tests.support.campaigns import put_people

BEGAN = datetime.fromisoformat("2026-03-02T08:00:00+00:00")


def set_up_news(sessions: Sessions) -> None:
    """Make them."""
    with session_scope(sessions) as session:
        sender = Sender(
            slug="news",
            name="The Reading Room",
            email="news@steadypost.example",
            reply_to="",
            postal_address="12 Quiet Lane, Bristol",
        )
        session.add(sender)
        session.flush()
        add_list(session, "news", "News", OptIn.SINGLE, sender.id)
        put_people(session, range(1, 11), "news", BEGAN)
