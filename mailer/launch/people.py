"""What follows when something about a person is changed by somebody who works here, or a program."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.audience.subscribers import Changes, change_subscriber, subscriber_of
from mailer.models import Subscriber
from mailer.schedule.moving import keep_to_zone


def change_person(session: Session, subscriber_id: int, changes: Changes, now: datetime) -> Subscriber:
    """Change what is known of somebody; lessons and local campaigns keep to a new zone from the next one on.

    Raises UnknownPerson, UnknownZone or Refused.
    """
    subscriber = subscriber_of(session, subscriber_id)
    if change_subscriber(session, subscriber, changes):
        keep_to_zone(session, subscriber_id, subscriber.zone, now)
    return subscriber
