"""The rule language: text to rule, or a sentence that says what is wrong, where, and what to write."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import VisitError

from mailer.errors import MailerError
from mailer.models import Answer
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

LONGEST = 2000
MOST_DAYS = 36_500
UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""A null, and the halves of characters that bytes which are not UTF-8 become on the command line."""


class BadRule(MailerError):
    """All that rules can ask is in docs/segments.md."""


GRAMMAR = r"""
    ?start: some
    ?some: every ("or" every)*
    ?every: one ("and" one)*
    ?one: "not" one -> negation
        | "(" some ")"
        | condition

    ?condition: "tag" TEXT                                  -> tag
        | "on" "list" TEXT                                  -> on_list
        | "joined" "list" TEXT span                         -> joined
        | "field" NAME "is" TEXT                            -> field_is
        | "field" NAME "is" "not" TEXT                      -> field_is_not
        | "field" NAME "is" NUMBER                          -> field_is
        | "field" NAME "is" YES_NO                          -> field_is
        | "field" NAME "is" DATE                            -> field_is
        | "field" NAME "contains" TEXT                      -> field_contains
        | "field" NAME OPERATOR (NUMBER | DATE)             -> field_compared
        | "field" NAME "is" "set"                           -> field_set
        | "field" NAME "is" "today"                         -> field_today
        | "field" NAME "is" "in" NUMBER DAYS                -> field_ahead
        | "field" NAME "is" NUMBER DAYS "ago"               -> field_ago
        | "language" "is" TEXT                              -> language
        | "zone" "is" TEXT                                  -> zone
        | "enrolled" "in" TEXT [span]                       -> enrolled
        | "finished" TEXT [span]                            -> finished
        | "stopped" TEXT [span]                             -> stopped
        | "reached" "step" TEXT ["of" TEXT]                 -> reached
        | "answered" TEXT "to" "week" NUMBER ["of" TEXT]    -> answered
        | "clicked" TEXT [within]                           -> clicked
        | "clicked" "anything" [within]                     -> clicked_any
        | "mailed" within                                   -> mailed
        | "in" "segment" TEXT                               -> in_segment

    ?span: within -> within_span
        | "more" "than" NUMBER DAYS "ago" -> more_span
    within: "within" NUMBER DAYS

    DAYS.2: /days?\b/
    YES_NO.2: /(yes|no)\b/
    DATE.3: /[0-9]{4}-[0-9]{2}-[0-9]{2}/
    NUMBER: /-?[0-9]+(\.[0-9]+)?/
    OPERATOR: ">=" | "<=" | ">" | "<"
    NAME: /[a-z][a-z0-9_]*/
    TEXT: /"[^"\n]*"/
    %ignore /[ \t\r\n]+/
"""


