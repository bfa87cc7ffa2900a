"""Lists: what people sign up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience import lists
from mailer.audience.mentions import Mention
from mailer.db import business_now
from mailer.delivery.roster import get_sender
from mailer.errors import NotFound, Refused
from mailer.launch import list_acts
from mailer.launch.list_acts import Newcomers
from mailer.models import Course, ListAct, MailingList, OptIn
from mailer.reports.audience_counts import ListCounts, ListView, list_counts, list_view
from mailer.reports.overview import ListRow, lists_overview
from mailer.reports.patience import counted, is_large
from mailer.schedule.courses import get_course
from mailer.seen import refuse_unseen


@needs(Right.SEE)
def list_lists(session: Session, _: Actor, after: str = "", limit: int | None = None) -> list[ListRow]:
    """Lists with how many people are in which state of each, by their slugs, those after `after`."""
    return lists_overview(session, after=after, limit=limit)


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
def put_list(
    session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn, sender: str = ""
) -> ListRow:
    """Make a list, or give it another title, opt-in or, if one is named, sender; Refused or NotFound."""
    lists.add_list(session, slug, title, opt_in, _sender_id(session, sender))
    record(session, actor, "list put", 1, list=slug)
    (row,) = lists_overview(session, slug)
    return row


def _sender_id(session: Session, slug: str) -> int | None:
    return get_sender(session, slug).id if slug else None


@needs(Right.SEE)
def list_page(session: Session, _: Actor) -> list[ListCounts]:
    """Every list with its people near enough, by their titles."""
    return list_counts(session)


@needs(Right.SEE)
def view_list(session: Session, _: Actor, slug: str, *, is_exact: bool = False) -> ListView:
    """One of them; `is_exact` counts its people one by one. Raises NotFound."""
    return list_view(session, slug, is_exact=is_exact)


@needs(Right.WRITE)
def add_list(session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn, sender: str = "") -> None:
    """A new list, whose confirmations come from `sender`; raises Refused, also when its name is taken."""
    if lists.find_list(session, slug) is not None:
        raise Refused(f"There is a list {slug} already; take another name, or change that one.")
    lists.add_list(session, slug, title, opt_in, _sender_id(session, sender))
    record(session, actor, "list put", 1, list=slug)


@needs(Right.WRITE)
def change_list(
    session: Session, actor: Actor, slug: str, title: str, opt_in: OptIn, sender: str = "", seen: str = ""
) -> None:
    """Another title, opt-in or, if one is named, sender; raises NotFound, or Refused, also when it is not as
    it was `seen` (ListView.digest) any more."""
    known = lists.get_list(session, slug, for_update=True)
    refuse_unseen(seen, known.title, known.opt_in, known.sender_id)
    lists.add_list(session, known.slug, title, opt_in, _sender_id(session, sender))
    record(session, actor, "list put", 1, list=slug)


@dataclass(frozen=True)
class Removal:
    """What deleting a list means: who is on it, and what `uses` it, so that it cannot be deleted."""

    view: ListView
    uses: list[Mention]

    @property
    def people(self) -> int:
        """How many leave it, near enough."""
        return self.view.counts.active.count + self.view.counts.pending.count


@dataclass(frozen=True)
class Enrolling:
    """What enrolling a whole list means; `newcomers` is None where nobody has counted them."""

    list: MailingList
    course: Course
    newcomers: Newcomers | None


@dataclass(frozen=True)
class ActView:
    """An act on a list: how far it is."""

    act: ListAct
    list: MailingList
    course: Course | None


@needs(Right.AUDIENCE)
def look_at_removal(session: Session, _: Actor, slug: str) -> Removal:
    """What deleting it would mean, to how many; raises NotFound."""
    uses = list_acts.uses_of(session, lists.get_list(session, slug))
    # Where nothing can be deleted, and where there are very many, near enough will do.
    return Removal(list_view(session, slug, is_exact=not uses and not is_large(session)), uses)


@needs(Right.AUDIENCE)
def remove_list(session: Session, actor: Actor, slug: str) -> int:
    """Delete it; its people leave it from now on. Returns the act's id; raises NotFound, or Refused while
    anything uses it."""
    seen = look_at_removal(session, actor, slug)
    now = business_now(session)
    act = list_acts.begin_removal(session, seen.view.counts.list, seen.people, now, who=actor.who)
    record(session, actor, "list remove", seen.people, list=slug)
    return _at_once(session, act)


@needs(Right.SEND)
def look_at_enrolling(session: Session, _: Actor, slug: str, course: str, *, is_asked: bool) -> Enrolling:
    """Who would join the course, counted where there are few or somebody `is_asked`.

    Raises NotFound, or Refused when the course is another list's.
    """
    list_, found = lists.get_list(session, slug), get_course(session, course)
    list_acts.refuse_foreign(list_, found)
    newcomers = counted(
        session,
        lambda session: list_acts.count_newcomers(session, list_, found),
        is_asked=is_asked,
        longest=None,
    )
    return Enrolling(list_, found, newcomers)


@needs(Right.SEND)
def enroll_whole_list(session: Session, actor: Actor, slug: str, course: str, seen: int) -> int:
    """Have everybody of the list join the course who never was in it, no more than were `seen`.

    Returns the act's id; raises NotFound or Refused.
    """
    list_, found = lists.get_list(session, slug), get_course(session, course)
    act = list_acts.begin_enrolling(session, list_, found, seen, who=actor.who)
    record(session, actor, "course enroll", seen, course=course, list=slug)
    return _at_once(session, act)


def _at_once(session: Session, act: ListAct) -> int:
    """Begin it here; where that ends it nobody waits for a worker."""
    list_acts.do_part(session, act.id)
    return act.id


@needs(Right.SEE)
def see_act(session: Session, _: Actor, act_id: int) -> ActView:
    """How far it is; raises NotFound."""
    return ActView(*list_acts.get_act(session, act_id))


@needs(Right.SEND)
def stop_enrolling(session: Session, actor: Actor, act_id: int) -> ActView:
    """Enroll no more; raises NotFound or Refused."""
    list_acts.stop(session, act_id, who=actor.who)
    return see_act(session, actor, act_id)
