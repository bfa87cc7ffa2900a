"""What is done to a whole list: it is deleted, or all of it joins a course. A part at a time, by a worker.

A part's people and how far the act is are written in one transaction, so a part is done once whoever does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select, text, true
from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import at_the_machine
from mailer.audience.lists import BEFORE_ID
from mailer.audience.mentions import Mention, mentions_of_list
from mailer.db import business_now, clock_now
from mailer.delivery.parts import attempt, take_next
from mailer.errors import NotFound, Refused
from mailer.models import (
    Campaign,
    CampaignState,
    Course,
    Enrollment,
    EnrollmentState,
    Import,
    ImportFile,
    ImportFileState,
    ListAct,
    ListActKind,
    MailingList,
    Series,
    SeriesState,
    SignUpForm,
    Subscription,
    SubscriptionState,
    WebhookKind,
)
from mailer.schedule.enroll import ENROLLED_AT_ONCE, ON_LIST, enroll_newcomers
from mailer.webhooks.tell import Fact, tell

AT_ONCE = 2_000
"""So many people leave a list in one part."""
FOR_DELETED = "the list was deleted"
"""The source of the evidence that a consent ended with its list."""
MORE = "More people had come to the list by then than were told; they are not in the course."
_TO_COME = (CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.SENDING)
_IMPORTING = (ImportFileState.WAITING, ImportFileState.STOPPED, ImportFileState.UNDOING)


@dataclass(frozen=True)
class Newcomers:
    """Who of a list would join a course: `active` ones at once, `pending` ones once they confirm.

    `inside` are in it already; `former` have finished or left it, and are not enrolled again.
    """

    active: int
    pending: int
    inside: int
    former: int

    @property
    def people(self) -> int:
        return self.active + self.pending


def uses_of(session: Session, list_: MailingList) -> list[Mention]:
    """What needs the list: it cannot be deleted as long as there is any of it."""
    found = [*mentions_of_list(session, list_.slug), *_rows_with(session, list_)]
    return sorted(set(found))


def _rows_with(session: Session, list_: MailingList) -> Iterator[Mention]:
    id_, slug = list_.id, list_.slug
    left_out = {"exclude_lists": [slug]}
    asked = {
        "course": select(Course.slug).where(Course.list_id == id_),
        "form": select(SignUpForm.slug).where(SignUpForm.list_id == id_),
        "campaign": select(Campaign.slug).where(
            Campaign.state.in_(_TO_COME),
            or_(
                Campaign.list_ids.contains([id_]),
                Campaign.aim.contains(left_out),
                # To every list: its rows are being written by this one too, or wait to leave by it.
                and_(Campaign.list_ids == [], Campaign.state == CampaignState.SENDING),
            ),
        ),
        "series": select(Series.slug).where(
            Series.state != SeriesState.ENDED,
            or_(Series.list_ids.contains([id_]), Series.aim.contains(left_out)),
        ),
    }
    for kind, slugs in asked.items():
        for one in session.execute(slugs).scalars():
            yield Mention(kind, one)
    files = select(ImportFile.file).where(ImportFile.list_id == id_, ImportFile.state.in_(_IMPORTING))
    for name in session.execute(files).scalars():
        yield Mention("import", name)
    by_command = select(Import.id).where(Import.list_id == id_, Import.finished_at.is_(None)).limit(1)
    if session.execute(by_command).scalar() is not None:
        yield Mention("import", "one that was not finished")


def begin_removal(session: Session, list_: MailingList, seen: int, now: datetime, *, who: str) -> ListAct:
    """Delete a list: from now on nobody can join it or write to it, and its people leave it part by part.

    The evidence of their consent stays with each of them until they are erased, with a row that says how it
    ended: it shows why they were mailed. So the list's row stays too, and gives its slug back. Raises Refused
    while anything needs the list.
    """
    session.refresh(list_, with_for_update=True)
    if list_.removed_at is not None:
        raise Refused(f"{list_.slug} is deleted already.")
    if uses := uses_of(session, list_):
        named = ", ".join(f"{one.kind} {one.slug}" for one in uses[:5])
        raise Refused(f"The list {list_.slug} is needed by {named}; change or end that first.")
    list_.slug, list_.removed_at = list_.slug + _ending(list_), now
    return _begin(session, ListAct(kind=ListActKind.REMOVE, list_id=list_.id, who=who, seen=seen))


def _ending(list_: MailingList) -> str:
    """What makes room for another list of its slug."""
    return f"{BEFORE_ID}{list_.id}"


def _slug_before(list_: MailingList) -> str:
    return list_.slug.removesuffix(_ending(list_))


def count_newcomers(session: Session, list_: MailingList, course: Course) -> Newcomers:
    """Who of the list would join the course, one by one."""
    refuse_foreign(list_, course)
    is_new = Enrollment.id.is_(None)
    is_in = Enrollment.state.in_([EnrollmentState.WAITING, EnrollmentState.ACTIVE])
    row = session.execute(
        select(
            func.count().filter(is_new, Subscription.state == SubscriptionState.ACTIVE),
            func.count().filter(is_new, Subscription.state == SubscriptionState.PENDING),
            func.count().filter(is_in),
            func.count().filter(~is_new, ~is_in),
        )
        .select_from(Subscription)
        .outerjoin(
            Enrollment,
            (Enrollment.subscriber_id == Subscription.subscriber_id) & (Enrollment.course_id == course.id),
        )
        .where(Subscription.list_id == list_.id, Subscription.state.in_(ON_LIST))
    ).one()
    return Newcomers(*row)


def begin_enrolling(session: Session, list_: MailingList, course: Course, seen: int, *, who: str) -> ListAct:
    """Have everybody of the list who was never in the course join it, no more than were `seen`.

    Raises Refused for another list's course, and while the same is under way.
    """
    refuse_foreign(list_, course)
    if seen < 1:
        raise Refused("Everybody who is on the list is or was in the course already.")
    open_one = select(ListAct.id).where(ListAct.course_id == course.id, ListAct.ended_at.is_(None))
    session.refresh(list_, with_for_update=True)
    if session.execute(open_one).first() is not None:
        raise Refused(f"The list is joining {course.slug} already.")
    act = ListAct(kind=ListActKind.ENROLL, list_id=list_.id, course_id=course.id, who=who, seen=seen)
    return _begin(session, act)


def refuse_foreign(list_: MailingList, course: Course) -> None:
    """Raises Refused unless the course belongs to the list: people of another one have not agreed to it."""
    if course.list_id != list_.id:
        raise Refused(
            f"{course.slug} does not belong to the list {list_.slug}, and its people have not agreed to it."
        )


def _begin(session: Session, act: ListAct) -> ListAct:
    session.add(act)
    session.flush()
    return act


def get_act(session: Session, act_id: int) -> tuple[ListAct, MailingList, Course | None]:
    """An act with its list and course; raises NotFound."""
    act = session.get(ListAct, act_id)
    if act is None:
        raise NotFound("There is no such act.")
    course = session.get(Course, act.course_id) if act.course_id is not None else None
    return act, session.get_one(MailingList, act.list_id), course


def open_acts(session: Session) -> list[tuple[ListAct, str]]:
    """Those that have not ended, the oldest first, each with its list's title."""
    rows = session.execute(
        select(ListAct, MailingList.title)
        .join(MailingList, MailingList.id == ListAct.list_id)
        .where(ListAct.ended_at.is_(None))
        .order_by(ListAct.id)
    )
    return [(act, title) for act, title in rows]


