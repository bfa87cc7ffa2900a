"""A test mail: one published step, to an address of the author's, outside every count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.audience.subscribers import get_subscriber
from mailer.clock import real_now
from mailer.delivery.claim import Claimed, read_setting
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts
from mailer.delivery.roster import get_transport, transports_of
from mailer.delivery.signing import Keyring
from mailer.delivery.transports.base import Email
from mailer.delivery.ways import DEFAULT
from mailer.errors import Refused
from mailer.links import Signer
from mailer.models import (
    BreakerState,
    Course,
    DeliveryKind,
    Lane,
    Sender,
    Step,
    Subscriber,
    Transport,
)
from mailer.schedule.place import StepPlan

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
    keyring: Keyring | None = None,
) -> Email:
    """The step as `as_email` would get it (or as a sample reader), addressed to `to`.

    Raises Refused for an unknown step, NotFound for an unknown person, BadAddress, CannotRender.
    """
    address, _ = normalise(to)
    person = (
        get_subscriber(session, as_email) if as_email else Subscriber(name="Ada", language=None, zone=None)
    )
    row = _as_claimed(session, course, step_key, person, now)._replace(email=address)
    setting = read_setting(session, [row])
    keys = keyring.keys_of(session, setting.senders.values()) if keyring else {}
    composer = Composer(signer, base_url, setting, course_facts(session, [row]), keys)
    return composer.compose(row, now)


def transport_for_test(session: Session, course: Course) -> Transport:
    """What a test mail of this course goes by: the heaviest of its sender's transports that is not out."""
    ways = [one for one, _ in transports_of(session, session.get_one(Sender, course.sender_id))]
    healthy = [one for one in ways if one.paused_at is None and one.state == BreakerState.CLOSED]
    return next(iter([*healthy, *ways]), None) or get_transport(session, DEFAULT)


def _as_claimed(
    session: Session, course: Course, step_key: str, person: Subscriber, now: datetime
) -> Claimed:
    """What a worker would have claimed, had this been a delivery."""
    step = session.execute(
        select(Step.id, Step.key, Step.day, Step.send_time, Step.message_id, Step.languages).where(
            Step.course_id == course.id, Step.key == step_key, Step.retired_at.is_(None)
        )
    ).one_or_none()
    if step is None:
        raise Refused(
            f"{course.slug} has no step {step_key!r}; `steadypost course show {course.slug}` lists them."
        )
    mail = StepPlan(
        step.id, step.key, step.day, step.send_time, step.message_id, languages=tuple(step.languages.items())
    )
    return Claimed(
        id=TEST_DELIVERY,
        kind=DeliveryKind.STEP,
        lane=Lane.COURSE,
        due_at=now,
        # The Message-ID is made of it, and mail programs show a second mail of the same id to nobody.
        created_at=real_now(),
        deferrals=0,
        cuts=0,
        crashes=0,
        subscriber_id=0,
        enrollment_id=None,
        course_id=course.id,
        step_id=step.id,
        list_id=course.list_id,
        message_id=mail.message_in(person.language),
        source=f"course:{course.id}",
        email=person.email or "",
        name=person.name or "",
        language=person.language,
        zone=person.zone,
        fields=person.fields or None,
        subscription_id=None,
    )
