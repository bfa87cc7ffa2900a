"""Rules as rows: what somebody fills in becomes the rule's text, and the text becomes the same rows again."""

from __future__ import annotations

import pytest

from mailer.models import FieldType
from mailer.rules import BadRule, parse, written
from mailer.rules.rows import BadRows, Group, Row, Rows, rows_of, text_of
from tests.unit.rules.test_reading_rules import SAID

FIELDS = {
    "city": FieldType.TEXT,
    "age": FieldType.NUMBER,
    "renewal": FieldType.DATE,
    "member": FieldType.YES_NO,
}


@pytest.mark.parametrize("rule", [rule for rule, _ in SAID])
def test_a_rule_is_written_as_it_is_read(rule: str) -> None:
    read = parse(rule, "calm")
    assert parse(written(read)) == read


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Row("tag", "has", " VIP "), 'tag "vip"'),
        (Row("tag", "has", "vip", is_not=True), 'not tag "vip"'),
        (Row("list", "on", "news"), 'on list "news"'),
        (Row("list", "joined-before", "news", "7"), 'joined list "news" more than 7 days ago'),
        (Row("field:city", "contains", "bris"), 'field city contains "bris"'),
        (Row("field:age", ">=", "40"), "field age >= 40"),
        (Row("field:age", "is", "12.5"), "field age is 12.5"),
        (Row("field:renewal", "<", "2027-03-31"), "field renewal < 2027-03-31"),
        (Row("field:renewal", "behind", "", "3"), "field renewal is 3 days ago"),
        (Row("field:renewal", "today"), "field renewal is today"),
        (Row("field:member", "no"), "field member is no"),
        (Row("field:city", "set", is_not=True), "not field city is set"),
        (Row("language", "is", "de"), 'language is "de"'),
        (Row("zone", "is", "Europe/Lisbon"), 'zone is "Europe/Lisbon"'),
        (Row("course", "enrolled-within", "calm", "7"), 'enrolled in "calm" within 7 days'),
        (Row("course", "stopped", "calm"), 'stopped "calm"'),
        (Row("step", "reached", "calm/rest"), 'reached step "rest" of "calm"'),
        (Row("answer", "too-hard", "calm", "2"), 'answered "too-hard" to week 2 of "calm"'),
        (Row("click", "any"), "clicked anything"),
        (Row("click", "link-within", "https://a.example", "9"), 'clicked "https://a.example" within 9 days'),
        (Row("mailed", "within", "", "30", is_not=True), "not mailed within 30 days"),
        (Row("segment", "in", "keen"), 'in segment "keen"'),
    ],
)
def test_each_row_is_a_condition_and_comes_back_from_it(row: Row, text: str) -> None:
    assert text_of(Rows((row,)), FIELDS) == text
    again = rows_of(parse(text), FIELDS)
    assert again is not None
    assert text_of(again, FIELDS) == text
    assert again.own[0].operator == row.operator


def test_rows_and_groups_are_joined_by_all_or_any() -> None:
    keen = Group((Row("tag", "has", "a"), Row("tag", "has", "b")), is_any=True)
    not_old = Group((Row("list", "on", "old"), Row("tag", "has", "c")), is_not=True)
    rows = Rows((Row("language", "is", "de"),), (keen, not_old))
    text = 'language is "de" and (tag "a" or tag "b") and not (on list "old" and tag "c")'
    assert text_of(rows, FIELDS) == text
    assert rows_of(parse(text), FIELDS) == rows


@pytest.mark.parametrize(
    "rule",
    [
        '(tag "a" or (tag "b" and (tag "c" or tag "d")))',  # two levels of groups
        'not not tag "a"',
        'field shoes is "big"',  # no such field
        "field city is yes",  # of another type
        'field city is ""',
    ],
)
def test_what_rows_cannot_show_stays_text(rule: str) -> None:
    assert rows_of(parse(rule), FIELDS) is None


def test_each_wrong_row_says_what_is_wrong_with_it() -> None:
    rows = Rows(
        (Row("tag", "has", ""), Row("tag", "has", "vip"), Row("field:age", "is", "many")),
        (Group((Row("mailed", "within", "", "often"), Row("field:renewal", "is", "soon"))),),
    )
    with pytest.raises(BadRows) as told:
        text_of(rows, FIELDS)
    assert set(told.value.at) == {(0, 0), (0, 2), (1, 0), (1, 1)}
    assert "not a number" in told.value.at[0, 2]


@pytest.mark.parametrize("value", ['x" or tag "y', "x\ntag", 'quote"'])
def test_no_value_can_become_a_part_of_the_rule(value: str) -> None:
    with pytest.raises(BadRule):
        text_of(Rows((Row("tag", "has", value),)), FIELDS)


def test_days_and_operators_that_nobody_offered_are_refused_or_passed_over() -> None:
    with pytest.raises(BadRows):
        text_of(Rows((Row("mailed", "within", "", '1 days or tag "x"'),)), FIELDS)
    assert text_of(Rows((Row("tag", 'has" or', "vip"),)), FIELDS) == 'tag "vip"'
    with pytest.raises(BadRows):
        text_of(Rows((Row("field:nobody", "is", "1"),)), FIELDS)


def test_no_row_at_all_is_no_rule() -> None:
    with pytest.raises(BadRule, match="Add a row"):
        text_of(Rows(), FIELDS)
