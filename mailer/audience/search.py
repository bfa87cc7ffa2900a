"""Finding people among a million: by words of their name and address, by tag, by list and state.

Two ways lead there. Few who fit are found by the index of words and tags, all at once. Where many do, those
added last are looked through some at a time, for one in a hundred fills a page soon; so no search takes long.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    and_,
    bindparam,
    cast,
    func,
    literal,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import Session, aliased

from mailer.audience.addresses import BadAddress, normalise
from mailer.audience.subscribers import tidy_name
from mailer.db import written_out
from mailer.models import Subscriber, Subscription, SubscriptionState
from mailer.models.audience import ACCENTS, SUBSCRIBER_WORDS, WORD_BREAKS

FEW = 10_000
"""So many who fit are sorted at once; where more do, people are looked through."""

LOOKED_THROUGH = 3000
"""How many people one page looks through at most; making somebody's words takes some 14 µs."""

MOST_WORDS = 8


@dataclass(frozen=True)
class Search:
    """Who is looked for; what is empty or None leaves nobody out.

    `words` are beginnings of words of the name or the address, of a whole address, or of a domain, which may
    have an @ before it. `state` is that on the list `list_id`, or on any list.
    """

    words: str = ""
    tag: str = ""
    list_id: int | None = None
    state: str = ""

    @property
    def is_part(self) -> bool:
        """Whether anybody is left out."""
        return bool(self.words or self.tag or self.list_id or self.state)


@dataclass(frozen=True)
class Found:
    """People who fit, those added last first. `next` is the id to go on below, None at the end.

    `is_cut`: the page is not full because enough were looked through, and more may fit.
    """

    people: Sequence[Subscriber]
    next: int | None
    is_cut: bool


def find_people(session: Session, search: Search, before: int | None, limit: int) -> Found:
    """Those who fit below the id `before`, `limit` at most."""
    whole = _of_address(session, search)
    if whole is not None:
        return whole
    fits = _fits(search)
    if fits is not None and not _is_common(session, search, before):
        picked = _pick(session, search, fits, before, limit)
        if picked is not None:
            return picked
    return _walk(session, search, before, limit)


def _of_address(session: Session, search: Search) -> Found | None:
    """The one person whose whole address was written, if they fit."""
    if "@" not in search.words:
        return None
    try:
        _, key = normalise(search.words)
    except BadAddress:
        return None
    asked = select(Subscriber).where(Subscriber.email_key == key, _tagged(search), _on_lists(search))
    people = session.scalars(asked).all()
    return Found(people, None, is_cut=False) if people else None


def _is_common(session: Session, search: Search, before: int | None) -> bool:
    """Whether so many fit that a look through those added last fills a page; asked of a hundred of them."""
    some = _people(_newest(before, 100), 100)
    fitting = select(func.count()).select_from(some).where(_asked(search, some))
    return session.execute(fitting).scalar_one() >= 10


def _people(ids: Select[int], most: int) -> type[Subscriber]:
    """These people, the highest ids first, as a table of its own.

    With its limit it is read by itself: else PostgreSQL, which does not know how many a word fits, may look
    for all of those first, or through everybody.
    """
    chosen = ids.subquery()
    rows = select(Subscriber).join(chosen, chosen.c.id == Subscriber.id)
    return aliased(Subscriber, rows.order_by(Subscriber.id.desc()).limit(most).subquery())


def _asked(search: Search, who: type[Subscriber]) -> ColumnElement[bool]:
    fits = _fits(search, who)
    return true() if fits is None else fits


def _pick(
    session: Session, search: Search, fits: ColumnElement[bool], before: int | None, limit: int
) -> Found | None:
    """The page of all who fit, by the index; None when they are more than FEW."""
    # Materialised by itself, or PostgreSQL would read the table until it has FEW; rows of it are made as the
    # next one asks for them, so that of a million no more than FEW are.
    every = _materialised(select(Subscriber.id).where(fits), "every")
    hits = _materialised(select(every.c.id).limit(FEW + 1), "hits")
    ids = select(hits.c.id).where(_below(hits.c.id, before), _on_lists(search, hits.c.id))
    page = ids.order_by(hits.c.id.desc()).limit(limit + 1).scalar_subquery()
    count, found = session.execute(
        select(select(func.count()).select_from(hits).scalar_subquery(), func.array(page))
    ).one()
    if count > FEW:
        return None
    people = session.scalars(
        select(Subscriber).where(Subscriber.id.in_(found)).order_by(Subscriber.id.desc())
    ).all()
    return Found(people[:limit], people[limit - 1].id if len(people) > limit else None, is_cut=False)


def _materialised(rows: Select[int], name: str) -> CTE:
    return rows.cte(name).prefix_with("MATERIALIZED", dialect="postgresql")


