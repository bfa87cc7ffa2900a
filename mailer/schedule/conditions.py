"""Which of a course's rules its readers meet, asked for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.models import Subscriber
from mailer.rules import Rule, as_sql, expand, parse
from mailer.schedule.courses import CoursePlan


@dataclass(frozen=True)
class Met:
    """The rules that one person meets, None where nobody asked; `stop` is the one that ends the course."""

    holds: frozenset[str] | None = None
    stop: str = ""


NOT_ASKED = Met()


def rules_of(session: Session, plan: CoursePlan) -> dict[str, Rule]:
    """The rules of a course's steps and exits by their texts; empty for a course without any."""
    texts = {*(step.condition for step in plan.steps), *plan.flow.stop_when} - {""}
    return {text: expand(session, parse(text, plan.slug)) for text in sorted(texts)}


def look(
    session: Session, plan: CoursePlan, subscriber_ids: Sequence[int], now: datetime
) -> Mapping[int, Met]:
    """What each of these people meets of the course's rules; empty for a course without any.

    One statement for all of them. Raises BadRule for a rule whose segment is gone.
    """
    rules = rules_of(session, plan)
    if not rules:
        return {}
    columns = [as_sql(rule, now) for rule in rules.values()]
    rows = session.execute(
        select(Subscriber.id, *(column.label(f"rule_{at}") for at, column in enumerate(columns))).where(
            Subscriber.id.in_(subscriber_ids)
        )
    )
    return {who: met_of(plan, dict(zip(rules, answers, strict=True))) for who, *answers in rows}


def met_of(plan: CoursePlan, answers: Mapping[str, bool]) -> Met:
    """What a person meets, from which of the rules hold of them."""
    held = frozenset(text for text, is_met in answers.items() if is_met)
    return Met(held, next((text for text in plan.flow.stop_when if text in held), ""))


def meets(session: Session, text: str, course: str, subscriber_id: int, now: datetime) -> bool:
    """Whether one person meets a rule of a course; an empty one is met by everybody."""
    if not text:
        return True
    rule = expand(session, parse(text, course))
    found = session.execute(select(Subscriber.id).where(Subscriber.id == subscriber_id, as_sql(rule, now)))
    return found.one_or_none() is not None
