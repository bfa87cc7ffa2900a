"""What a course folder names that must be there when it is published: lists, fields, segments, courses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer import rules
from mailer.content.course_folder import COURSE_FILE, CourseSource, Problem
from mailer.content.course_rules import line_of, rules_of
from mailer.errors import Refused
from mailer.models import Course


def in_order(sources: Sequence[CourseSource]) -> list[CourseSource]:
    """The courses in the order in which they can be published: each behind those that follow it.

    Courses that follow each other in a circle stay in the order given, and are refused when published.
    """
    rest, ordered = list(sources), list[CourseSource]()
    while rest:
        waiting = {source.slug for source in rest}
        free = (one for one in rest if not waiting & {course for course, _ in one.flow.then} - {one.slug})
        following = next(free, rest[0])
        rest.remove(following)
        ordered.append(following)
    return ordered


def refuse_broken_references(session: Session, source: CourseSource) -> None:
    """Raises Refused with a line for each thing that a course names and that is not there."""
    _refuse([*_of_rules(session, source), *_of_follow_ups(session, source)])


def refuse_broken_rules(session: Session, source: CourseSource) -> None:
    """Raises Refused with a line for each thing that a course's rules name and that is not there."""
    _refuse([*_of_rules(session, source)])


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise Refused("\n".join(str(problem) for problem in problems))


def _of_rules(session: Session, source: CourseSource) -> Iterator[Problem]:
    coming = (source.slug, source.list_slug)
    for path, line, text in rules_of(source):
        for sentence in rules.problems(session, rules.parse(text, course=source.slug), coming=coming):
            yield Problem(path, line, f"The rule {text!r} cannot be met.", sentence)


def _of_follow_ups(session: Session, source: CourseSource) -> Iterator[Problem]:
    """Courses that follow must be there, and never lead back: whoever finishes would never be done."""
    courses = [course for course, _ in source.flow.then]
    for number, what, is_circle in wrong_follow_ups(session, source.slug, courses):
        line = line_of(source.lines, "then", number, "course")
        how = "Take this follow-up out, or one of the others."
        yield Problem(
            COURSE_FILE, line, what, how if is_circle else _how_to_publish(source.folder, courses[number])
        )


def wrong_follow_ups(session: Session, slug: str, courses: Sequence[str]) -> Iterator[tuple[int, str, bool]]:
    """Which of these courses cannot follow `slug`: by its position, with what is wrong, and whether it is
    that they would follow each other in a circle."""
    if not courses:
        return
    follows = {**_published(session), slug: tuple(courses)}
    for number, course in enumerate(courses):
        if course not in follows:
            yield number, f"There is no published course {course!r} that could follow.", False
        elif way := _way_back(follows, course, slug):
            yield number, f"The courses follow each other in a circle: {' → '.join((slug, *way))}.", True


def _how_to_publish(folder: Path, course: str) -> str:
    """What to do about a course that has to be there first; its folder often stands beside."""
    beside = folder.parent / course
    if not (beside / COURSE_FILE).is_file():
        return "Publish it first, or mend its name."
    return f"Publish both: `steadypost course publish {folder} {beside}`."


def _published(session: Session) -> dict[str, tuple[str, ...]]:
    """Every published course with the courses that follow it."""
    rows = session.execute(select(Course.slug, Course.flow))
    return {slug: tuple(one["course"] for one in flow.get("then", ())) for slug, flow in rows}


def _way_back(follows: Mapping[str, tuple[str, ...]], start: str, goal: str) -> tuple[str, ...]:
    """The courses from `start` to `goal`, both ends included; empty when there is no way."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        for following in follows.get(way[-1], ()):
            if following not in seen:
                seen.add(following)
                ways.append((*way, following))
    return ()
