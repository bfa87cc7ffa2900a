"""Sign-up forms: pages by which people put themselves on a list."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import forms
from mailer.db import business_now
from mailer.models import MailingList, SignUpForm
from mailer.reports.forms import FormPage, ListChoice, list_choices, open_form
from mailer.seen import refuse_unseen


@needs(Right.SEE)
def list_forms(session: Session, _: Actor) -> Sequence[tuple[SignUpForm, MailingList]]:
    """Every form with its list, the open ones first."""
    return forms.list_forms(session)


@needs(Right.SEE)
def page_forms(
    session: Session, _: Actor, after: str, limit: int
) -> Sequence[tuple[SignUpForm, MailingList]]:
    """For programs: forms with their lists by their slugs, those after the slug `after`."""
    return forms.forms_by_slug(session, after, limit)


@needs(Right.SEE)
def lists_to_choose(session: Session, _: Actor) -> list[ListChoice]:
    """The lists that a form may be for, with the words of consent that each begins with."""
    return list_choices(session)


@needs(Right.SEE)
def show_form(session: Session, _: Actor, slug: str) -> FormPage:
    """One of them; raises NotFound."""
    return open_form(session, slug)


@needs(Right.WRITE)
def add_form(session: Session, actor: Actor, slug: str, text: forms.FormText) -> None:
    """A new one, which is open at once; raises Refused or NotFound."""
    forms.add_form(session, slug, text, business_now(session))
    record(session, actor, "form add", 1, form=slug, list=text.list_slug)


@needs(Right.WRITE)
def change_form(session: Session, actor: Actor, slug: str, text: forms.FormText, seen: str = "") -> None:
    """Other words; raises NotFound, or Refused, also when it is not what was `seen` (FormPage.digest)."""
    view = open_form(session, slug)
    session.refresh(view.form, with_for_update=True)
    refuse_unseen(seen, *view.shown)
    forms.change_form(session, view.form, text)
    record(session, actor, "form change", 1, form=slug, list=text.list_slug)


@needs(Right.WRITE)
def close_form(session: Session, actor: Actor, slug: str, *, is_closed: bool) -> bool:
    """Nobody signs up by it any more, or (False) people do again; whether it was another. Raises NotFound."""
    form = forms.get_form(session, slug)
    is_new = forms.close_form(session, form, business_now(session), is_closed=is_closed)
    if is_new:
        record(session, actor, "form close" if is_closed else "form open", 1, form=slug)
    return is_new
