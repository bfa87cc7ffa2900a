"""docs/segments.md shows every condition that the grammar has, and only such as can be read."""

from __future__ import annotations

import re
from pathlib import Path

from lark import Lark

from mailer.rules import parse
from mailer.rules.grammar import GRAMMAR

PAGE = Path(__file__).resolve().parents[3] / "docs" / "segments.md"
SHOWN = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.M)


def used(rule: str) -> set[str]:
    """The alternatives of the grammar that a rule is made of."""
    tree = Lark(GRAMMAR, parser="lalr", maybe_placeholders=True).parse(rule)
    return {str(part.data) for part in tree.iter_subtrees()}


def test_every_condition_in_the_table_can_be_read() -> None:
    assert [parse(rule) for rule in SHOWN]


def test_every_condition_of_the_grammar_is_in_the_table() -> None:
    section = GRAMMAR.partition("?condition:")[2].partition("?span:")[0]
    alternatives = set(re.findall(r"-> (\w+)", section))
    assert alternatives <= {name for rule in SHOWN for name in used(rule)}
