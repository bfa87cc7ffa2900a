"""Sign-up forms as visitors and those who work here see them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.forms import get_form
from mailer.models import Course, MailingList, Sender, SignUpForm
from mailer.seen import seen_of


@dataclass(frozen=True)
class FormPage:
    """A form with the title of its list, and who its mails come from."""

    form: SignUpForm
    list_title: str
    list_slug: str
    sender_name: str

    @property
    def is_closed(self) -> bool:
        """Whether nobody signs up by it any more."""
        return self.form.closed_at is not None

    @property
    def shown(self) -> tuple[object, ...]:
        """What its author changes of it."""
        one = self.form
        words = one.title, one.words, one.consent, one.language
        return self.list_slug, *words, one.asks_name, one.is_health

    @property
    def digest(self) -> str:
        """What tells whether it is as it was seen."""
        return seen_of(*self.shown)


def open_form(session: Session, slug: str) -> FormPage:
    """The form of this slug as its page shows it, also a closed one; raises NotFound."""
    form = get_form(session, slug)
    list_, sender_name = session.execute(
        select(MailingList, Sender.name)
        .outerjoin(Sender, Sender.id == MailingList.sender_id)
        .where(MailingList.id == form.list_id)
    ).one()
    return FormPage(form, list_.title, list_.slug, sender_name or "")


@dataclass(frozen=True)
class ListChoice:
    """A list that a form may be for. `consent` and `language` are its course's, empty when it has none."""

    slug: str
    title: str
    consent: str
    language: str


def list_choices(session: Session) -> list[ListChoice]:
    """The lists that have a sender, by their slugs: nobody could be asked to confirm for another."""
    rows = session.execute(
        select(MailingList.slug, MailingList.title, Course.consent, Course.language)
        .outerjoin(Course, Course.list_id == MailingList.id)
        .where(MailingList.sender_id.is_not(None), MailingList.removed_at.is_(None))
        .order_by(MailingList.slug, Course.id)
    )
    found: dict[str, ListChoice] = {}
    for slug, title, consent, language in rows:
        found.setdefault(slug, ListChoice(slug, title, consent or "", language or ""))
    return list(found.values())
