"""Whether the links of mails lead anywhere: asked before something goes out, and known for a while.

An address is asked once, whatever mails it stands in. No transaction is open while other machines are asked,
so what they said is kept, and the preflight, which asks nobody, tells it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.content.course_source import Problem
from mailer.db import clock_now
from mailer.fetch import CannotFetch, Fetcher, Forbidden
from mailer.launch.mailing import Draft
from mailer.models import LinkCheck

Links = Mapping[str, tuple[Draft, int]]
"""Web addresses, each with the first mail and line that it stands in."""
Scope = Callable[[], AbstractContextManager[Session]]
"""Opens one transaction."""

AT_A_TIME = 4
SLOW = 4.0
"""Seconds after which a reader has gone elsewhere."""
OPEN_IT = "Open it yourself, and mend it."
GONE = frozenset({404, 410})
ASKING = 8.0
"""Seconds of asking before a page, or a program, is answered."""
FRESH = timedelta(hours=1)
"""How long an answer that was well is not asked for again."""
BAD_FRESH = timedelta(seconds=30)
"""The same where something was wrong: it may be mended by the next look."""
KNOWN = timedelta(days=1)
"""How long what was wrong is told without being asked for again."""
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Verdict:
    """What readers would be unhappy about; all empty: nothing."""

    what: str = ""
    fix: str = ""
    is_warning: bool = False


def ask_links(
    scope: Scope,
    links: Links,
    fetcher: Fetcher,
    progress: Callable[[int, int], None] = lambda _asked, _of: None,
    *,
    seconds: float = float("inf"),
    anew: bool = False,
) -> int:
    """Ask those of the links that nobody asked lately (`anew`: all), and keep what they say.

    Returns how many are left over after `seconds`. `progress` hears (asked, all).
    """
    wanted = links
    if not anew:
        with scope() as session:
            wanted = unasked(session, links)
    urls = list(wanted)
    verdicts = asyncio.run(_ask_all(urls, fetcher, progress, time.monotonic() + seconds)) if urls else {}
    if verdicts:
        with scope() as session:
            _keep(session, verdicts)
    return len(urls) - len(verdicts)


def unasked(session: Session, links: Links) -> Links:
    """Which of these nobody has asked lately."""
    now = clock_now(session)
    fresh = {row.url for row in _known(session, links) if row.at > now - (BAD_FRESH if row.what else FRESH)}
    return {url: place for url, place in links.items() if url not in fresh}


def link_problems(session: Session, links: Links) -> list[Problem]:
    """What is known to be wrong with these links."""
    since = clock_now(session) - KNOWN
    found = {row.url: row for row in _known(session, links) if row.what and row.at > since}
    return [
        Problem(draft.place, line, found[url].what, found[url].fix, is_warning=found[url].is_warning)
        for url, (draft, line) in links.items()
        if url in found
    ]


def forget_links(session: Session) -> None:
    """Drop what was asked long ago."""
    session.execute(delete(LinkCheck).where(LinkCheck.at < clock_now(session) - KEPT))


def _known(session: Session, links: Collection[str]) -> Sequence[LinkCheck]:
    if not links:
        return ()
    chosen = select(LinkCheck).where(LinkCheck.url.in_(links))
    return session.execute(chosen.execution_options(populate_existing=True)).scalars().all()


def _keep(session: Session, verdicts: Mapping[str, Verdict]) -> None:
    # In one order, whoever else asks the same ones.
    rows = [
        {"url": url, "what": one.what, "fix": one.fix, "is_warning": one.is_warning}
        for url, one in sorted(verdicts.items())
    ]
    new = insert(LinkCheck).values(rows)
    told = {name: new.excluded[name] for name in ("what", "fix", "is_warning")}
    session.execute(
        new.on_conflict_do_update(index_elements=["url"], set_={**told, "at": func.clock_timestamp()})
    )


async def _ask_all(
    urls: Sequence[str], fetcher: Fetcher, progress: Callable[[int, int], None], ends: float
) -> dict[str, Verdict]:
    gate, found = asyncio.Semaphore(AT_A_TIME), dict[str, Verdict]()

    async def ask(url: str) -> None:
        async with gate:
            if time.monotonic() < ends:
                found[url] = await _ask(url, fetcher)
                progress(len(found), len(urls))

    await asyncio.gather(*map(ask, urls))
    return found


async def _ask(url: str, fetcher: Fetcher) -> Verdict:
    try:
        answer = await fetcher.ask(url, with_content=False)
    except Forbidden as error:
        return Verdict(f"Readers cannot open a link. {error.what}", "Link to a public address.")
    except CannotFetch as error:
        # It may be their server's bad minute: a person looks.
        return Verdict(f"A link does not answer. {error.what}", OPEN_IT, is_warning=True)
    if answer.status in GONE:
        return Verdict(f"The link {url} leads nowhere ({answer.status}).", "Mend the address.")
    if answer.status >= 400:
        # Many sites refuse programs that they let people in past.
        what = f"The link {url} answered {answer.status}."
        return Verdict(what, OPEN_IT, is_warning=True)
    if answer.seconds > SLOW:
        what = f"The link {url} took {answer.seconds:.0f} seconds."
        return Verdict(what, "Look whether it always does.", is_warning=True)
    return Verdict()
