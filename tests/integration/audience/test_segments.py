"""Segments: saved, counted, made of each other, and refused when they would not make sense."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.segments import checked, list_segments, look_at, remove_segment, rule_of, save_segment
from mailer.audience.subscribers import Person, add_subscriber
from mailer.errors import NotFound, Refused
from mailer.models import Course, Step
from mailer.rules import BadRule
from tests.support.cast import ADA, BEN, CLEO, publish_folder, write_course


@pytest.fixture
def people(session: Session) -> Session:
    add_subscriber(session, Person(ADA, tags=("vip",), language="de"))
    add_subscriber(session, Person(BEN, tags=("vip",)))
    add_subscriber(session, Person(CLEO))
    return session


def found(session: Session, slug: str, now: datetime) -> tuple[int, tuple[str, ...]]:
    looked = look_at(session, rule_of(session, slug), now)
    return looked.people, looked.sample


def test_a_segment_is_a_rule_and_never_a_copy(people: Session, now: datetime) -> None:
    save_segment(people, "keen", 'tag "vip"', "Keen readers", now)
    assert found(people, "keen", now) == (2, (ADA, BEN))
    add_subscriber(people, Person(CLEO, tags=("vip",)))
    assert found(people, "keen", now) == (3, (ADA, BEN, CLEO))


def test_a_segment_may_be_made_of_others(people: Session, now: datetime) -> None:
    save_segment(people, "keen", 'tag "vip"', "", now)
    save_segment(people, "german", 'in segment "keen" and language is "de"', "", now)
    assert found(people, "german", now) == (1, (ADA,))
    # The inner one changes, and so does the outer one.
    save_segment(people, "keen", 'not tag "vip"', "", now)
    assert found(people, "german", now) == (0, ())


def test_segments_that_go_round_in_a_circle_are_refused(people: Session, now: datetime) -> None:
    save_segment(people, "one", 'tag "vip"', "", now)
    save_segment(people, "two", 'in segment "one"', "", now)
    with pytest.raises(BadRule, match="circle"):
        save_segment(people, "one", 'in segment "two"', "", now)
    with pytest.raises(BadRule, match="made of itself"):
        save_segment(people, "three", 'in segment "three"', "", now)


def test_segments_in_segments_come_to_an_end(people: Session, now: datetime) -> None:
    """Each names the one before twice, so the eighth would be that of 256 rules."""
    save_segment(people, "s0", 'tag "vip"', "", now)
    with pytest.raises(BadRule, match="more than 200 segments"):
        for number in range(1, 9):
            save_segment(
                people, f"s{number}", f'in segment "s{number - 1}" or not in segment "s{number - 1}"', "", now
            )


def test_a_segment_is_not_made_so_big_that_another_or_a_course_cannot_be_asked(
    people: Session, now: datetime, tmp_path: Path
) -> None:
    save_segment(people, "keen", 'tag "vip"', "", now)
    save_segment(people, "inner", 'tag "vip"', "", now)
    save_segment(people, "middle", " or ".join(['in segment "inner"'] * 70), "", now)
    save_segment(people, "outer", 'not in segment "middle"', "", now)
    # Seventy times the inner one, and in each of these two more: 1 + 70 + 140.
    with pytest.raises(BadRule, match=r'"middle" is made of "inner".*200'), people.begin_nested():
        save_segment(people, "inner", 'in segment "keen" and not in segment "keen"', "", now)
    course = publish_folder(people, write_course(tmp_path / "calm"), now)
    many = " or ".join(['in segment "lone"'] * 70)
    save_segment(people, "lone", 'tag "vip"', "", now)
    course.flow = {"stop_when": [many]}
    people.flush()
    with pytest.raises(BadRule, match=r'The course "calm" asks for "lone".*200'):
        save_segment(people, "lone", 'in segment "keen" and not in segment "keen"', "", now)


def test_a_segment_that_another_is_made_of_is_not_removed(people: Session, now: datetime) -> None:
    save_segment(people, "one", 'tag "vip"', "", now)
    save_segment(people, "two", 'in segment "one"', "", now)
    with pytest.raises(Refused, match="two is made of one"):
        remove_segment(people, "one")
    remove_segment(people, "two")
    remove_segment(people, "one")
    assert list_segments(people) == []
    with pytest.raises(NotFound):
        rule_of(people, "one")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ('on list "nowhere"', "no list"),
        ('finished "nothing"', "no course"),
        ('in segment "none"', "no segment"),
        ("field shoesize >= 40", "no field"),
        ('zone is "Europe/Lisbonn"', "did you mean Europe/Lisbon"),
    ],
)
def test_a_rule_about_what_is_not_there_is_refused(
    people: Session, rule: str, words: str, now: datetime
) -> None:
    with pytest.raises(BadRule, match=words):
        checked(people, rule)


def test_a_segment_that_a_course_asks_for_is_not_removed(
    people: Session, tmp_path: Path, now: datetime
) -> None:
    for slug in ("keen", "gone", "done"):
        save_segment(people, slug, 'tag "vip"', "", now)
    publish_folder(people, write_course(tmp_path / "calm"), now)
    course = people.execute(select(Course).where(Course.slug == "calm")).scalar_one()
    step = people.execute(select(Step).order_by(Step.id).limit(1)).scalar_one()
    # "week 1" is the course's own.
    step.condition = 'in segment "keen" and answered "done" to week 1'
    course.flow = {"stop_when": ['in segment "gone"'], "then": [{"course": "more", "when": 'tag "a"'}]}
    for slug in ("keen", "gone"):
        with pytest.raises(Refused, match=f"The course calm asks for {slug}"):
            remove_segment(people, slug)
    course.flow, step.retired_at = {}, now
    for slug in ("keen", "gone", "done"):
        remove_segment(people, slug)
    assert list_segments(people) == []
