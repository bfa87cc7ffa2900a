"""Lists: what people sign up to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import lists
from mailer.errors import NotFound, Refused
from mailer.models import MailingList, OptIn
from mailer.reports.audience_counts import ListCounts, ListView, list_counts, list_view
from mailer.reports.overview import ListRow, lists_overview


@needs(Right.SEE)
def list_lists(session: Session, _: Actor) -> list[ListRow]:
    """Every list with how many people are in which state of it, by their slugs."""
    return lists_overview(session)


@needs(Right.SEE)
def lists_to_choose(session: Session, _: Actor) -> Sequence[MailingList]:
    """Every list by its title, with nobody counted."""
    return lists.list_lists(session)


@needs(Right.SEE)
def show_list(session: Session, _: Actor, slug: str) -> ListRow:
    """One of them; raises NotFound."""
    for row in lists_overview(session, slug):
        return row
    raise NotFound(f"There is no list {slug!r}.")


@needs(Right.WRITE)
def put_list(session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn) -> ListRow:
    """Make a list, or give it another title and opt-in; raises Refused."""
    lists.add_list(session, slug, title, opt_in)
    record(session, actor, "list put", 1, list=slug)
    (row,) = lists_overview(session, slug)
    return row


@needs(Right.SEE)
def list_page(session: Session, _: Actor) -> list[ListCounts]:
    """Every list with its people near enough, by their titles."""
    return list_counts(session)


@needs(Right.SEE)
def view_list(session: Session, _: Actor, slug: str, *, is_exact: bool = False) -> ListView:
    """One of them; `is_exact` counts its people one by one. Raises NotFound."""
    return list_view(session, slug, is_exact=is_exact)


@needs(Right.WRITE)
def add_list(session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn) -> None:
    """A new list; raises Refused, also when there is one of this name."""
    if lists.find_list(session, slug) is not None:
        raise Refused(f"There is a list {slug} already; take another name, or change that one.")
    lists.add_list(session, slug, title, opt_in)
    record(session, actor, "list put", 1, list=slug)


@needs(Right.WRITE)
def change_list(session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn) -> None:
    """Another title or opt-in; raises NotFound or Refused."""
    lists.add_list(session, lists.get_list(session, slug).slug, title, opt_in)
    record(session, actor, "list put", 1, list=slug)
