"""One small rule language, for segments, conditions, exits and triggers: asked in SQL and in Python."""

from __future__ import annotations

from mailer.rules.check import expand, problems
from mailer.rules.facts import CourseFact, Facts, holds
from mailer.rules.grammar import BadRule, parse
from mailer.rules.model import Rule, conditions, is_about_a_day
from mailer.rules.sql import as_sql
from mailer.rules.words import sentence
from mailer.rules.written import written

__all__ = [
    "BadRule",
    "CourseFact",
    "Facts",
    "Rule",
    "as_sql",
    "conditions",
    "expand",
    "holds",
    "is_about_a_day",
    "parse",
    "problems",
    "sentence",
    "written",
]
