"""Mails that programs send to one person because of something that they did: a receipt, a reset.

Each is a delivery like all others: one row, one journal, the transactional lane, suppression asked as it
leaves. It takes no subscription, and never goes to an address that is suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mailer import outbox
from mailer.audience.erasing import written_for
from mailer.audience.lists import get_list
from mailer.audience.subscribers import Person, tidy_language
from mailer.content.campaign_file import CampaignSource
from mailer.content.compile import CompiledMessage, compile_mail
from mailer.content.course_words import SLUG
from mailer.errors import NotFound, Refused
from mailer.i18n import fallback_chain
from mailer.launch.asked import refuse_faulty
from mailer.launch.messages import put_message
from mailer.models import DeliveryKind, MailingList, Message
from mailer.schedule.moving import add_person
from mailer.schedule.signup import refuse_without_sender

TEMPLATES = "mail/template/"
"""What the sources of templates begin with; those written for one person have theirs in `erasing`."""


@dataclass(frozen=True)
class Text:
    """A mail as a program writes it: Markdown with the variables that every mail may use."""

    subject: str
    markdown: str
    preheader: str = ""
    language: str = "en"

    def compiled(self) -> CompiledMessage:
        """The compiled mail; raises FaultyFiles with every error, or Refused."""
        source = CampaignSource(
            path=Path("mail.md"),
            slug="mail",
            subject=self.subject,
            preheader=self.preheader,
            language=tidy_language(self.language),
            lists=(),
            sender="",
            disclaimer="",
            body=self.markdown,
            body_line=1,
        )
        message, problems = compile_mail(source)
        refuse_faulty("The mail", problems)
        assert message is not None  # noqa: S101
        return message


@dataclass(frozen=True)
class Template:
    """A mail that is kept, to be sent by its name: the languages that it is there in."""

    name: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Sent:
    """A mail that was put in the outbox."""

    delivery_id: int
    subscriber_id: int


def put_template(session: Session, name: str, text: Text) -> int:
    """Keep a mail under a name; returns its message, a new one if it changed. Raises FaultyFiles, Refused."""
    if not SLUG.fullmatch(name):
        raise Refused(f"{name!r} is no name for a template; use small letters, digits and hyphens.")
    return put_message(session, f"{TEMPLATES}{name}", text.compiled())


def list_templates(session: Session, after: str = "", limit: int | None = None) -> list[Template]:
    """All of them, by their names; or `limit` at most, those after the name `after`."""
    rows = session.execute(
        select(Message.source, func.array_agg(Message.language.distinct()))
        .where(Message.source.startswith(TEMPLATES, autoescape=True), Message.source > f"{TEMPLATES}{after}")
        .group_by(Message.source)
        .order_by(Message.source)
        .limit(limit)
    )
    return [Template(source.removeprefix(TEMPLATES), tuple(sorted(tags))) for source, tags in rows]


def get_template(session: Session, name: str) -> Template:
    """The one of this name; raises NotFound."""
    asked = select(Message.language).where(Message.source == f"{TEMPLATES}{name}").distinct()
    languages = sorted(session.scalars(asked))
    if not languages:
        raise NotFound(f"There is no template {name!r}; put one first.")
    return Template(name, tuple(languages))


def send_mail(session: Session, person: Person, list_slug: str, what: str | Text, now: datetime) -> Sent:
    """Put one mail to `person` in the outbox; it comes from the sender of a list.

    `what` is a template's name, or a text of its own. Each call is a mail: who asks again by accident is
    known by their request's key, whose answer is kept in the same transaction. Raises NotFound,
    FaultyFiles, BadAddress or Refused.
    """
    list_ = get_list(session, list_slug)
    refuse_without_sender(list_)
    who = add_person(session, person, now)
    if isinstance(what, Text):
        message_id = put_message(session, written_for(who.id), what.compiled())
    else:
        message_id = _template(session, what, who.language or "en")
    return Sent(_write(session, list_, who.id, message_id, now), who.id)


def _write(session: Session, list_: MailingList, subscriber_id: int, message_id: int, now: datetime) -> int:
    key = outbox.dedup_key(DeliveryKind.MAIL, list_.id, uuid4().hex, subscriber_id)
    row = outbox.NewDelivery(
        dedup_key=key,
        kind=DeliveryKind.MAIL,
        subscriber_id=subscriber_id,
        message_id=message_id,
        list_id=list_.id,
        due_at=now,
        began_at=now,
    )
    return outbox.write(session, [row], now)[key]


def _template(session: Session, name: str, language: str) -> int:
    """The newest version of a template in the nearest language, or in any; raises NotFound."""
    rows: Sequence[tuple[str, int]] = [
        (tag, id_)
        for tag, id_ in session.execute(
            select(Message.language, Message.id)
            .where(Message.source == f"{TEMPLATES}{name}")
            .order_by(Message.id)
        )
    ]
    if not rows:
        raise NotFound(f"There is no template {name!r}; put one first.")
    newest = dict(rows)
    for tag in fallback_chain(language):
        if tag in newest:
            return newest[tag]
    return rows[-1][1]
