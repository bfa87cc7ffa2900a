"""A course, its readers and the web application, for tests of the pages that a mail links to."""

from __future__ import annotations

import socket
import threading
import time as clock
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

import uvicorn
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.lists import Evidence, add_list
from mailer.audience.subscribers import Person
from mailer.feedback.record import confirm_subscription, leave
from mailer.links import Signer
from mailer.models import (
    Consent,
    Course,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Enrollment,
    Instance,
    MailingList,
    Message,
    OptIn,
    Sender,
    Step,
    StepKind,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from mailer.schedule.enroll import enroll
from mailer.schedule.signup import sign_up
from mailer.settings import Settings
from mailer.web.app import create_app

SECRET = "a secret for the pages, long enough to be one"
TITLE = "A calmer neck"
CONSENT = "Yes, please send me “A calmer neck”. I know that this says something about my health."
MAIL_HTML = (
    '<!doctype html><html lang="en"><head><title>Day 1</title><style>p {{ margin: 0 }}</style></head>'
    "<body><h1>{heading}</h1><p>{{{{ greeting }}}}</p></body></html>"
)


@dataclass(frozen=True)
class Reader:
    """Somebody who signed up, and the newest mail they got because of it."""

    id: int
    subscription_id: int
    delivery_id: int


@dataclass(frozen=True)
class Links:
    """The addresses in somebody's mails, as they were at `now`."""

    signer: Signer
    now: datetime

    def confirm(self, reader: Reader, *, days: int = 14) -> str:
        return "/confirm/" + self.signer.confirm_token(reader.subscription_id, self.now + timedelta(days))

    def mail(self, reader: Reader, page: str = "") -> str:
        return f"/m/{self.signer.delivery_token(reader.delivery_id)}{page}"

    def unsubscribe(self, reader: Reader) -> str:
        return self.mail(reader, "/unsubscribe")

    def manage(self, reader: Reader) -> str:
        return self.mail(reader, "/manage")

    def pace(self, reader: Reader) -> str:
        return self.mail(reader, "/pace")


def with_welcome(session: Session, reader: Reader) -> Reader:
    """The same reader, who got the welcome of their course and looks at that."""
    mail = session.scalars(
        select(Delivery).where(Delivery.subscriber_id == reader.id, Delivery.kind == DeliveryKind.WELCOME)
    ).one()
    mail.state, mail.settled_at = DeliveryState.ACCEPTED, mail.due_at
    return replace(reader, delivery_id=mail.id)


@dataclass(frozen=True)
class Standing:
    """How somebody stands with one list: what a page may change."""

    subscription: str
    enrollment: str
    round: int
    consents: tuple[str, ...]
    mails: int


def standing(session: Session, reader: Reader) -> Standing:
    """How this reader stands now."""
    subscription = session.get_one(Subscription, reader.subscription_id)
    enrollment = session.scalars(
        select(Enrollment)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == reader.id, Course.list_id == subscription.list_id)
    ).one()
    consents = session.scalars(
        select(Consent.kind).where(Consent.subscription_id == subscription.id).order_by(Consent.id)
    ).all()
    mails = session.scalars(select(Delivery.id).where(Delivery.subscriber_id == reader.id)).all()
    return Standing(
        subscription.state, enrollment.state, enrollment.round, tuple(map(str, consents)), len(mails)
    )


def stop_clock(session: Session, now: datetime) -> None:
    """Business time stands still at `now`."""
    session.merge(Instance(id=1, stepped_at=now))


