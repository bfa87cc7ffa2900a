"""Somebody typed an address into a form of ours: perhaps its owner, perhaps not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.audience.forms import SOURCE, agreed_words, keep_name
from mailer.audience.lists import Evidence, find_subscription
from mailer.audience.subscribers import Person, add_subscriber
from mailer.audience.suppression import LIFTED_BY_CONFIRMING, find_suppression
from mailer.feedback.come_back import ASKED_AT_MOST, asked_since
from mailer.models import Course, MailingList, SignUpForm, Subscriber, SubscriptionState
from mailer.schedule import enroll
from mailer.schedule.signup import put_on_list


def sign_up_by_form(session: Session, form: SignUpForm, email: str, name: str, now: datetime) -> None:
    """Mail the owner of this address a link that puts them on the form's list, and into its courses.

    Whoever types it may be anybody: nothing that is known of the owner changes, and nothing comes back that
    would tell whether they are known. No mail goes to somebody who is on the list, whose address is stopped
    for good, or who was asked often enough today. Raises BadAddress.
    """
    _, key = normalise(email)
    stopped = find_suppression(session, email, now)
    if stopped is not None and stopped.reason not in LIFTED_BY_CONFIRMING:
        return
    known = session.execute(select(Subscriber).where(Subscriber.email_key == key)).scalar_one_or_none()
    subscriber = known or add_subscriber(session, Person(email, language=form.language))
    list_ = session.get_one(MailingList, form.list_id)
    if not _may_be_asked(session, subscriber, list_, now):
        return
    evidence = Evidence(wording=agreed_words(form), source=f"{SOURCE}{form.slug}")
    subscription = put_on_list(session, subscriber, list_, evidence, now, must_confirm=True)
    keep_name(session, subscription.id, name, now)
    courses = select(Course).where(Course.list_id == list_.id).order_by(Course.id)
    for course in session.execute(courses).scalars().all():
        enroll.enroll(session, course, subscriber, now)


def _may_be_asked(session: Session, subscriber: Subscriber, list_: MailingList, now: datetime) -> bool:
    subscription = find_subscription(session, subscriber.id, list_.id)
    if subscription is None:
        return True
    if subscription.state == SubscriptionState.ACTIVE:
        return False
    return asked_since(session, subscription.id, now - timedelta(days=1)) < ASKED_AT_MOST