def stop(session: Session, act_id: int, *, who: str) -> ListAct:
    """Enroll no more; waits for the part that is under way. Raises NotFound, or Refused for a deletion."""
    act = session.get(ListAct, act_id, with_for_update=True, populate_existing=True)
    if act is None:
        raise NotFound("There is no such act.")
    if act.kind == ListActKind.REMOVE:
        raise Refused("A list that is deleted cannot be had back.")
    if act.ended_at is None:
        _end(session, act, f"{who} stopped it.")
    return act


def do_part(session: Session, act_id: int | None = None) -> bool:
    """Do one part of an act that nobody is at, the oldest first, or of this one; whether there was any."""
    act = take_next(session, ListAct, ListAct.id == act_id if act_id is not None else true())
    if act is None:
        return False
    now = business_now(session)
    some = _let_go if act.kind == ListActKind.REMOVE else _enroll
    attempt(session, act, lambda: some(session, act, now), lambda error: _end(session, act, error))
    return True


_LEAVE = text("""
    WITH chosen AS (
        SELECT id FROM subscriptions WHERE list_id = :list AND state IN ('active', 'pending')
        ORDER BY subscriber_id LIMIT :limit FOR UPDATE
    ), left_it AS (
        UPDATE subscriptions AS s SET state = 'ended', changed_at = :now FROM chosen WHERE s.id = chosen.id
        RETURNING s.id, s.subscriber_id
    ), shown AS (
        INSERT INTO consents (subscription_id, kind, at, source)
        SELECT id, 'withdrawn', :now, :source FROM left_it
    )
    SELECT subscriber_id FROM left_it
    """)


def _let_go(session: Session, act: ListAct, now: datetime) -> None:
    values = {"list": act.list_id, "limit": AT_ONCE, "now": now, "source": FOR_DELETED}
    left = session.execute(_LEAVE, values).scalars().all()
    told = {"list": _slug_before(session.get_one(MailingList, act.list_id))}
    tell(session, WebhookKind.UNSUBSCRIBED, now, [Fact(one, told) for one in left])
    act.changed += len(left)
    if len(left) < AT_ONCE:
        _end(session, act)


def _enroll(session: Session, act: ListAct, now: datetime) -> None:
    course = session.get_one(Course, act.course_id)
    most = min(ENROLLED_AT_ONCE, act.seen - act.changed)
    done = enroll_newcomers(session, course, now, act.up_to, most)
    act.changed += done.people
    act.up_to = done.after or act.up_to
    if done.after is None:
        _end(session, act)
    elif act.changed >= act.seen:
        _end(session, act, MORE if _has_more(session, course) else "")


def _has_more(session: Session, course: Course) -> bool:
    inside = select(Enrollment.id).where(
        Enrollment.course_id == course.id, Enrollment.subscriber_id == Subscription.subscriber_id
    )
    more = select(Subscription.id).where(
        Subscription.list_id == course.list_id, Subscription.state.in_(ON_LIST), ~inside.exists()
    )
    return session.execute(more.limit(1)).first() is not None


def _end(session: Session, act: ListAct, error: str = "") -> None:
    act.ended_at, act.error = clock_now(session), error
    what = "list remove end" if act.kind == ListActKind.REMOVE else "course enroll end"
    record(session, at_the_machine(act.who), what, act.changed, act=act.id)
