"""Which rows of a campaign go first, and letting go of those that wait, in bounded steps.

Who is in a slice follows from a number drawn for each person and one limit for each group: looking again, or
looking in other steps, finds the same people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from math import floor
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer import outbox, tally
from mailer.content.canary import Canary
from mailer.content.trial import Trial
from mailer.db import as_array, ask_to_wake
from mailer.delivery.domains import GROUPS
from mailer.models import Campaign, CampaignPhase, DeliveryKind, DeliveryState, Lane

LARGE = 0.01
"""A domain with such a share of the audience has a part of the slice of its own; so has every provider."""

OTHERS = ""
"""The group of everybody at a small domain."""


def waits_for(campaign: Campaign) -> str:
    """Why a row of the campaign is held as it is written; empty when it is not."""
    names = []
    if Canary.chosen(campaign.canary) is not None:
        names.append("canary")
    if campaign.trial:
        names.append("A/B test")
    return f"{outbox.FOR_PHASE}{' and the '.join(names)}" if names else ""


def is_under_way(campaign: Campaign) -> bool:
    """Whether a phase of the campaign is still to come or not decided, so that it has not ended."""
    return bool(waits_for(campaign)) and campaign.phase != CampaignPhase.REST


def drawn(salt: str, subscriber_id: int) -> int:
    """The number that somebody draws, below 2**60. The statements below draw the same."""
    return int(md5(f"{salt}{subscriber_id}".encode(), usedforsecurity=False).hexdigest()[:15], 16)


DRAWN = "('x' || substr(md5(CAST(:salt AS text) || d.subscriber_id), 1, 15))::bit(60)::bigint"


def salt_of(campaign: Campaign, phase: CampaignPhase) -> str:
    """What makes the draw another one for each campaign and phase."""
    return f"{phase}:{campaign.id}:"


def allot(people: Mapping[str, int], size: int) -> dict[str, int]:
    """How many of each group make a slice of `size`: in proportion, and at least one of each.

    By largest remainders; where `size` is below the number of groups, the largest have one each.
    """
    groups = sorted((name for name in people if people[name]), key=lambda name: (-people[name], name))
    total = sum(people[name] for name in groups)
    size = min(size, total)
    if size <= len(groups):
        return dict.fromkeys(groups[:size], 1)
    exact = {name: size * people[name] / total for name in groups}
    given = {name: max(1, floor(exact[name])) for name in groups}
    while sum(given.values()) > size:
        given[max(groups, key=lambda name: (given[name] - exact[name], given[name]))] -= 1
    by_need = sorted(groups, key=lambda name: given[name] - exact[name])
    for name in by_need[: size - sum(given.values())]:
        given[name] += 1
    return given


@dataclass(frozen=True)
class Rows:
    """Where a campaign's held rows are: its source, its month, and why they are held."""

    source: str
    first: int
    end: int
    reason: str

    @classmethod
    def of(cls, campaign: Campaign) -> Rows:
        assert campaign.starts_at is not None  # noqa: S101
        period = outbox.period_of(campaign.starts_at)
        ends = outbox.first_id(period), outbox.first_id(period + 1)
        return cls(outbox.campaign_source(campaign.id), *ends, waits_for(campaign))

    def values(self) -> dict[str, Any]:
        return {"source": self.source, "first": self.first, "end": self.end, "reason": self.reason}


# The second condition is the index's own; see `ix_deliveries_aside`.
HELD = """
    d.source = :source AND d.state = 'held' AND d.state NOT IN ('planned', 'sending', 'accepted')
    AND d.id >= :first AND d.id < :end AND d.reason = :reason
"""
_COUNT = text(f"SELECT count(*) FROM deliveries AS d WHERE {HELD}")  # noqa: S608
_ANY = text(f"SELECT EXISTS (SELECT FROM deliveries AS d WHERE {HELD})")  # noqa: S608
_DOMAINS = text(f"""
    SELECT split_part(s.email_key, '@', 2) AS domain, count(*) AS people
    FROM deliveries AS d JOIN subscribers AS s ON s.id = d.subscriber_id WHERE {HELD}
    GROUP BY 1 HAVING count(*) >= :large OR split_part(s.email_key, '@', 2) = ANY(CAST(:known AS text[]))
    """)  # noqa: S608