@v_args(inline=True)
class _Reader(Transformer[Token, Rule]):
    """Each alternative of the grammar as the value it means. `course` is the one that is meant unnamed."""

    def __init__(self, course: str | None) -> None:
        super().__init__()
        self._course = course

    def TEXT(self, token: Token) -> str:  # noqa: N802  (Lark's way to name a terminal's own method)
        return str(token)[1:-1].strip()

    def some(self, *parts: Rule) -> Rule:
        return Some(parts)

    def every(self, *parts: Rule) -> Rule:
        return All(parts)

    def negation(self, part: Rule) -> Rule:
        return Not(part)

    def within(self, number: Token, _days: Token) -> int:
        return _days_of(number)

    def within_span(self, days: int) -> Span:
        return Span(days)

    def more_span(self, number: Token, _days: Token) -> Span:
        return Span(_days_of(number), is_more=True)

    def tag(self, name: str) -> Rule:
        return Tag(_named(name, "tag").lower())

    def on_list(self, slug: str) -> Rule:
        return OnList(_named(slug, "list"))

    def joined(self, slug: str, span: Span) -> Rule:
        return OnList(_named(slug, "list"), span)

    def field_is(self, key: Token, value: str | Token) -> Rule:
        return Field(str(key), Compare.IS, _literal(value))

    def field_is_not(self, key: Token, value: str) -> Rule:
        return Not(Field(str(key), Compare.IS, value))

    def field_contains(self, key: Token, value: str) -> Rule:
        return Field(str(key), Compare.CONTAINS, _named(value, "text"))

    def field_compared(self, key: Token, operator: Token, value: Token) -> Rule:
        return Field(str(key), Compare(str(operator)), _literal(value))

    def field_set(self, key: Token) -> Rule:
        return Field(str(key), Compare.SET)

    def field_today(self, key: Token) -> Rule:
        return Field(str(key), Compare.DAY, 0)

    def field_ahead(self, key: Token, number: Token, _days: Token) -> Rule:
        return Field(str(key), Compare.DAY, _days_of(number))

    def field_ago(self, key: Token, number: Token, _days: Token) -> Rule:
        return Field(str(key), Compare.DAY, -_days_of(number))

    def language(self, tag: str) -> Rule:
        return Language(_named(tag, "language").lower())

    def zone(self, name: str) -> Rule:
        return Zone(_named(name, "zone"))

    def enrolled(self, course: str, span: Span | None) -> Rule:
        return InCourse(Where.ENROLLED, _named(course, "course"), span)

    def finished(self, course: str, span: Span | None) -> Rule:
        return InCourse(Where.FINISHED, _named(course, "course"), span)

    def stopped(self, course: str, span: Span | None) -> Rule:
        return InCourse(Where.STOPPED, _named(course, "course"), span)

    def reached(self, step: str, course: str | None) -> Rule:
        return Reached(_named(step, "step"), self._of(course))

    def answered(self, answer: str, week: Token, course: str | None) -> Rule:
        words = answer.lower().replace(" ", "-")
        if words not in set(Answer):
            raise BadRule(f'"{answer}" is no answer to a check-in; write "done", "not-yet" or "too-hard".')
        number = _days_of(week)
        return Answered(words, number, self._of(course))

    def clicked(self, url: str, days: int | None) -> Rule:
        return Clicked(_named(url, "link"), days)

    def clicked_any(self, days: int | None) -> Rule:
        return Clicked(None, days)

    def mailed(self, days: int) -> Rule:
        return Mailed(days)

    def in_segment(self, slug: str) -> Rule:
        return InSegment(_named(slug, "segment"))

    def _of(self, course: str | None) -> str:
        if course or self._course:
            return course or str(self._course)
        raise BadRule('Which course is meant? Write … of "its-slug" behind it.')


def _named(text: str, what: str) -> str:
    if not text:
        raise BadRule(f"The {what} between the quotes is empty; write its name.")
    return text


def _days_of(number: Token) -> int:
    if not str(number).isdecimal() or int(number) > MOST_DAYS:
        raise BadRule(f"{number} is not a whole number from 0 to {MOST_DAYS:,}.")
    return int(number)


def _literal(value: str | Token) -> str | float | bool | date:
    if not isinstance(value, Token):
        return value
    match value.type:
        case "YES_NO":
            return str(value) == "yes"
        case "DATE":
            try:
                return date.fromisoformat(str(value))
            except ValueError:
                raise BadRule(f"{value} is not a date of the calendar; write it as 2027-03-31.") from None
    return float(value)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=True)


@lru_cache(maxsize=1024)
def parse(text: str, course: str | None = None) -> Rule:
    """The rule that `text` says; raises BadRule. `course` is meant where a rule names none."""
    if len(text) > LONGEST:
        raise BadRule(f"A rule may have {LONGEST:,} characters; save parts of it as segments.")
    if not text.strip():
        raise BadRule('The rule is empty; write for instance tag "vip".')
    if UNSTORABLE.search(text):
        raise BadRule("The rule has a character that PostgreSQL cannot store; type it again, plainly.")
    try:
        rule: Rule = _Reader(course).transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise BadRule(_unexpected(text, error)) from None
    except VisitError as error:
        if isinstance(error.orig_exc, MailerError):
            raise error.orig_exc from None
        raise
    except RecursionError:
        raise BadRule("The rule is nested too deeply; save parts of it as segments.") from None
    return rule


def _unexpected(text: str, error: UnexpectedInput) -> str:
    place = getattr(error, "column", -1)
    expected: Any = getattr(error, "accepts", None) or getattr(error, "expected", None) or set()
    words = sorted({_word(name) for name in expected} - {""})
    before = text[: error.pos_in_stream] if error.pos_in_stream is not None else text
    where = f"after {before.strip()[-40:]!r}" if before.strip() else "at its beginning"
    column = f" (character {place})" if isinstance(place, int) and place > 0 else ""
    return f"The rule cannot be read {where}{column}; what may follow there: {', '.join(words)}."


SHOWN = {
    "TEXT": '"text in quotes"',
    "NAME": "a field's name",
    "NUMBER": "a number",
    "DATE": "a date such as 2027-03-31",
    "OPERATOR": ">=",
    "YES_NO": "yes or no",
    "LPAR": "(",
    "RPAR": ")",
    "$END": "the end",
}


def _word(terminal: str) -> str:
    return SHOWN.get(terminal, terminal.lower() if terminal.isalpha() else "")
