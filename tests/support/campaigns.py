"""A campaign for tests: its file, its people, and its life by the same domain calls as the commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from mailer.audience.lists import add_list, get_list
from mailer.launch.campaign import look_ahead, put_draft, schedule
from mailer.launch.campaign_check import check_campaign
from mailer.models import OptIn, Subscriber, Subscription, SubscriptionState
from tests.support.house import House

SPRING = "spring"

FILE = """\
---
slug: spring
subject: "{subject}"
preheader: "A line beside it"
language: {language}
lists: [calm, letters]
disclaimer: "For learning only."
---
# {subject}

{{{{ greeting }}}}

{body}
"""


def write_campaign(
    folder: Path,
    name: str = "spring.md",
    *,
    subject: str = "Spring at the Reading Room",
    language: str = "en",
    body: str = "The windows are open again.",
) -> Path:
    """A campaign's file, for the lists calm and letters."""
    path = folder / name
    path.write_text(FILE.format(subject=subject, language=language, body=body), encoding="utf-8")
    return path


def add_letters(session: Session) -> None:
    """A second list beside the course's own."""
    add_list(session, "letters", "Letters", OptIn.SINGLE, get_list(session, "calm").sender_id)


def put_people(
    session: Session,
    numbers: Sequence[int],
    list_: str,
    now: datetime,
    state: SubscriptionState = SubscriptionState.ACTIVE,
) -> None:
    """reader1@reader.example and so on, on a list since the same moment, as after an import."""
    emails = [f"reader{number}@reader.example" for number in numbers]
    known = dict(
        session.execute(
            select(Subscriber.email_key, Subscriber.id).where(Subscriber.email_key.in_(emails))
        ).all()
    )
    new = [{"email": email, "email_key": email, "created_at": now} for email in emails if email not in known]
    if new:
        added = session.execute(insert(Subscriber).returning(Subscriber.email_key, Subscriber.id), new)
        known |= dict(added.all())
    id_ = get_list(session, list_).id
    rows = [
        {"subscriber_id": known[email], "list_id": id_, "state": state, "changed_at": now} for email in emails
    ]
    session.execute(insert(Subscription), rows)


def draft(session: Session, paths: Sequence[Path], now: datetime) -> None:
    """Check and draft; an error in the files is the test's own mistake."""
    compiled, problems = check_campaign(session, paths)
    assert compiled is not None, problems
    put_draft(session, compiled, now, who="ann")


def set_going(house: House, starts_at: datetime | None = None, slug: str = SPRING) -> None:
    """Send it, or schedule it for a moment."""
    with house.sessions.begin() as session:
        schedule(session, look_ahead(session, slug, house.at), starts_at or house.at, house.at, who="ann")
