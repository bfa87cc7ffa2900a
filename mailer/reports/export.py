"""All that is kept of one person, as plain values: what they may ask for (GDPR Art. 15 and 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import subscriber_of
from mailer.audience.suppression import last_suppression
from mailer.models import (
    Attempt,
    Campaign,
    CheckIn,
    Click,
    Consent,
    Course,
    Delivery,
    Enrollment,
    Event,
    Firing,
    MailingList,
    Message,
    PaceChange,
    SoftBounce,
    Step,
    Subscriber,
    Subscription,
    WaitingName,
    WebhookCall,
)

FORMAT = "steadypost person 1"


@dataclass(frozen=True)
class Profile:
    """What a person is to us now.

    `lists` are (list, state, since), `courses` (course, state, day of the last mail, next mail, enrollment).
    """

    person: Subscriber
    suppressed: str
    lists: tuple[tuple[str, str, datetime], ...]
    courses: tuple[tuple[str, str, int, datetime | None, int], ...]


def profile(session: Session, subscriber_id: int, now: datetime) -> Profile:
    """The profile of the subscriber of this id at `now`; raises UnknownPerson."""
    who = subscriber_of(session, subscriber_id)
    stopped = last_suppression(session, who.email)
    in_force = stopped is not None and (stopped.until is None or stopped.until > now)
    lists = session.execute(
        select(MailingList.slug, Subscription.state, Subscription.changed_at)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == who.id)
        .order_by(MailingList.slug)
    )
    courses = session.execute(
        select(Course.slug, Enrollment.state, Enrollment.last_day, Enrollment.next_due_at, Enrollment.id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == who.id)
        .order_by(Course.slug)
    )
    return Profile(
        who,
        stopped.reason if stopped is not None and in_force else "",
        tuple((slug, state, since) for slug, state, since in lists),
        tuple((slug, state, day, due, id_) for slug, state, day, due, id_ in courses),
    )


def export_person(session: Session, subscriber_id: int, now: datetime) -> dict[str, Any]:
    """Everything that is kept of this person at `now`; moments are ISO 8601 in UTC. Raises UnknownPerson.

    Of each mail its subject line as it was written; the text is in the person's own mailbox.
    """
    who = subscriber_of(session, subscriber_id)
    stopped = last_suppression(session, who.email)
    return {
        "format": FORMAT,
        "made_at": now.isoformat(),
        "person": _plain(who, but=("email_key",)),
        "suppression": None if stopped is None else _plain(stopped, but=("id", "email_hash")),
        "lists": _rows(
            session,
            select(MailingList.slug, MailingList.title, Subscription.state, Subscription.changed_at)
            .join(MailingList, MailingList.id == Subscription.list_id)
            .where(Subscription.subscriber_id == who.id)
            .order_by(Subscription.id),
        ),
        "consents": _rows(
            session,
            select(MailingList.slug.label("list"), Consent.kind, Consent.at, Consent.wording, Consent.source)
            .join(Subscription, Subscription.id == Consent.subscription_id)
            .join(MailingList, MailingList.id == Subscription.list_id)
            .where(Subscription.subscriber_id == who.id)
            .order_by(Consent.id),
        ),
        "names_that_wait": _rows(
            session,
            select(MailingList.slug.label("list"), WaitingName.name, WaitingName.at)
            .join(Subscription, Subscription.id == WaitingName.subscription_id)
            .join(MailingList, MailingList.id == Subscription.list_id)
            .where(Subscription.subscriber_id == who.id),
        ),
        **_courses(session, who.id),
        **_mails(session, who.id),
    }


def course_titles(session: Session, kept: Mapping[str, Any]) -> dict[str, str]:
    """The title of each course in what is kept of somebody, by its slug."""
    slugs = {one["course"] for part in ("courses", "triggers") for one in kept[part]}
    rows = session.execute(select(Course.slug, Course.title).where(Course.slug.in_(slugs)))
    return dict(rows.all())


def _courses(session: Session, who: int) -> dict[str, Any]:
    mine = Enrollment.subscriber_id == who
    enrollments = session.execute(
        select(Course.slug, Enrollment).join(Course, Course.id == Enrollment.course_id).where(mine)
    ).all()
    changes = select(
        *(Course.slug.label("course"), PaceChange.at, PaceChange.who, PaceChange.what),
        *(PaceChange.before, PaceChange.after, PaceChange.undone_at),
    )
    changes = changes.join(Enrollment, Enrollment.id == PaceChange.enrollment_id)
    answers = select(Course.slug.label("course"), CheckIn.week, CheckIn.times, CheckIn.answer, CheckIn.at)
    answers = answers.join(Enrollment, Enrollment.id == CheckIn.enrollment_id)
    to_course = (Course, Course.id == Enrollment.course_id)
    return {
        "courses": [
            {"course": slug, **_plain(one, but=("subscriber_id", "course_id"))} for slug, one in enrollments
        ],
        "pace_changes": _rows(session, changes.join(*to_course).where(mine).order_by(PaceChange.id)),
        "answers": _rows(session, answers.join(*to_course).where(mine).order_by(CheckIn.id)),
        "triggers": _rows(
            session,
            select(Course.slug.label("course"), Firing.trigger, Firing.at, Firing.result)
            .join(Course, Course.id == Firing.course_id)
            .where(Firing.subscriber_id == who),
        ),
    }


def _mails(session: Session, who: int) -> dict[str, Any]:
    mine = Delivery.subscriber_id == who
    mails = (
        select(
            *(Delivery.id, Delivery.kind, Delivery.source, Delivery.state, Delivery.reason, Delivery.because),
            func.coalesce(Step.key, Campaign.slug, Delivery.kind).label("mail"),
            *(Message.subject, Delivery.due_at, Delivery.settled_at, Delivery.code, Delivery.reply),
        )
        .outerjoin(Step, Step.id == Delivery.step_id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .outerjoin(Message, Message.id == Delivery.message_id)
        .where(mine)
        .order_by(Delivery.id)
    )
    attempts = select(*(Attempt.delivery_id, Attempt.at, Attempt.outcome, Attempt.code, Attempt.reply)).where(
        Attempt.delivery_id.in_(select(Delivery.id).where(mine))
    )
    clicks = select(
        *(Click.at, Click.delivery_id, Click.url, Click.method, Click.user_agent, Click.network),
        *(Click.verdict, Click.rules),
    ).where(Click.subscriber_id == who)
    events = select(Event.at, Event.kind, Event.delivery_id, Event.detail).where(Event.subscriber_id == who)
    soft = select(SoftBounce.bounces, SoftBounce.first_at).where(SoftBounce.subscriber_id == who)
    told = select(WebhookCall.at, WebhookCall.kind, WebhookCall.state, WebhookCall.body)
    return {
        "mails": _rows(session, mails),
        "attempts": _rows(session, attempts.order_by(Attempt.id)),
        "clicks": _rows(session, clicks.order_by(Click.id)),
        "soft_bounces": _rows(session, soft),
        "events": _rows(session, events.order_by(Event.at, Event.id)),
        "told_to_other_programs": _rows(
            session, told.where(WebhookCall.subscriber_id == who).order_by(WebhookCall.id)
        ),
    }


def _rows(session: Session, query: Any) -> list[dict[str, Any]]:
    return [{name: _value(value) for name, value in row._mapping.items()} for row in session.execute(query)]


def _plain(row: Any, but: Sequence[str] = ()) -> dict[str, Any]:
    names = (column.name for column in row.__table__.columns if column.name not in but)
    return {name: _value(getattr(row, name)) for name in names}


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date | time) else value
