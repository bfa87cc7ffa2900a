"""People whose zone is another one from now on: what is worked out by their clock keeps to the new one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from mailer.audience.subscribers import Person, complete_subscriber
from mailer.db import among
from mailer.models import Enrollment, Subscriber
from mailer.schedule.campaigns import move_people, move_to_zone
from mailer.schedule.enroll import look_anew


def add_person(session: Session, person: Person, now: datetime) -> Subscriber:
    """`add_subscriber`; what somebody who was known already waits for keeps to a zone that is said now."""
    subscriber, is_moved = complete_subscriber(session, person)
    if is_moved:
        keep_to_zone(session, subscriber.id, subscriber.zone, now)
    return subscriber


def keep_to_zone(session: Session, subscriber_id: int, zone_name: str | None, now: datetime) -> None:
    """Have this reader's next lessons, and campaigns that go by local time, leave by the new zone's clock."""
    # The hour worked out for the next lesson was that of the old zone: the next tick decides anew.
    look_anew(session, Enrollment.subscriber_id == subscriber_id, now)
    move_to_zone(session, subscriber_id, zone_name, now)


def keep_to_zones(session: Session, subscriber_ids: Sequence[int], now: datetime) -> None:
    """The same for many at once, by the zones that they have now."""
    if subscriber_ids:
        look_anew(session, among(Enrollment.subscriber_id, subscriber_ids), now)
        move_people(session, subscriber_ids, now)