_GROUP = """
    LEFT JOIN unnest(CAST(:domains AS text[]), CAST(:groups AS text[])) AS g (domain, name)
      ON g.domain = split_part(s.email_key, '@', 2)
"""
_CUTS_BY_GROUP = text(f"""
    SELECT o.name, max(o.drawn) AS cut FROM (
        SELECT coalesce(g.name, '') AS name, {DRAWN} AS drawn,
               row_number() OVER (PARTITION BY coalesce(g.name, '') ORDER BY {DRAWN}) AS place
        FROM deliveries AS d JOIN subscribers AS s ON s.id = d.subscriber_id {_GROUP} WHERE {HELD}
    ) AS o
    JOIN unnest(CAST(:names AS text[]), CAST(:most AS bigint[])) AS q (name, most) ON q.name = o.name
    WHERE o.place <= q.most GROUP BY 1
    """)  # noqa: S608
_CUTS_BY_PLACE = text(f"""
    SELECT o.drawn FROM (
        SELECT {DRAWN} AS drawn, row_number() OVER (ORDER BY {DRAWN}) AS place
        FROM deliveries AS d WHERE {HELD}
    ) AS o WHERE o.place = ANY(CAST(:places AS bigint[])) ORDER BY 1
    """)  # noqa: S608


def count_held(session: Session, rows: Rows) -> int:
    """How many rows wait for a phase."""
    return int(session.execute(_COUNT, rows.values()).scalar_one())


def any_held(session: Session, rows: Rows) -> bool:
    """Whether any row waits for a phase."""
    return bool(session.execute(_ANY, rows.values()).scalar_one())


def canary_cuts(session: Session, rows: Rows, salt: str, size: int) -> dict[str, Any]:
    """A slice of `size` over the domains: whoever draws at most the cut of their group is in it."""
    waiting = count_held(session, rows)
    known = {domain: group for group, domains in GROUPS.items() for domain in domains}
    values = {**rows.values(), "large": max(1, LARGE * waiting), "known": as_array(known)}
    by_domain = session.execute(_DOMAINS, values).all()
    groups = {domain: known.get(domain, domain) for domain, _ in by_domain}
    people: dict[str, int] = {}
    for domain, number in by_domain:
        people[groups[domain]] = people.get(groups[domain], 0) + number
    rest = waiting - sum(people.values())
    share = allot({**people, OTHERS: rest}, size)
    cuts = session.execute(
        _CUTS_BY_GROUP,
        {
            **rows.values(),
            "salt": salt,
            "domains": as_array(groups),
            "groups": as_array(groups.values()),
            "names": as_array(share),
            "most": as_array(share.values()),
        },
    )
    return {"groups": groups, "share": share, "cuts": dict(cuts.all())}


