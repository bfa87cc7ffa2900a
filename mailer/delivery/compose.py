"""A claimed row becomes the mail that goes over the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from mailer.clock import local_date, zone
from mailer.delivery.claim import Claimed, SenderFacts, Setting
from mailer.delivery.messages import Published
from mailer.delivery.transports.base import Email
from mailer.links import Signer
from mailer.models import DeliveryKind
from mailer.render.context import NOTHING_SAID, About, MailLinks, Reader, build_context, mail_links
from mailer.render.dkim import DkimKey, sign
from mailer.render.fast import build_fast
from mailer.render.mime import Headers
from mailer.render.personalize import CannotRender, Rendered, Templates, render
from mailer.render.tracking import NO_TRACKING, tracked

CONFIRM_WITHIN = timedelta(days=14)
UNTRACKED = (DeliveryKind.CONFIRM, DeliveryKind.WELCOME, DeliveryKind.MAIL, DeliveryKind.DATA)
WITHOUT_UNSUBSCRIBE = (DeliveryKind.CONFIRM, DeliveryKind.MAIL, DeliveryKind.DATA)
"""There is nothing to leave: no list yet, or none at all."""


@dataclass(frozen=True)
class CourseFacts:
    """What a mail says about its course."""

    title: str
    subtitle: str
    days: int
    zone: str
    mails: int
    first_day: int
    weeks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Composer:
    """Makes mails.

    `setting` holds what they have in common, `courses` the facts of their courses by id, `keys` the DKIM keys
    that sign for a sender, by its id, `said` what was answered to check-ins, by enrollment and week.
    """

    signer: Signer
    base_url: str
    setting: Setting
    courses: Mapping[int, CourseFacts]
    keys: Mapping[int, Sequence[DkimKey]] = field(default_factory=dict)
    said: Mapping[int, Mapping[int, str]] = field(default_factory=dict)

    def compose(self, row: Claimed, now: datetime) -> Email:
        """The finished mail for `row`, leaving at `now`; raises CannotRender."""
        sender = self._sender(row)
        message = self.setting.messages[row.message_id]
        links = self._links(row)
        domain = sender.email.rpartition("@")[2]
        headers = Headers(
            message_id=message_id_of(row.created_at, row.id, domain),
            date=_local(now, row, self._course(row)),
            sender_name=sender.name,
            sender_email=sender.email,
            reply_to=sender.reply_to,
            recipient_name=row.name,
            recipient_email=row.email,
            # A name for the list that does not tell what somebody reads about their health.
            list_id=f"list-{row.list_id}.{domain}",
            feedback_id=f"{message.id}:{row.lane}:{row.kind}:steadypost",
            unsubscribe_url=None if row.kind in WITHOUT_UNSUBSCRIBE else links.unsubscribe,
            language=message.language,
            # Lessons were asked for and carry a List-Id, which tells as much to whoever answers for itself.
            is_auto_submitted=row.kind in UNTRACKED,
        )
        content = build_fast(
            _templates(row, sender, message), self._context(row, sender, message, links), headers
        )
        content = sign(content, self.keys.get(sender.id, ()), now)
        return Email(sender.email, row.email, content, has_dot_lines=False)

    def render(self, row: Claimed) -> Rendered:
        """Subject, HTML and text of the mail for `row`; raises CannotRender."""
        message = self.setting.messages[row.message_id]
        sender = self._sender(row)
        context = self._context(row, sender, message, self._links(row))
        return render(_templates(row, sender, message), context)

    def _context(
        self, row: Claimed, sender: SenderFacts, message: Published, links: MailLinks
    ) -> dict[str, object]:
        return build_context(
            Reader(row.email, row.name, row.language or message.language, row.fields or {}),
            self._about(row, sender),
            links,
            language=message.language,
            base_url=self.base_url,
            said=self.said.get(row.enrollment_id or 0, NOTHING_SAID),
            is_repeat=row.kind == DeliveryKind.REPEAT,
        )

    def _sender(self, row: Claimed) -> SenderFacts:
        sender = self.setting.sender_of(row)
        if sender is None:
            raise CannotRender("the list has no sender")
        return sender

    def _course(self, row: Claimed) -> CourseFacts | None:
        return self.courses.get(row.course_id) if row.course_id else None

    def _links(self, row: Claimed) -> MailLinks:
        confirm_token = ""
        if row.kind == DeliveryKind.CONFIRM and row.subscription_id is not None:
            confirm_token = self.signer.confirm_token(row.subscription_id, row.due_at + CONFIRM_WITHIN)
        return mail_links(self.base_url, self.signer, row.id, confirm_token)

    def _about(self, row: Claimed, sender: SenderFacts) -> About:
        course = self._course(row)
        title = self.setting.list_titles[row.list_id]
        if course is None:
            return About(title, sender.name, sender.postal_address, course_title=title)
        return About(
            list_title=title,
            sender_name=sender.name,
            sender_postal_address=sender.postal_address,
            course_title=course.title,
            course_subtitle=course.subtitle,
            course_days=course.days,
            course_mails=course.mails,
            course_weeks=course.weeks,
            first_lesson_on=_first_lesson(row, course),
        )


def _templates(row: Claimed, sender: SenderFacts, message: Published) -> Templates:
    """The message as it is for this sender: what is never tracked are test mails and our own mails."""
    if sender.tracking is NO_TRACKING or not row.id or row.kind in UNTRACKED:
        return message.templates
    return tracked(message.templates, message.links, sender.tracking)


def message_id_of(created_at: datetime, delivery_id: int, domain: str) -> str:
    """A delivery's Message-ID, the same on every attempt.

    It is made of what never changes about the row, and of when that was written, so that a second
    installation does not use it again.
    """
    return f"<{int(created_at.timestamp() * 1_000_000):x}.{delivery_id}@{domain}>"


def _first_lesson(row: Claimed, course: CourseFacts) -> date:
    """The first lesson's day, as seen from a welcome that was due on day 0."""
    return local_date(row.due_at, row.zone or course.zone) + timedelta(days=course.first_day)


def _local(now: datetime, row: Claimed, course: CourseFacts | None) -> datetime:
    """`now` in the reader's zone, so that the mail's Date header bears their own hour."""
    name = row.zone or (course.zone if course else "Etc/UTC")
    return now.astimezone(zone(name)).replace(microsecond=0)
