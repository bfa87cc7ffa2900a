"""What tests of canaries and A/B tests have in common: people at several domains, a file with settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select, update

from mailer.audience.lists import get_list
from mailer.db import session_scope
from mailer.models import (
    Click,
    Delivery,
    Message,
    Sender,
    Subscriber,
    Subscription,
    SubscriptionState,
    Verdict,
)
from mailer.outbox import campaign_source
from mailer.reports.campaigns import CampaignReport, describe_campaign
from mailer.schedule.campaigns import get_campaign
from tests.support.campaigns import SPRING, draft, write_campaign
from tests.support.house import House

LINKED = "The [windows](https://reading.example/windows) are open again."

TWO = 'variants:\n  b:\n    subject: "Windows open"\n'


def by(measure: str, more: str = "") -> str:
    """Two subjects, tested on half of the people by this measure for two hours."""
    return f"{TWO}test:\n  measure: {measure}\n  share: 50 %\n  wait: 2 hours\n{more}"


def redraft(house: House, folder: Path, settings: str, *, slug: str = SPRING) -> Path:
    """The campaign spring with these settings in its front matter."""
    path = write_campaign(folder, f"{slug}.md", body=LINKED)
    text = path.read_text(encoding="utf-8").replace("slug: spring", f"slug: {slug}")
    path.write_text(text.replace("disclaimer", f"{settings}disclaimer"), encoding="utf-8")
    with session_scope(house.sessions) as session:
        draft(session, [path], house.at)
    return path


def count_clicks(house: House, *, clicks: bool = True, opens: bool = False) -> None:
    with session_scope(house.sessions) as session:
        session.execute(update(Sender).values(track_clicks=clicks, track_opens=opens))


def put_at(house: House, **people: int) -> None:
    """So many people on calm at each domain: gmail_com=3 are three at gmail.com."""
    emails = [
        f"p{number}@{domain.replace('_', '.')}" for domain, many in people.items() for number in range(many)
    ]
    with session_scope(house.sessions) as session:
        new = [{"email": email, "email_key": email, "created_at": house.at} for email in emails]
        ids = session.execute(insert(Subscriber).returning(Subscriber.id), new).scalars().all()
        list_id = get_list(session, "calm").id
        rows = [
            {
                "subscriber_id": id_,
                "list_id": list_id,
                "state": SubscriptionState.ACTIVE,
                "changed_at": house.at,
            }
            for id_ in ids
        ]
        session.execute(insert(Subscription), rows)


def report(house: House, slug: str = SPRING) -> CampaignReport:
    """How the campaign stands; its counts are held against a recount, and its audience against its rows."""
    with session_scope(house.sessions) as session:
        found = describe_campaign(session, slug)
    assert house.miscounts() == []
    if found.statement.is_complete:
        assert (found.statement.missing, found.statement.duplicates) == (0, 0)
        assert found.statement.audience == found.row.audience
    return found


def phase(house: House) -> str:
    with session_scope(house.sessions) as session:
        return str(get_campaign(session, SPRING).phase)


def send_all(house: House) -> Counter[str]:
    """Send until nothing is due any more."""
    total: Counter[str] = Counter()
    while done := house.send():
        total.update(done)
    house.plan()
    return total


def later(house: House, **by_: int) -> Counter[str]:
    """Move the clock and send what is due then."""
    house.go_to(house.at + timedelta(**by_))
    house.plan()
    return send_all(house)


def subjects(house: House, state: str = "accepted") -> Counter[str]:
    """How many mails in this state have which subject."""
    with session_scope(house.sessions) as session:
        rows = session.execute(
            select(Message.subject)
            .join(Delivery, Delivery.message_id == Message.id)
            .where(Delivery.state == state)
        )
        return Counter(rows.scalars())


def click(house: House, subject: str, people: int, verdict: Verdict = Verdict.PERSON) -> None:
    """So many of those who got this subject follow its link."""
    with session_scope(house.sessions) as session:
        mails: Sequence[Delivery] = (
            session.execute(
                select(Delivery)
                .join(Message, Message.id == Delivery.message_id)
                .where(Message.subject == subject, Delivery.state == "accepted")
                .order_by(Delivery.id)
                .limit(people)
            )
            .scalars()
            .all()
        )
        assert len(mails) == people
        campaign = get_campaign(session, SPRING)
        session.add_all(
            Click(
                at=house.at,
                delivery_id=mail.id,
                subscriber_id=mail.subscriber_id,
                message_id=mail.message_id,
                source=campaign_source(campaign.id),
                link=0,
                url="https://reading.example/windows",
                method="GET",
                verdict=verdict,
            )
            for mail in mails
        )