def test_cuts(session: Session, rows: Rows, salt: str, size: int, variants: int) -> list[int]:
    """What to draw for each variant: at most the first number for A, at most the second for B, and so on.

    As many for each variant, as far as `size` can be shared out.
    """
    places = [size * number // variants for number in range(1, variants + 1)]
    values = {**rows.values(), "salt": salt, "places": as_array(places)}
    return list(session.execute(_CUTS_BY_PLACE, values).scalars())


test_cuts.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test


# Without locks but on what is let go, those in the order of their ids as everybody has them. The first look
# walks along the index and is all that a step costs, however many rows there are. No part is joined to
# another but by the key of deliveries: nobody knows beforehand how many rows a part has, and a loop over two
# of them took half a minute for ten thousand.
_LET_GO = """
    WITH looked AS MATERIALIZED (
        SELECT d.id, d.subscriber_id FROM deliveries AS d
        WHERE d.source = :source AND d.state = 'held' AND d.state NOT IN ('planned', 'sending', 'accepted')
          AND d.id > :after AND d.id < :end
        ORDER BY d.id LIMIT :limit
    ), chosen AS MATERIALIZED (
        SELECT o.id, o.variant FROM ({which}) AS o WHERE o.variant IS NOT NULL
    ), locked AS MATERIALIZED (
        SELECT d.id, chosen.variant FROM chosen JOIN deliveries AS d ON d.id = chosen.id
        WHERE d.id > :after AND d.id < :end AND d.state = 'held' AND d.reason = :reason
        ORDER BY d.id FOR UPDATE OF d
    ), moved AS (
        UPDATE deliveries AS d
        SET state = 'planned', reason = '', due_at = :now, next_attempt_at = :now,
            message_id = coalesce((
                SELECT m.becomes
                FROM unnest(CAST(:variants AS int[]), CAST(:was AS bigint[]), CAST(:becomes AS bigint[]))
                    AS m (variant, was, becomes)
                WHERE m.variant = locked.variant AND m.was = d.message_id
            ), d.message_id)
        FROM locked WHERE d.id = locked.id AND d.id > :after AND d.id < :end
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM looked) AS looked, (SELECT max(id) FROM looked) AS last,
           (SELECT count(*) FROM moved) AS moved
"""
# Whoever is in no slice has no variant.
_IN_CANARY = f"""
    SELECT d.id, CASE WHEN {DRAWN} <= c.cut THEN {DRAWN} % :many END AS variant
    FROM looked AS d JOIN subscribers AS s ON s.id = d.subscriber_id {_GROUP}
    JOIN unnest(CAST(:names AS text[]), CAST(:cuts AS bigint[])) AS c (name, cut)
      ON c.name = coalesce(g.name, '')
"""  # noqa: S608
_IN_TEST = f"""
    SELECT d.id, CASE WHEN {DRAWN} <= :last_cut THEN
        (SELECT count(*) FROM unnest(CAST(:cuts AS bigint[])) AS c (cut) WHERE c.cut < {DRAWN}) END AS variant
    FROM looked AS d
"""  # noqa: S608
_ALL = "SELECT d.id, CAST(:winner AS int) AS variant FROM looked AS d"


@dataclass(frozen=True)
class Step:
    """One step of letting go: rows looked at, how many of them were let go, and the last id (None: none)."""

    looked: int
    moved: int
    last: int | None


def let_go(session: Session, campaign: Campaign, trial: Trial | None, now: datetime, limit: int) -> Step:
    """Plan those of the next `limit` held rows that the campaign's phase lets go, as their variant.

    A row is let go once: it is held no more. What somebody holds by hand stays so.
    """
    which, chosen = _which(campaign, trial)
    row = session.execute(
        text(_LET_GO.format(which=which)),
        {
            **Rows.of(campaign).values(),
            **_messages(trial),
            **chosen,
            "after": campaign.let_go_up_to,
            "limit": limit,
            "now": now,
        },
    ).one()
    place = tally.Place(Lane.CAMPAIGN, outbox.campaign_source(campaign.id), DeliveryKind.CAMPAIGN, None)
    tally.note(session, {tally.Change(place, DeliveryState.HELD, DeliveryState.PLANNED): row.moved})
    if row.moved:
        ask_to_wake(session, Lane.CAMPAIGN)
    return Step(row.looked, row.moved, row.last)


def _which(campaign: Campaign, trial: Trial | None) -> tuple[str, dict[str, Any]]:
    """The rows of this phase with the number of their variant, as a statement and its parameters."""
    phase = CampaignPhase(campaign.phase)
    salt = salt_of(campaign, phase)
    found = campaign.findings.get(phase, {})
    if phase is CampaignPhase.CANARY:
        return _IN_CANARY, {
            "salt": salt,
            "many": len(trial.variants) if trial else 1,
            "domains": as_array(found["groups"]),
            "groups": as_array(found["groups"].values()),
            "names": as_array(found["cuts"]),
            "cuts": as_array(found["cuts"].values()),
        }
    if phase is CampaignPhase.TEST:
        cuts: Sequence[int] = found["cuts"]
        return _IN_TEST, {"salt": salt, "cuts": as_array(cuts), "last_cut": cuts[-1] if cuts else -1}
    winner = campaign.findings.get(CampaignPhase.TEST, {}).get("winner")
    numbers = [one.name for one in trial.variants] if trial else []
    return _ALL, {"winner": numbers.index(winner) if winner else 0}


def _messages(trial: Trial | None) -> dict[str, str]:
    """For each variant's number, what A's message in a language becomes."""
    rows = []
    for number, variant in enumerate(trial.variants if trial else ()):
        first = trial.variants[0].messages if trial else {}
        rows += [(number, was, variant.messages[language]) for language, was in first.items()]
    return {
        "variants": as_array(number for number, _, _ in rows),
        "was": as_array(was for _, was, _ in rows),
        "becomes": as_array(becomes for _, _, becomes in rows),
    }
