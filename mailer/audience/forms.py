"""Sign-up forms: what they ask for, in which words, and names that wait for their owner to confirm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.audience.lists import SLUG, get_list, keep_list
from mailer.audience.subscribers import tidy_name
from mailer.errors import NotFound, Refused
from mailer.i18n import languages, translator
from mailer.models import MailingList, SignUpForm, Subscriber, WaitingName

MAX_TITLE = 200
MAX_WORDS = 2000
SOURCE = "form "
"""What the source of a consent by a form begins with; its slug follows, and nothing of the visitor."""


@dataclass(frozen=True)
class FormText:
    """A form as its author writes it. `words` are paragraphs of plain text."""

    list_slug: str
    title: str
    words: str
    consent: str
    language: str = "en"
    asks_name: bool = False
    is_health: bool = False

    def checked(self) -> FormText:
        """The same with tidy values; raises Refused."""
        words, consent = _paragraphs(self.words), " ".join(self.consent.split())
        title = tidy_name(self.title)[:MAX_TITLE]
        if not title:
            raise Refused("A form needs a title: it is what readers see first.")
        if not consent:
            raise Refused("Write the words that people agree to: they are kept as evidence of consent.")
        if len(words) > MAX_WORDS or len(consent) > MAX_WORDS:
            raise Refused(f"Say it in {MAX_WORDS:,} characters at most: people read little there.")
        if self.language not in languages():
            raise Refused(f"A form speaks one of these languages: {', '.join(languages())}.")
        return FormText(self.list_slug, title, words, consent, self.language, self.asks_name, self.is_health)


def _paragraphs(words: str) -> str:
    found = (" ".join(part.split()) for part in words.replace("\r\n", "\n").split("\n\n"))
    return "\n\n".join(part for part in found if part)


def add_form(session: Session, slug: str, text: FormText, now: datetime) -> SignUpForm:
    """A new form; raises Refused or NotFound."""
    if not SLUG.fullmatch(slug) or len(slug) > MAX_TITLE:
        raise Refused(f"{slug!r} cannot name a form; use small letters, digits and -, as in calm-week.")
    if session.execute(select(SignUpForm.id).where(SignUpForm.slug == slug)).first():
        raise Refused(f"There is a form {slug} already; take another name, or change that one.")
    form = SignUpForm(slug=slug, created_at=now)
    _write(session, form, text)
    session.add(form)
    session.flush()
    return form


def change_form(session: Session, form: SignUpForm, text: FormText) -> None:
    """Other words; what people agreed to before stays as they saw it. Raises Refused or NotFound."""
    _write(session, form, text)
    session.flush()


def _write(session: Session, form: SignUpForm, text: FormText) -> None:
    text = text.checked()
    list_ = get_list(session, text.list_slug)
    keep_list(session, list_.id)
    if list_.sender_id is None:
        raise Refused(
            f"The list {list_.slug} has no sender yet, so nobody could be asked to confirm; choose one on "
            "its page, or publish its course."
        )
    form.list_id, form.language = list_.id, text.language
    form.title, form.words, form.consent = text.title, text.words, text.consent
    form.asks_name, form.is_health = text.asks_name, text.is_health


def close_form(session: Session, form: SignUpForm, now: datetime, *, is_closed: bool) -> bool:
    """Let nobody sign up by it any more, or again; False when it was so."""
    if is_closed == (form.closed_at is not None):
        return False
    form.closed_at = now if is_closed else None
    session.flush()
    return True


def get_form(session: Session, slug: str) -> SignUpForm:
    """The form of this slug, open or closed; raises NotFound."""
    found = session.execute(select(SignUpForm).where(SignUpForm.slug == slug)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no form {slug!r}.")
    return found


def list_forms(session: Session) -> Sequence[tuple[SignUpForm, MailingList]]:
    """Every form with its list, the open ones first, by their slugs."""
    rows = session.execute(
        select(SignUpForm, MailingList)
        .join(MailingList, MailingList.id == SignUpForm.list_id)
        .order_by(SignUpForm.closed_at.is_not(None), SignUpForm.slug)
    )
    return [(form, list_) for form, list_ in rows]


def forms_by_slug(
    session: Session, after: str = "", limit: int | None = None
) -> Sequence[tuple[SignUpForm, MailingList]]:
    """Forms with their lists by their slugs, open or not, those after the slug `after`."""
    rows = session.execute(
        select(SignUpForm, MailingList)
        .join(MailingList, MailingList.id == SignUpForm.list_id)
        .where(SignUpForm.slug > after)
        .order_by(SignUpForm.slug)
        .limit(limit)
    )
    return [(form, list_) for form, list_ in rows]


def agreed_words(form: SignUpForm) -> str:
    """All that somebody agrees to by this form: its own words and, for a health course, that it is one."""
    if not form.is_health:
        return form.consent
    _ = translator(form.language).gettext
    health = _(
        "I know that asking for this says something about my health, and I agree that it is kept and used to "
        "send me these mails. I can take this back at any time."
    )
    return f"{form.consent} {health}"


def keep_name(session: Session, subscription_id: int, name: str, now: datetime) -> None:
    """Have a name wait until the subscription is confirmed; the newest one counts."""
    name = tidy_name(name)
    if name:
        row = insert(WaitingName).values(subscription_id=subscription_id, name=name, at=now)
        put = {"name": row.excluded.name, "at": row.excluded.at}
        session.execute(row.on_conflict_do_update(index_elements=["subscription_id"], set_=put))


def take_name(session: Session, subscription_id: int, subscriber: Subscriber) -> None:
    """Whoever confirmed is whom the name was given for; one that they are known by stays."""
    name = session.execute(
        delete(WaitingName).where(WaitingName.subscription_id == subscription_id).returning(WaitingName.name)
    ).scalar_one_or_none()
    if name and not subscriber.name:
        subscriber.name = name
        session.flush()
