"""A claimed row becomes the mail that goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from mailer.clock import local_date, zone
from mailer.delivery.claim import Claimed
from mailer.delivery.transports.base import Email
from mailer.links import Signer
from mailer.models import DeliveryKind
from mailer.render.context import About, MailLinks, Reader, build_context, mail_links
from mailer.render.mime import Headers, build_mail
from mailer.render.personalize import Rendered, render

CONFIRM_WITHIN = timedelta(days=14)


@dataclass(frozen=True)
class CourseFacts:
    """What a mail says about its course."""

    title: str
    subtitle: str
    days: int
    zone: str
    mails: int
    first_day: int


@dataclass(frozen=True)
class Composer:
    """Makes mails. `courses` holds the facts of every course in the batch, by id."""

    signer: Signer
    base_url: str
    courses: Mapping[int, CourseFacts]

    def compose(self, row: Claimed, now: datetime) -> Email:
        """The finished mail for `row`, leaving at `now`; raises CannotRender."""
        course = self._course(row)
        links = self._links(row)
        mail = self.render(row)
        domain = row.sender_email.rpartition("@")[2]
        headers = Headers(
            message_id=message_id_of(row.created_at, row.id, domain),
            date=_local(now, row, course),
            sender_name=row.sender_name,
            sender_email=row.sender_email,
            reply_to=row.reply_to,
            recipient_name=row.name,
            recipient_email=row.email,
            list_id=f"{_list_label(row)}.{domain}",
            feedback_id=f"{row.message.id}:{row.lane}:{row.kind}:steadypost",
            unsubscribe_url=None if row.kind == DeliveryKind.CONFIRM else links.unsubscribe,
            language=row.message.language,
            # Lessons were asked for and carry a List-Id, which tells as much to whoever answers for itself.
            is_auto_submitted=row.kind != DeliveryKind.STEP,
        )
        content = build_mail(headers, subject=mail.subject, text=mail.text, html=mail.html)
        return Email(sender=row.sender_email, recipient=row.email, content=content)

    def render(self, row: Claimed) -> Rendered:
        """Subject, HTML and text of the mail for `row`; raises CannotRender."""
        context = build_context(
            Reader(row.email, row.name, row.language or row.message.language, row.fields),
            _about(row, self._course(row)),
            self._links(row),
            language=row.message.language,
            base_url=self.base_url,
        )
        return render(row.message.templates, context)

    def _course(self, row: Claimed) -> CourseFacts | None:
        return self.courses.get(row.course_id) if row.course_id else None

    def _links(self, row: Claimed) -> MailLinks:
        confirm_token = ""
        if row.kind == DeliveryKind.CONFIRM and row.subscription_id is not None:
            confirm_token = self.signer.confirm_token(row.subscription_id, row.due_at + CONFIRM_WITHIN)
        return mail_links(self.base_url, self.signer, row.id, confirm_token)


def message_id_of(created_at: datetime, delivery_id: int, domain: str) -> str:
    """A delivery's Message-ID, the same on every attempt.

    It is made of what never changes about the row, and of when that was written, so that a second
    installation does not use it again.
    """
    return f"<{int(created_at.timestamp() * 1_000_000):x}.{delivery_id}@{domain}>"


def _about(row: Claimed, course: CourseFacts | None) -> About:
    return About(
        list_title=row.list_title,
        sender_name=row.sender_name,
        sender_postal_address=row.postal_address,
        course_title=course.title if course else row.list_title,
        course_subtitle=course.subtitle if course else "",
        course_days=course.days if course else 0,
        course_mails=course.mails if course else 0,
        first_lesson_on=_first_lesson(row, course) if course else None,
    )


def _first_lesson(row: Claimed, course: CourseFacts) -> date:
    """The first lesson's day, as seen from a welcome that was due on day 0."""
    return local_date(row.due_at, row.zone or course.zone) + timedelta(days=course.first_day)


def _local(now: datetime, row: Claimed, course: CourseFacts | None) -> datetime:
    """`now` in the reader's zone, so that the mail's Date header bears their own hour."""
    name = row.zone or (course.zone if course else "Etc/UTC")
    return now.astimezone(zone(name)).replace(microsecond=0)


def _list_label(row: Claimed) -> str:
    """A name for the list that does not tell what somebody reads about their health."""
    return f"list-{row.list_id}"
