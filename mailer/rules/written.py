"""A rule as its text: what `parse` reads back as the same rule."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from mailer.rules.grammar import BadRule
from mailer.rules.model import (
    All,
    Answered,
    Clicked,
    Compare,
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

WHERE_WORDS = {Where.ENROLLED: "enrolled in", Where.FINISHED: "finished", Where.STOPPED: "stopped"}


def written(rule: Rule) -> str:
    """The text of a rule; raises BadRule for a value that no text can hold."""
    match rule:
        case All(parts):
            return " and ".join(_inner(part) for part in parts)
        case Some(parts):
            return " or ".join(_inner(part) for part in parts)
        case Not(part):
            return f"not {_inner(part)}"
    return _condition(rule)


def _inner(rule: Rule) -> str:
    return f"({written(rule)})" if isinstance(rule, All | Some) else written(rule)


def _condition(rule: Rule) -> str:
    match rule:
        case Tag(name):
            return f"tag {_quoted(name)}"
        case OnList(slug, None):
            return f"on list {_quoted(slug)}"
        case OnList(slug, span):
            return f"joined list {_quoted(slug)}{_span(span)}"
        case Field() as field:
            return f"field {field.key} {_compared(field)}"
        case Language(tag):
            return f"language is {_quoted(tag)}"
        case Zone(name):
            return f"zone is {_quoted(name)}"
        case InCourse(where, course, span):
            return f"{WHERE_WORDS[where]} {_quoted(course)}{_span(span)}"
        case Reached(step, course):
            return f"reached step {_quoted(step)} of {_quoted(course)}"
        case Answered(answer, week, course):
            return f"answered {_quoted(answer)} to week {week} of {_quoted(course)}"
        case Clicked(url, days):
            what = _quoted(url) if url else "anything"
            return f"clicked {what}{_span(Span(days) if days is not None else None)}"
        case Mailed(days):
            return f"mailed{_span(Span(days))}"
        case InSegment(slug):
            return f"in segment {_quoted(slug)}"
    raise AssertionError(rule)


def _compared(field: Field) -> str:
    match field.compare, field.value:
        case Compare.SET, _:
            return "is set"
        case Compare.DAY, 0:
            return "is today"
        case Compare.DAY, int() as days:
            return f"is in {days} days" if days > 0 else f"is {-days} days ago"
        case compare, value:
            return f"{compare} {_value(value)}"
    raise AssertionError(field)


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            digits = format(Decimal(repr(value)), "f")
            return digits.rstrip("0").rstrip(".") if "." in digits else digits
        case date():
            return value.isoformat()
    return _quoted(str(value))


def _quoted(text: str) -> str:
    if '"' in text or "\n" in text:
        raise BadRule("A quotation mark or a line end cannot stand in a rule; leave it out.")
    return f'"{text}"'


def _span(span: Span | None) -> str:
    if span is None:
        return ""
    return f" more than {span.days} days ago" if span.is_more else f" within {span.days} days"