def _walk(session: Session, search: Search, before: int | None, limit: int) -> Found:
    """Some of the people (of the list) below `before`, the highest ids first, and who of them fits."""
    is_whole_list = not (search.words or search.tag) and (search.list_id is not None or not search.state)
    window = limit + 1 if is_whole_list else LOOKED_THROUGH
    ids = _newest_of_list(search, before, window) if search.list_id else _newest(before, window)
    in_window = ids.subquery()
    floor = session.execute(
        select(in_window.c.id).order_by(in_window.c.id.desc()).offset(window - 1).limit(1)
    ).scalar_one_or_none()
    who = _people(ids, window)
    on_lists = true() if search.list_id else _on_lists(search, who.id)
    asked = select(who).where(_asked(search, who), on_lists).order_by(who.id.desc()).limit(limit + 1)
    people = session.scalars(asked).all()
    if len(people) > limit:
        return Found(people[:limit], people[limit - 1].id, is_cut=False)
    return Found(people, floor, is_cut=floor is not None)


def _newest(before: int | None, most: int) -> Select[int]:
    ids = select(Subscriber.id).where(_below(Subscriber.id, before))
    return ids.order_by(Subscriber.id.desc()).limit(most)


def _newest_of_list(search: Search, before: int | None, most: int) -> Select[int]:
    """The highest ids of a list, read from its index a state at a time.

    List and state are written out, as PostgreSQL must know them to take that index for a rare state.
    """
    states = [search.state] if search.state else list(SubscriptionState)
    parts = [
        select(Subscription.subscriber_id.label("id"))
        .where(
            Subscription.list_id == bindparam(None, search.list_id, literal_execute=True),
            Subscription.state == written_out(state),
            _below(Subscription.subscriber_id, before),
        )
        .order_by(Subscription.subscriber_id.desc())
        .limit(most)
        .subquery()
        for state in states
    ]
    every = union_all(*(select(part.c.id) for part in parts)).subquery()
    return select(every.c.id).order_by(every.c.id.desc()).limit(most)


def _below(id_: ColumnElement[int] | object, before: int | None) -> ColumnElement[bool]:
    return true() if before is None else literal(before) > id_


def _on_lists(search: Search, id_: object = Subscriber.id) -> ColumnElement[bool]:
    """Whether somebody is on the list, or on any, as the search says."""
    if search.list_id is None and not search.state:
        return true()
    # Limited, so that it is looked up person by person: few are left to be asked about.
    is_on = select(Subscription.id).where(Subscription.subscriber_id == id_).limit(1)
    if search.list_id is not None:
        is_on = is_on.where(Subscription.list_id == search.list_id)
    if search.state:
        is_on = is_on.where(Subscription.state == search.state)
    return is_on.correlate_except(Subscription).scalar_subquery().is_not(None)


def _tagged(search: Search, who: type[Subscriber] = Subscriber) -> ColumnElement[bool]:
    tag = tidy_name(search.tag).lower()
    return who.tags.contains([tag]) if tag else true()


def _fits(search: Search, who: type[Subscriber] = Subscriber) -> ColumnElement[bool] | None:
    """What the indexes of words and tags can answer; None when nothing of it is asked."""
    parts = [_tagged(search, who)] if search.tag.strip() else []
    asked: list[str] = []
    for token in search.words.split()[:MOST_WORDS]:
        local, at, domain = token.partition("@")
        if at and local:
            # What stands before the @ is whole.
            asked += [_quoted(word) for word in words_of(local)]
            parts.append(who.email_key.startswith(token.lower(), autoescape=True))
        elif at:
            asked.append(_quoted(f"@{domain.lower()}") + ":*")
        elif words := words_of(token):
            beginnings = " & ".join(_quoted(word) + ":*" for word in words)
            asked.append(f"(({beginnings}) | {_quoted('@' + token.lower())}:*)")
    if asked:
        query = cast(literal(" & ".join(asked)), TSQUERY)
        parts.append(literal_column(f"({SUBSCRIBER_WORDS})").op("@@", is_comparison=True)(query))
    elif search.words.strip():
        # Nothing but punctuation: nobody is found by that.
        return literal(value=False)
    return and_(*parts) if parts else None


def words_of(text: str) -> list[str]:
    """The words of a name or an address as SUBSCRIBER_WORDS has them."""
    plain = re.sub(ACCENTS, "", unicodedata.normalize("NFKD", text.replace("\0", "")))
    return [word for word in re.split(WORD_BREAKS, plain.lower()) if word]


def _quoted(word: str) -> str:
    r"""A lexeme as PostgreSQL reads it in a query: in quotes, with quotes and backslashes doubled."""
    doubled = word[:200].replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"
