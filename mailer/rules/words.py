"""A rule as a sentence that somebody reads."""

from __future__ import annotations

from datetime import date

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


def sentence(rule: Rule) -> str:
    """What somebody is or did who meets the rule, behind "who": 'has the tag "vip"'."""
    match rule:
        case All(parts):
            return " and ".join(_inner(part) for part in parts)
        case Some(parts):
            return " or ".join(_inner(part) for part in parts)
        case Not(part):
            return f"not ({sentence(part)})"
    return _condition(rule)


def _inner(rule: Rule) -> str:
    return f"({sentence(rule)})" if isinstance(rule, All | Some) else sentence(rule)


def _condition(rule: Rule) -> str:
    match rule:
        case Tag(name):
            return f'has the tag "{name}"'
        case OnList(slug, None):
            return f'is on the list "{slug}"'
        case OnList(slug, span):
            return f'joined the list "{slug}"{_span(span)}'
        case Field() as field:
            return _field(field)
        case Language(tag):
            return f"reads {tag}"
        case Zone(name):
            return f"lives in the time zone {name}"
        case InCourse(Where.ENROLLED, course, span):
            return f'is enrolled in "{course}"' + (f", since{_since(span)}" if span else "")
        case InCourse(where, course, span):
            return f'{where} "{course}"{_span(span)}'
        case Reached(step, course):
            return f'has had the step "{step}" of "{course}"'
        case Answered(answer, week, course):
            return f'answered "{answer}" to week {week} of "{course}"'
        case Clicked(url, days):
            what = f"a link that begins with {url}" if url else "any link"
            return f"followed {what}{_span(Span(days) if days is not None else None)}"
        case Mailed(days):
            return f"got a mail{_span(Span(days))}"
        case InSegment(slug):
            return f'is in the segment "{slug}"'
    raise AssertionError(rule)


def _field(field: Field) -> str:
    match field.compare, field.value:
        case Compare.SET, _:
            return f'has something in the field "{field.key}"'
        case Compare.DAY, 0:
            return f'has today in the field "{field.key}"'
        case Compare.DAY, int() as days:
            when = f"the day in {days} days" if days > 0 else f"the day {-days} days ago"
            return f'has {when} in the field "{field.key}"'
        case compare, value:
            return f'has {_compare(compare)} {_value(value)} in the field "{field.key}"'
    raise AssertionError(field)


def _compare(compare: Compare) -> str:
    words = {
        Compare.LEAST: "at least",
        Compare.MOST: "at most",
        Compare.OVER: "more than",
        Compare.UNDER: "less than",
        Compare.CONTAINS: "a text with",
    }
    return words.get(compare, "just")


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case date():
            return value.isoformat()
    return f'"{value}"'


def _span(span: Span | None) -> str:
    if span is None:
        return ""
    return f" more than {span.days} days ago" if span.is_more else f" within the last {span.days} days"


def _since(span: Span) -> str:
    return f" more than {span.days} days" if span.is_more else f" at most {span.days} days"
