"""What a rule may say, how it is told back, and what is said of one that cannot be read."""

from __future__ import annotations

import pytest

from mailer.rules import BadRule, parse, sentence

SAID = [
    ('tag "VIP"', 'has the tag "vip"'),
    ('not tag "vip"', 'not (has the tag "vip")'),
    ('on list "news" and not on list "old"', 'is on the list "news" and not (is on the list "old")'),
    (
        'tag "a" or tag "b" and tag "c"',
        'has the tag "a" or (has the tag "b" and has the tag "c")',
    ),
    ('(tag "a" or tag "b") and tag "c"', '(has the tag "a" or has the tag "b") and has the tag "c"'),
    ('joined list "news" within 7 days', 'joined the list "news" within the last 7 days'),
    ('field city is "Bristol"', 'has just "Bristol" in the field "city"'),
    ('field city is not "Bristol"', 'not (has just "Bristol" in the field "city")'),
    ("field age >= 40", 'has at least 40 in the field "age"'),
    ("field member is yes", 'has just yes in the field "member"'),
    ("field renewal < 2027-03-31", 'has less than 2027-03-31 in the field "renewal"'),
    ("field renewal is today", 'has today in the field "renewal"'),
    ("field renewal is in 3 days", 'has the day in 3 days in the field "renewal"'),
    ("field renewal is 3 days ago", 'has the day 3 days ago in the field "renewal"'),
    ("field city is set", 'has something in the field "city"'),
    ('language is "de"', "reads de"),
    ('zone is "Europe/Lisbon"', "lives in the time zone Europe/Lisbon"),
    ('enrolled in "calm" more than 7 days ago', 'is enrolled in "calm", since more than 7 days'),
    ('finished "calm"', 'finished "calm"'),
    ('reached step "rest"', 'has had the step "rest" of "calm"'),
    ('answered "not yet" to week 2', 'answered "not-yet" to week 2 of "calm"'),
    ('answered "done" to week 1 of "other"', 'answered "done" to week 1 of "other"'),
    (
        'clicked "https://example.org/x" within 14 days',
        "followed a link that begins with https://example.org/x within the last 14 days",
    ),
    ("clicked anything", "followed any link"),
    ("mailed within 30 days", "got a mail within the last 30 days"),
    ('in segment "keen"', 'is in the segment "keen"'),
]


@pytest.mark.parametrize(("rule", "said"), SAID)
def test_a_rule_is_told_back_as_a_sentence(rule: str, said: str) -> None:
    assert sentence(parse(rule, "calm")) == said


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", "empty"),
        ("is vip", "at its beginning"),
        ("tag vip", "text in quotes"),
        ('tag "vip" and', "after"),
        ('tag ""', "empty"),
        ('answered "maybe" to week 1', "no answer to a check-in"),
        ("field renewal > 2027-02-30", "not a date"),
        ("mailed within 99999999 days", "whole number"),
        ("(" * 1500 + 'tag "a"' + ")" * 400, "rule"),
        ('field city is "\0"', "cannot store"),
        ('tag "\udcff"', "cannot store"),
        ('tag "a" or ' * 300 + 'tag "a"', "characters"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_may_stand_there(rule: str, words: str) -> None:
    with pytest.raises(BadRule, match=words):
        parse(rule, "calm")


def test_without_a_course_of_its_own_a_rule_must_name_one() -> None:
    with pytest.raises(BadRule, match="Which course"):
        parse('answered "done" to week 1')
