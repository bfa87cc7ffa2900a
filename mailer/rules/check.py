"""What a rule names: whether it is there, and the segments that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from mailer.clock import zone_names
from mailer.models import Course, CustomField, FieldType, MailingList, Segment, Step
from mailer.rules.grammar import BadRule, parse
from mailer.rules.model import (
    All,
    Answered,
    Condition,
    Field,
    InCourse,
    InSegment,
    Not,
    OnList,
    Reached,
    Rule,
    Some,
    Zone,
    conditions,
)

MOST_SEGMENTS = 200
"""Segments in one rule, those inside others counted each time: more is a mistake, and no query."""


def expand(session: Session, rule: Rule) -> Rule:
    """The rule with its segments' own rules in their place.

    Raises BadRule for a segment that is not there or is made of itself, and for more than MOST_SEGMENTS.
    """
    return _expanded(session, rule, (), count())


def _expanded(session: Session, rule: Rule, inside: tuple[str, ...], written: Iterator[int]) -> Rule:
    match rule:
        case InSegment(slug):
            if slug in inside:
                circle = " in ".join(f'"{one}"' for one in (*inside, slug))
                raise BadRule(f"The segments go round in a circle: {circle}; take one of them out.")
            if next(written) >= MOST_SEGMENTS:
                words = f'"{(*inside, slug)[0]}" comes to more than {MOST_SEGMENTS} segments in segments'
                raise BadRule(f"{words}; write its rule out, or name fewer.")
            text = session.execute(select(Segment.rule).where(Segment.slug == slug)).scalar_one_or_none()
            if text is None:
                raise BadRule(f'There is no segment "{slug}"; `steadypost segment list` shows them all.')
            return _expanded(session, parse(text), (*inside, slug), written)
        case Not(part):
            return Not(_expanded(session, part, inside, written))
        case All(parts):
            return All(tuple(_expanded(session, part, inside, written) for part in parts))
        case Some(parts):
            return Some(tuple(_expanded(session, part, inside, written) for part in parts))
    return rule


def problems(session: Session, rule: Rule, *, coming: Iterable[str] = ()) -> list[str]:
    """What the rule names that is not there, a sentence each with what to do.

    `coming` are courses and lists that are being published with it.
    """
    found: list[str] = []
    try:
        whole = expand(session, rule)
    except BadRule as error:
        return [error.what]
    for one in dict.fromkeys(conditions(whole)):
        found += _problems(session, one, frozenset(coming))
    return found


def _problems(session: Session, one: Condition, coming: frozenset[str]) -> list[str]:
    match one:
        case Field(key, _, value):
            return _of_field(session, key, value)
        case OnList(slug, _) if slug not in coming:
            is_there = MailingList.removed_at.is_(None)
            return _missing(session, MailingList.slug, slug, "list", "steadypost list list", is_there)
        case InCourse(_, course, _) | Answered(_, _, course) if course not in coming:
            return _missing(session, Course.slug, course, "course", "steadypost course list")
        case Reached(step, course) if course not in coming:
            missing = _missing(session, Course.slug, course, "course", "steadypost course list")
            return missing or _missing_step(session, step, course)
        case Zone(name) if name not in zone_names():
            near = get_close_matches(name, zone_names(), n=1)
            hint = f"did you mean {near[0]}?" if near else "write an IANA name such as Europe/Lisbon."
            return [f'"{name}" is not a time zone; {hint}']
    return []


def _missing(
    session: Session, column: Any, slug: str, what: str, command: str, *conditions: ColumnElement[bool]
) -> list[str]:
    known = list(session.execute(select(column).where(*conditions)).scalars())
    if slug in known:
        return []
    near = get_close_matches(slug, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"`{command}` shows them all."
    return [f'There is no {what} "{slug}"; {hint}']


def _missing_step(session: Session, key: str, course: str) -> list[str]:
    known = session.execute(select(Step.key).join(Course).where(Course.slug == course)).scalars().all()
    if key in known:
        return []
    near = get_close_matches(key, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"`steadypost course show {course}` shows its steps."
    return [f'The course "{course}" has no step "{key}"; {hint}']


def _of_field(session: Session, key: str, value: object) -> list[str]:
    known = dict(session.execute(select(CustomField.key, CustomField.type)).all())
    if key not in known:
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`steadypost subscriber field` declares one."
        return [f'There is no field "{key}"; {hint}']
    right = {bool: FieldType.YES_NO, float: FieldType.NUMBER, str: FieldType.TEXT}.get(type(value))
    if right is not None and known[key] != right:
        return [f'The field "{key}" is a {known[key]}, so it cannot be compared with {value!r}.']
    return []
