"""Lists: what people sign up to."""

from __future__ import annotations

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import lists
from mailer.errors import NotFound
from mailer.models import OptIn
from mailer.reports.overview import ListRow, lists_overview


@needs(Right.SEE)
def list_lists(session: Session, _: Actor) -> list[ListRow]:
    """Every list with how many people are in which state of it, by their slugs."""
    return lists_overview(session)


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