def make_course(session: Session, slug: str = "neck", title: str = TITLE) -> Course:
    """A published course of two lessons, on days 1 and 3 at eight in London."""
    for name in ("confirm", "welcome"):
        if session.scalars(select(Message.id).where(Message.source == f"system/{name}")).first() is None:
            _message(session, f"system/{name}", name)
    sender = session.scalars(select(Sender)).first() or Sender(
        slug="room",
        name="The Reading Room",
        email="course@example.com",
        postal_address="12 Quiet Lane, Bristol",
    )
    session.add(sender)
    session.flush()
    list_ = add_list(session, slug, title, OptIn.DOUBLE, sender.id)
    course = Course(
        slug=slug,
        title=title,
        language="en",
        zone="Europe/London",
        days=3,
        consent=CONSENT,
        list_id=list_.id,
        sender_id=sender.id,
    )
    session.add(course)
    session.flush()
    for day in (1, 3):
        step = Step(
            course_id=course.id,
            key=f"day-{day}",
            kind=StepKind.LESSON,
            day=day,
            send_time=time(8),
            subject=f"Day {day}",
            source_digest="",
            message_id=_message(session, f"course/{slug}/day-{day}", f"Day {day}"),
        )
        session.add(step)
    session.flush()
    return course


def _message(session: Session, source: str, heading: str) -> int:
    message = Message(
        source=source,
        language="en",
        digest="",
        subject=heading,
        html=MAIL_HTML.format(heading=heading),
        text=f"{heading}\n\n{{{{ greeting }}}}\n",
    )
    session.add(message)
    session.flush()
    return message.id


def signs_up(
    session: Session,
    course: Course,
    now: datetime,
    *,
    email: str = "ada@example.org",
    name: str = "Ada Lovelace",
    language: str | None = None,
    zone: str | None = None,
    then: SubscriptionState = SubscriptionState.PENDING,
) -> Reader:
    """Somebody signs up to the course at `now`, and goes on as far as `then` says."""
    list_ = session.get_one(MailingList, course.list_id)
    person = Person(email, name, language, zone)
    subscription = sign_up(session, person, list_, Evidence(CONSENT, "test"), now)
    subscriber = session.get_one(Subscriber, subscription.subscriber_id)
    enroll(session, course, subscriber, now)
    if then != SubscriptionState.PENDING:
        confirm_subscription(session, subscription.id, "test", now)
    if then == SubscriptionState.ENDED:
        leave(session, subscriber.id, list_.id, source="test", now=now)
    delivery_id = session.scalars(
        select(Delivery.id)
        .where(Delivery.subscriber_id == subscriber.id, Delivery.list_id == list_.id)
        .order_by(Delivery.id.desc())
    ).first()
    assert delivery_id is not None
    return Reader(subscriber.id, subscription.id, delivery_id)


def gets_week(session: Session, reader: Reader, key: str, *, week: int, now: datetime) -> Reader:
    """The mail of this step, which becomes a week's, has just reached them; it is their newest."""
    enrollment = session.scalars(select(Enrollment).where(Enrollment.subscriber_id == reader.id)).one()
    step = session.scalars(select(Step).where(Step.course_id == enrollment.course_id, Step.key == key)).one()
    step.kind, step.week, enrollment.last_day = StepKind.PROTOCOL, week, step.day
    mail = outbox.NewDelivery(
        dedup_key=outbox.dedup_key(DeliveryKind.STEP, step.course_id, key, reader.id, enrollment.round),
        kind=DeliveryKind.STEP,
        subscriber_id=reader.id,
        message_id=step.message_id,
        list_id=session.get_one(Course, step.course_id).list_id,
        due_at=now,
        began_at=enrollment.created_at,
        course_id=step.course_id,
        step_id=step.id,
        enrollment_id=enrollment.id,
    )
    (delivery_id,) = outbox.write(session, [mail], now).values()
    delivery = session.get_one(Delivery, delivery_id)
    delivery.state, delivery.settled_at = DeliveryState.ACCEPTED, now
    enrollment.last_delivery_id = delivery_id
    return replace(reader, delivery_id=delivery_id)


@contextmanager
def running_app(settings: Settings, port: int = 0) -> Iterator[str]:
    """The web application on this port, or else on one of its own; its address."""
    config = uvicorn.Config(
        create_app(settings), log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # With its protocol named, or asyncio does not switch off Nagle's delay of 40 ms for its connections.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            clock.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
