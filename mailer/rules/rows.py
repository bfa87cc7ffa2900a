"""Rules as rows that somebody fills in, "what — is — value", with one level of groups; and back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from mailer.models import FieldType
from mailer.rules.grammar import LONGEST, MOST_DAYS, BadRule, parse
from mailer.rules.kinds import DAYS, FIELD, Kind, Takes, kinds
from mailer.rules.model import (
    All,
    Answered,
    Clicked,
    Compare,
    Condition,
    Field,
    InCourse,
    InSegment,
    Language,
    Mailed,
    Not,
    OnList,
    Reached,
    Rule,
    Some,
    Span,
    Tag,
    Where,
    Zone,
)
from mailer.rules.written import written

NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
Place = tuple[int, int]
"""Of a row: its group (0: none) and its number there, from 0."""


@dataclass(frozen=True)
class Row:
    """One condition as it stands in the form: a kind's key, its operator's, and what was filled in."""

    what: str
    operator: str
    value: str = ""
    days: str = ""
    is_not: bool = False


@dataclass(frozen=True)
class Group:
    """Rows that are joined by "and", or by "or" when any of them is enough."""

    rows: tuple[Row, ...] = ()
    is_any: bool = False
    is_not: bool = False


@dataclass(frozen=True)
class Rows:
    """A whole rule: the rows that stand by themselves, and groups, all joined alike."""

    own: tuple[Row, ...] = ()
    groups: tuple[Group, ...] = ()
    is_any: bool = False

    def at(self) -> dict[Place, Row]:
        """Every row by its place."""
        found = {(0, number): row for number, row in enumerate(self.own)}
        for place, group in enumerate(self.groups, start=1):
            found |= {(place, number): row for number, row in enumerate(group.rows)}
        return found


class BadRows(BadRule):
    """Rows that cannot be read: `at` says for each of them why."""

    def __init__(self, at: Mapping[Place, str]) -> None:
        self.at = at
        super().__init__(next(iter(at.values())))


def text_of(rows: Rows, fields: Mapping[str, FieldType]) -> str:
    """The rule that rows say, as its text; raises BadRows, or BadRule when it is none or too long."""
    parts, wrong = dict[Place, Rule](), dict[Place, str]()
    known = kinds(fields)
    for place, row in rows.at().items():
        try:
            parts[place] = _rule_of(row, known)
        except BadRule as error:
            wrong[place] = error.what
    if wrong:
        raise BadRows(wrong)
    if not parts:
        raise BadRule("Add a row: a rule without one would mean nobody in particular.")
    text = written(_whole(rows, parts))
    if len(text) > LONGEST:
        raise BadRule(
            f"These rows make a rule of more than {LONGEST:,} characters; save a part as a segment."
        )
    parse(text)
    return text


def _whole(rows: Rows, parts: Mapping[Place, Rule]) -> Rule:
    whole = [parts[0, number] for number in range(len(rows.own))]
    for place, group in enumerate(rows.groups, start=1):
        if group.rows:
            inner = _joined([parts[place, number] for number in range(len(group.rows))], is_any=group.is_any)
            whole.append(_not(inner) if group.is_not else inner)
    return _joined(whole, is_any=rows.is_any)


def _joined(parts: list[Rule], *, is_any: bool) -> Rule:
    if len(parts) == 1:
        return parts[0]
    return Some(tuple(parts)) if is_any else All(tuple(parts))


def _not(rule: Rule) -> Rule:
    return rule.part if isinstance(rule, Not) else Not(rule)


def rows_of(rule: Rule, fields: Mapping[str, FieldType]) -> Rows | None:
    """The rule as rows, or None when it is nested more deeply than they show, or asks for more."""
    is_any = isinstance(rule, Some)
    own, groups = list[Row](), list[Group]()
    for part in rule.parts if isinstance(rule, All | Some) else (rule,):
        is_not, inner = _bare(part)
        if isinstance(inner, All | Some):
            rows = [_row(one, fields) for one in inner.parts]
            found = tuple(row for row in rows if row is not None)
            if len(found) < len(rows):
                return None
            groups.append(Group(found, isinstance(inner, Some), is_not))
        elif row := _row(part, fields):
            own.append(row)
        else:
            return None
    return Rows(tuple(own), tuple(groups), is_any)


def _bare(rule: Rule) -> tuple[bool, Rule]:
    return (True, rule.part) if isinstance(rule, Not) else (False, rule)


def _row(rule: Rule, fields: Mapping[str, FieldType]) -> Row | None:
    is_not, inner = _bare(rule)
    if isinstance(inner, Not | All | Some):
        return None
    said = _said(inner)
    kind = kinds(fields).get(said.what)
    if kind is None:
        return None
    row = replace(said, is_not=is_not)
    try:
        # A field that is of another type by now, and all else that a row would not give back as it was.
        return row if _condition(row, kind) == inner else None
    except BadRule:
        return None


def _said(rule: Condition) -> Row:
    """A condition as a row."""
    match rule:
        case Tag(name):
            return Row("tag", "has", name)
        case OnList(slug, span):
            return Row("list", _spanned("joined", span) if span else "on", slug, _days(span))
        case Field() as field:
            return _said_of_field(f"{FIELD}{field.key}", field)
        case Language(tag):
            return Row("language", "is", tag)
        case Zone(name):
            return Row("zone", "is", name)
        case InCourse(where, course, span):
            return Row("course", _spanned(where.name.lower(), span), course, _days(span))
        case Reached(step, course):
            return Row("step", "reached", f"{course}/{step}")
        case Answered(answer, week, course):
            return Row("answer", answer, course, str(week))
        case Clicked(url, days):
            span = None if days is None else Span(days)
            return Row("click", _spanned("link" if url else "any", span), url or "", _days(span))
        case Mailed(days):
            return Row("mailed", "within", "", str(days))
        case InSegment(slug):
            return Row("segment", "in", slug)
    raise AssertionError(rule)


def _said_of_field(what: str, field: Field) -> Row:
    match field.compare, field.value:
        case Compare.SET, _:
            return Row(what, "set")
        case Compare.DAY, 0:
            return Row(what, "today")
        case Compare.DAY, int() as days:
            return Row(what, "ahead" if days > 0 else "behind", "", str(abs(days)))
        case Compare.IS, bool() as yes:
            return Row(what, "yes" if yes else "no")
        case compare, float() as number:
            return Row(what, compare, f"{number:.10f}".rstrip("0").rstrip("."))
    return Row(what, field.compare, str(field.value))


def _spanned(key: str, span: Span | None) -> str:
    if span is None:
        return key
    return f"{key}-before" if span.is_more else f"{key}-within"


def _days(span: Span | None) -> str:
    return str(span.days) if span else ""


def _rule_of(row: Row, known: Mapping[str, Kind]) -> Rule:
    if row.what not in known:
        raise BadRule("Choose what is asked.")
    condition = _condition(row, known[row.what])
    written(condition)
    return Not(condition) if row.is_not else condition


def _condition(row: Row, kind: Kind) -> Condition:
    operator = kind.operator(row.operator)
    value = row.value.strip()
    if operator.takes and not value:
        raise BadRule(EMPTY.get(operator.takes, "Choose one."))
    span = _span_of(row, operator.key, operator.days)
    match kind.key:
        case "tag":
            return Tag(value.lower())
        case "list":
            return OnList(value, span)
        case "language":
            return Language(value.lower())
        case "zone":
            return Zone(value)
        case "course":
            return InCourse(Where[operator.key.partition("-")[0].upper()], value, span)
        case "step":
            course, _, step = value.partition("/")
            return Reached(step, course)
        case "answer":
            return Answered(operator.key, _whole_number(row.days, "week"), value)
        case "click":
            url = value if operator.takes else None
            return Clicked(url, span.days if span else None)
        case "mailed":
            return Mailed(_whole_number(row.days, DAYS))
        case "segment":
            return InSegment(value)
    return _field(kind.key.removeprefix(FIELD), operator.key, operator.takes, value, row.days)


EMPTY = {
    Takes.TEXT: "Write what is looked for.",
    Takes.NUMBER: "Write a number.",
    Takes.DATE: "Choose a date.",
    Takes.ZONE: "Write a time zone, such as Europe/Lisbon.",
}


def _field(key: str, operator: str, takes: Takes, value: str, days: str) -> Field:
    match operator:
        case "set":
            return Field(key, Compare.SET)
        case "yes" | "no":
            return Field(key, Compare.IS, operator == "yes")
        case "today":
            return Field(key, Compare.DAY, 0)
        case "ahead":
            return Field(key, Compare.DAY, _whole_number(days, DAYS))
        case "behind":
            return Field(key, Compare.DAY, -_whole_number(days, DAYS))
    if takes is Takes.NUMBER:
        if not NUMBER.fullmatch(value):
            raise BadRule(f"{value[:40]!r} is not a number; write it as 40 or 12.5.")
        return Field(key, Compare(operator), float(value))
    if takes is Takes.DATE:
        try:
            return Field(key, Compare(operator), date.fromisoformat(value))
        except ValueError:
            raise BadRule(f"{value[:40]!r} is not a date; write it as 2027-03-31.") from None
    return Field(key, Compare(operator), value)


def _span_of(row: Row, operator: str, days: str) -> Span | None:
    return Span(_whole_number(row.days, days), operator.endswith("-before")) if days == DAYS else None


def _whole_number(text: str, what: str) -> int:
    plain = text.strip()
    if not (plain.isascii() and plain.isdecimal()) or len(plain) > 9 or int(plain) > MOST_DAYS:
        raise BadRule("Write which week." if what != DAYS else f"Write how many days, up to {MOST_DAYS:,}.")
    return int(plain)
