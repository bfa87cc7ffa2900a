"""The variables and filters that authors may use in a mail, in one table for checks, previews and docs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mailer.content.author_filters import BOUNDED


class Where(StrEnum):
    """Which mails offer a variable; each offers what those before it do."""

    EVERY_MAIL = "every mail"
    COURSE_MAILS = "a course's mails"
    SYSTEM_MAILS = "system mails"


@dataclass(frozen=True)
class Variable:
    """One thing an author can write between {{ and }}. `sample` is what a preview shows."""

    path: str
    meaning: str
    sample: str | int
    where: Where = Where.EVERY_MAIL


VARIABLES: tuple[Variable, ...] = (
    Variable("greeting", "A line that greets the reader, by name where we know it", "Hello Ada,"),
    Variable("first_name", 'The reader\'s first name; may be empty: write default("…", true)', "Ada"),
    Variable("name", "The reader's whole name; may be empty", "Ada Lovelace"),
    Variable("email", "The address this mail goes to", "ada@example.org"),
    Variable("course.title", "The course's title", "A quiet neck", Where.COURSE_MAILS),
    Variable(
        "course.subtitle",
        "The course's subtitle; may be empty",
        "Thirty days of short letters",
        Where.COURSE_MAILS,
    ),
    Variable("course.days", "How many days the course takes", 30, Where.COURSE_MAILS),
    Variable("course.mails", "How many mails the course sends", 22, Where.COURSE_MAILS),
    Variable("list.title", "What the reader signed up to", "A quiet neck"),
    Variable("sender.name", "Who the mail is from", "The Reading Room"),
    Variable("sender.postal_address", "The sender's postal address", "12 Quiet Lane, Bristol BS1 0AA"),
    Variable("links.view", "This mail as a web page, for this reader", "https://mail.example.org/m/sample"),
    Variable(
        "links.manage", "Where readers choose what they get", "https://mail.example.org/m/sample/manage"
    ),
    Variable(
        "links.pace",
        "Where readers of a course choose their pace: next lesson now, slower, a pause",
        "https://mail.example.org/m/sample/pace",
    ),
    Variable("links.unsubscribe", "Where readers leave", "https://mail.example.org/m/sample/unsubscribe"),
    Variable(
        "links.check_in",
        "Where readers say how a week went",
        "https://mail.example.org/m/sample/check-in",
        Where.COURSE_MAILS,
    ),
    Variable(
        "links.progress",
        "The reader's own page: weeks, letters had and to come",
        "https://mail.example.org/m/sample/progress",
        Where.COURSE_MAILS,
    ),
    Variable(
        "is_repeat", "Whether a week is sent once more, for `{% if is_repeat %}`", False, Where.COURSE_MAILS
    ),
    Variable("progress.weeks_done", "Of how many weeks the reader said “done”", 2, Where.COURSE_MAILS),
    Variable("progress.weeks", "How many weeks the course has", 4, Where.COURSE_MAILS),
    Variable(
        "progress.answers_line",
        "What the reader said of each week, in one line; empty without weeks",
        "Week 1: Done · Week 2: Not yet · Week 3: Done · Week 4: –",
        Where.COURSE_MAILS,
    ),
    Variable(
        "base_url", "This site's public address, without a slash at its end", "https://mail.example.org"
    ),
    Variable(
        "links.confirm",
        "Where readers confirm",
        "https://mail.example.org/confirm/sample",
        Where.SYSTEM_MAILS,
    ),
    Variable(
        "links.data",
        "Where readers take what is kept of them, or have it erased",
        "https://mail.example.org/m/sample/data",
        Where.SYSTEM_MAILS,
    ),
    Variable(
        "first_lesson_on",
        "The first lesson's day, written out",
        "Tuesday, August 4, 2026",
        Where.SYSTEM_MAILS,
    ),
)

CUSTOM_FIELDS = "fields"
"""`fields.<name>` reads a custom field; not everybody has one, so it needs a default(…)."""

FILTERS: Mapping[str, str] = MappingProxyType(
    {
        "default": 'another text when there is none: {{ first_name | default("friend", true) }}',
        "d": "short for default",
        "capitalize": "the first letter large",
        "title": "Every Word Large",
        "upper": "LARGE",
        "lower": "small",
        "trim": "without spaces around it",
        "truncate": "cut to a number of letters",
        "replace": "one text for another",
        "length": "how many letters",
        "int": "as a whole number",
        "float": "as a number",
        "round": "rounded",
        "urlencode": "safe inside a link's address",
    }
)
"""The filters on offer. None of them yields markup: what a reader typed stays text."""

TESTS = frozenset({"defined", "undefined", "none", "eq", "ne", "lt", "le", "gt", "ge", "in", "divisibleby"})


CANNOT_RENDER = (
    *(TemplateError, ArithmeticError, LookupError, TypeError, ValueError),
    *(RecursionError, SyntaxError),  # parentheses or ifs nested deeper than Jinja2 or Python can read
)
"""What an author's template may raise when it is read or filled in."""


class AuthorEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox whose dots and brackets read mappings only: no Python attribute can be reached.

    Jinja2 itself would answer `fields.items` with the dict's method.
    """

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is dict and type(argument) is str:  # nearly always; asking for a Mapping takes longer
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        if isinstance(obj, Mapping) and argument in obj:
            return obj[argument]
        return self.undefined(obj=obj, name=argument)

    getattr = getitem  # type: ignore[assignment]


def author_environment(*, autoescape: bool) -> AuthorEnvironment:
    """The sandbox in which a compiled mail runs: the filters above, no functions, strict about names.

    `autoescape` is True for HTML and False for subjects and text parts. Give it mappings as context.
    """
    environment = AuthorEnvironment(
        autoescape=autoescape,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        optimized=False,  # a constant is worked out when a mail is made, where errors are looked for
    )
    environment.globals = {}
    environment.filters = {name: BOUNDED.get(name, environment.filters[name]) for name in FILTERS}
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


def offered(where: Where) -> tuple[str, ...]:
    """The paths that such a mail may use."""
    ladder = list(Where)
    return tuple(each.path for each in VARIABLES if ladder.index(each.where) <= ladder.index(where))


def sample_context() -> dict[str, object]:
    """A context for previews and checks, with every variable of the table and no custom field."""
    context: dict[str, object] = {CUSTOM_FIELDS: {}}
    for variable in VARIABLES:
        head, _, tail = variable.path.partition(".")
        if tail:
            group = context.setdefault(head, {})
            assert isinstance(group, dict)  # noqa: S101 - the table above never has both `a` and `a.b`
            group[tail] = variable.sample
        else:
            context[head] = variable.sample
    return context
