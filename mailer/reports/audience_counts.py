"""How many people are on lists, have tags, or have something in a field, near enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from mailer.audience.estimate import COUNTED, About, estimated, people_in_all
from mailer.audience.lists import get_list, list_lists
from mailer.db import as_array, in_time
from mailer.models import Course, MailingList, Sender, SignUpForm, Subscription, SubscriptionState
from mailer.seen import seen_of

PATIENCE = 3.0
"""Seconds for which a list is counted one by one; a million people take about a tenth."""

SAMPLED = 10_000
"""So many people are looked at to tell what a field holds; where there are more, the rest is inferred."""


@dataclass(frozen=True)
class ListCounts:
    """A list with how many people are in which state of it."""

    list: MailingList
    active: About
    pending: About
    ended: About


STATES = (SubscriptionState.ACTIVE, SubscriptionState.PENDING, SubscriptionState.ENDED)


def list_counts(session: Session) -> list[ListCounts]:
    """Every list by its title, with its people near enough."""
    return _counts_of(session, list_lists(session))


def _counts_of(session: Session, lists: Sequence[MailingList]) -> list[ListCounts]:
    counted = _counted(session, [one.id for one in lists])
    return [
        ListCounts(one, *(_about(session, one.id, state, counted[one.id, state]) for state in STATES))
        for one in lists
    ]


def _counted(session: Session, list_ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """People by list and state, each counted up to one more than COUNTED.

    List and state are written out, as PostgreSQL must know them to take the index of both. Without, it reads
    all subscriptions for a state in which nobody is.
    """
    each = [
        f"SELECT {list_id} AS id, '{state}' AS state, (SELECT count(*) FROM ("  # noqa: S608
        f"SELECT 1 FROM subscriptions WHERE list_id = {list_id} AND state = '{state}' "
        f"ORDER BY subscriber_id LIMIT {COUNTED + 1}) AS counted) AS people"
        for list_id in map(int, list_ids)
        for state in STATES
    ]
    if not each:
        return {}
    rows = session.execute(text(" UNION ALL ".join(each)))
    return {(row.id, row.state): row.people for row in rows}


def _about(session: Session, list_id: int, state: str, counted: int) -> About:
    if counted <= COUNTED:
        return About(counted)
    rows = select(Subscription.id).where(Subscription.list_id == list_id, Subscription.state == state)
    return About(max(counted, estimated(session, rows)), is_exact=False)


@dataclass(frozen=True)
class ListView:
    """One list: its people, its sender's name and slug, and the courses and forms of it, as (slug, title)."""

    counts: ListCounts
    sender: str
    sender_slug: str
    courses: tuple[tuple[str, str], ...]
    forms: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """What tells whether its settings are as they were seen."""
        one = self.counts.list
        return seen_of(one.title, one.opt_in, one.sender_id)


def list_view(session: Session, slug: str, *, is_exact: bool) -> ListView:
    """A list's page; counted one by one when it `is_exact` and that takes no longer than PATIENCE.

    Raises NotFound.
    """
    list_ = get_list(session, slug)
    counts = _exact_counts(session, list_) if is_exact else None
    if counts is None:
        (counts,) = _counts_of(session, [list_])
    sender = session.get(Sender, list_.sender_id) if list_.sender_id else None
    courses = session.execute(select(Course.slug, Course.title).where(Course.list_id == list_.id))
    forms = session.execute(select(SignUpForm.slug, SignUpForm.title).where(SignUpForm.list_id == list_.id))
    return ListView(
        counts,
        sender.name if sender else "",
        sender.slug if sender else "",
        tuple((slug, title) for slug, title in courses),
        tuple((slug, title) for slug, title in forms),
    )


def _exact_counts(session: Session, list_: MailingList) -> ListCounts | None:
    """A list's people counted one by one; None when that takes too long."""
    asked = select(Subscription.state, func.count()).where(Subscription.list_id == list_.id)
    rows = in_time(session, PATIENCE, lambda: session.execute(asked.group_by("state")).all())
    if rows is None:
        return None
    exact = {state: About(people) for state, people in rows}
    return ListCounts(list_, *(exact.get(state, About(0)) for state in STATES))


_FREQUENT = text("""
    SELECT tag, share * c.reltuples AS people
    FROM pg_stats s
    CROSS JOIN unnest(
        CAST(CAST(s.most_common_elems AS text) AS text[]),
        s.most_common_elem_freqs[1 : cardinality(CAST(CAST(s.most_common_elems AS text) AS text[]))]
    ) AS m (tag, share)
    JOIN pg_class c ON c.oid = to_regclass('subscribers')
    WHERE s.tablename = 'subscribers' AND s.attname = 'tags' AND s.schemaname = current_schema()
""")


_RARE = text("""
    SELECT tag, count(*) AS people
    FROM (SELECT unnest(tags) AS tag FROM subscribers WHERE tags && CAST(:tags AS text[])) AS every
    WHERE tag = ANY(CAST(:tags AS text[])) GROUP BY tag
""")


def tag_counts(session: Session, tags: Sequence[str]) -> list[tuple[str, About]]:
    """How many people have each of these tags; those that many have by PostgreSQL's statistics."""
    frequent = {row.tag: int(row.people) for row in session.execute(_FREQUENT) if row.people > COUNTED}
    rare = [tag for tag in tags if tag not in frequent]
    counted = {row.tag: row.people for row in session.execute(_RARE, {"tags": as_array(rare)})}
    return [
        (tag, About(frequent[tag], is_exact=False) if tag in frequent else About(counted.get(tag, 0)))
        for tag in tags
    ]


def field_counts(session: Session) -> dict[str, About]:
    """How many people have something in each field; of many people by a sample of them."""
    in_all = people_in_all(session).count
    share = 1.0 if in_all <= SAMPLED else SAMPLED / in_all
    sample = "" if share == 1.0 else f"TABLESAMPLE SYSTEM ({100 * share:.4f})"
    rows: Any = session.execute(
        text(
            f"SELECT key, count(*) FROM subscribers {sample}, jsonb_object_keys(fields) AS key GROUP BY key"  # noqa: S608
        )
    )
    return {key: About(round(people / share), is_exact=share == 1.0) for key, people in rows}
