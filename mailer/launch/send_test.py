"""A test mail: one published step, to an address of the author's, outside every count."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.audience.subscribers import get_subscriber
from mailer.clock import real_now
from mailer.delivery.claim import Claimed
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts
from mailer.delivery.messages import published
from mailer.delivery.transports.base import Email
from mailer.errors import Refused
from mailer.links import Signer
from mailer.models import Course, DeliveryKind, Lane, MailingList, Sender, Step, Subscriber

TEST_DELIVERY = 0
"""The id in a test mail's links. Their pages say that it was a test, and change nothing."""


def compose_test(
    session: Session,
    course: Course,
    step_key: str,
    *,
    to: str,
    as_email: str | None,
    signer: Signer,
    base_url: str,
    now: datetime,
) -> Email:
    """The step as `as_email` would get it (or as a sample reader), addressed to `to`.

    Raises Refused for an unknown step, NotFound for an unknown person, BadAddress, CannotRender.
    """
    address, _ = normalise(to)
    person = (
        get_subscriber(session, as_email) if as_email else Subscriber(name="Ada", language=None, zone=None)
    )
    row = replace(_as_claimed(session, course, step_key, person, now), email=address)
    mail = Composer(signer, base_url, course_facts(session, [row])).compose(row, now)
    return replace(mail, recipient=address)


def _as_claimed(
    session: Session, course: Course, step_key: str, person: Subscriber, now: datetime
) -> Claimed:
    """What a worker would have claimed, had this been a delivery."""
    message_id = session.execute(
        select(Step.message_id).where(
            Step.course_id == course.id, Step.key == step_key, Step.retired_at.is_(None)
        )
    ).scalar_one_or_none()
    if message_id is None:
        raise Refused(
            f"{course.slug} has no step {step_key!r}; `steadypost course show {course.slug}` lists them."
        )
    sender = session.get_one(Sender, course.sender_id)
    return Claimed(
        id=TEST_DELIVERY,
        token=uuid.UUID(int=0),
        kind=DeliveryKind.STEP,
        lane=Lane.COURSE,
        due_at=now,
        # The Message-ID is made of it, and mail programs show a second mail of the same id to nobody.
        created_at=real_now(),
        deferrals=0,
        cuts=0,
        crashes=0,
        subscriber_id=0,
        subscription_id=None,
        enrollment_id=None,
        course_id=course.id,
        email=person.email or "",
        name=person.name or "",
        language=person.language,
        zone=person.zone,
        fields=person.fields or {},
        message=published(session, {message_id})[message_id],
        list_id=course.list_id,
        list_title=session.get_one(MailingList, course.list_id).title,
        sender_name=sender.name,
        sender_email=sender.email,
        reply_to=sender.reply_to,
        postal_address=sender.postal_address,
    )
