"""One person: what is known of them, what they agreed to, and what they were sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer.audience.subscribers import get_subscriber
from mailer.audience.suppression import find_suppression
from mailer.clock import zone
from mailer.db import business_now
from mailer.models import (
    Campaign,
    Consent,
    Course,
    Delivery,
    Enrollment,
    MailingList,
    Step,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)

WHY_NOT_MAILED = {
    SuppressionReason.HARD_BOUNCE: "their mailbox refused a mail for good",
    SuppressionReason.SOFT_BOUNCE: "their mailbox was full, or could not be reached, again and again",
    SuppressionReason.COMPLAINT: "they reported a mail as spam",
    SuppressionReason.EVERYTHING: "they unsubscribed from everything",
    SuppressionReason.MANUAL: "an operator stopped it",
}


@dataclass(frozen=True)
class PersonReport:
    """Everything about somebody, with moments written in their own zone, or else in their course's.

    `lists` are (list, state, since), `consents` (what happened, list, when, by which way, in which
    words), `courses` (course, state, day of the last mail planned, next mail, why it ended) and
    `mails` (mail, due, state, reason).
    """

    email: str
    name: str
    language: str | None
    zone: str | None
    tags: list[str]
    fields: dict[str, Any]
    suppressed: str
    lists: list[tuple[str, str, str]]
    consents: list[tuple[str, str, str, str, str]]
    courses: list[tuple[str, str, int, str, str]]
    mails: list[tuple[str, str, str, str]]

    def as_values(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def describe_person(session: Session, email: str) -> PersonReport:
    """The report about the subscriber of this address; raises UnknownPerson or BadAddress."""
    who = get_subscriber(session, email)
    return PersonReport(
        email=who.email,
        name=who.name,
        language=who.language,
        zone=who.zone,
        tags=who.tags,
        fields=who.fields,
        suppressed=_why_suppressed(find_suppression(session, who.email, business_now(session)), who.zone),
        lists=_lists(session, who),
        consents=_consents(session, who),
        courses=_courses(session, who),
        mails=_mails(session, who),
    )


def _why_suppressed(suppression: Suppression | None, zone_name: str | None) -> str:
    if suppression is None:
        return ""
    why = WHY_NOT_MAILED[SuppressionReason(suppression.reason)]
    said = f" ({suppression.detail})" if suppression.detail else ""
    until = f", until {_local(suppression.until, zone_name)}" if suppression.until else ""
    return f"{why} on {_local(suppression.at, zone_name)}{until}{said}"


def _lists(session: Session, who: Subscriber) -> list[tuple[str, str, str]]:
    rows = session.execute(
        select(MailingList.slug, Subscription.state, Subscription.changed_at)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == who.id)
        .order_by(MailingList.slug)
    )
    return [(slug, state, _local(since, who.zone)) for slug, state, since in rows]


def _consents(session: Session, who: Subscriber) -> list[tuple[str, str, str, str, str]]:
    rows = session.execute(
        select(Consent.kind, MailingList.slug, Consent.at, Consent.source, Consent.wording)
        .join(Subscription, Subscription.id == Consent.subscription_id)
        .join(MailingList, MailingList.id == Subscription.list_id)
        .where(Subscription.subscriber_id == who.id)
        .order_by(Consent.at, Consent.id)
    )
    return [(kind, slug, _local(at, who.zone), source, words) for kind, slug, at, source, words in rows]


def _courses(session: Session, who: Subscriber) -> list[tuple[str, str, int, str, str]]:
    rows = session.execute(
        select(
            Course.slug,
            Course.zone,
            Enrollment.state,
            Enrollment.last_day,
            Enrollment.next_due_at,
            Enrollment.reason,
            Enrollment.ended_at,
        )
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == who.id)
        .order_by(Course.slug)
    )
    return [
        (
            row.slug,
            row.state,
            row.last_day,
            _local(row.next_due_at, who.zone or row.zone),
            f"{row.reason} on {_local(row.ended_at, who.zone or row.zone)}" if row.reason else "",
        )
        for row in rows
    ]


def _mails(session: Session, who: Subscriber) -> list[tuple[str, str, str, str]]:
    rows = session.execute(
        select(
            func.coalesce(Step.key, Campaign.slug, Delivery.kind).label("mail"),
            Course.zone,
            Delivery.due_at,
            Delivery.state,
            Delivery.reason,
        )
        .outerjoin(Step, Step.id == Delivery.step_id)
        .outerjoin(Campaign, Campaign.id == Delivery.campaign_id)
        .outerjoin(Course, Course.id == Delivery.course_id)
        .where(Delivery.subscriber_id == who.id)
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [(row.mail, _local(row.due_at, who.zone or row.zone), row.state, row.reason) for row in rows]


def _local(moment: datetime | None, zone_name: str | None) -> str:
    """A moment as people in this zone read their clocks, with the zone beside it."""
    if moment is None:
        return "-"
    return moment.astimezone(zone(zone_name or "Etc/UTC")).strftime("%Y-%m-%d %H:%M %Z")
