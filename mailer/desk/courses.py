"""Courses: shown, published, taken back, and the people in them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from mailer.accounts.record import record
from mailer.accounts.rights import Actor, Right, needs
from mailer.audience.subscribers import subscriber_of
from mailer.content.course_source import Problem
from mailer.db import at_most, business_now
from mailer.delivery.one_mail import OneMail
from mailer.delivery.signing import Keyring
from mailer.launch.asked import ask_for_yes, refuse_faulty
from mailer.launch.check import CompiledCourse
from mailer.launch.effect import NOT_BROUGHT
from mailer.launch.forecast import Forecast, forecast
from mailer.launch.foreseen import Foreseen, maker_of
from mailer.launch.invented import Invented
from mailer.launch.link_checks import Links, unasked
from mailer.launch.mailing import of_folder
from mailer.launch.preflight import look, preflight
from mailer.launch.publish import Bring, Plan, plan_publication, publish
from mailer.launch.send_test import STEP_TESTED, compose_test, refuse_many, transport_for_test
from mailer.launch.shown import Shown
from mailer.launch.simulate import Simulation, setting_of, simulate
from mailer.launch.undo import Undone, undo_publication
from mailer.links import Signer
from mailer.models import Course, EnrollmentState, MailingList
from mailer.reports.course_versions import VersionRow, versions_of
from mailer.reports.overview import CourseRow, StepRow, course_steps, courses_overview
from mailer.reports.patience import LONGEST
from mailer.reports.statement import Statement, course_statement
from mailer.schedule import enroll
from mailer.schedule.courses import get_course, load_plan

MOST_ENROLLED = 1000
"""So many people of a list are enrolled at once, so that nobody who leaves meanwhile waits for all."""


@dataclass(frozen=True)
class CourseShown:
    """A published course, the slug of its list, and its steps."""

    course: Course
    list: str
    steps: Sequence[StepRow]


@needs(Right.SEE)
def list_courses(session: Session, _: Actor, after: str, limit: int) -> list[CourseRow]:
    """Published courses with how many people are in which state of each, by their slugs, after `after`."""
    return courses_overview(session, after, limit)


@needs(Right.SEE)
def show_course(session: Session, _: Actor, slug: str) -> CourseShown:
    """One of them with its steps; raises NotFound."""
    course = get_course(session, slug)
    list_ = session.get_one(MailingList, course.list_id)
    return CourseShown(course, list_.slug, course_steps(session, course))


@needs(Right.SEE)
def page_versions(session: Session, _: Actor, slug: str, before: int | None, limit: int) -> list[VersionRow]:
    """For programs: a course's published versions, newest first; raises NotFound."""
    return versions_of(session, get_course(session, slug), before, limit)


@needs(Right.SEE)
def see_statement(session: Session, _: Actor, slug: str) -> Statement:
    """What became of every mail of a course; raises NotFound, or TooLong where that takes too long."""
    course, now = get_course(session, slug), business_now(session)
    with at_most(session, LONGEST):
        return course_statement(session, course, now)


@needs(Right.WRITE)
def plan_course(session: Session, _: Actor, compiled: CompiledCourse) -> Plan:
    """What publishing it would change now, and whom it would reach; raises Refused."""
    return plan_publication(session, compiled, business_now(session))


@needs(Right.WRITE)
def check_course(
    session: Session,
    _: Actor,
    compiled: CompiledCourse,
    found: Sequence[Problem],
    signer: Signer,
    base_url: str,
) -> list[Problem]:
    """What `publish_course` would tell of it, without publishing: `found`, the problems of its files, and
    those of its mails, each made for a sample of its readers."""
    return _all_problems(session, compiled, found, signer, base_url)


def _all_problems(
    session: Session, compiled: CompiledCourse, found: Sequence[Problem], signer: Signer, base_url: str
) -> list[Problem]:
    now = business_now(session)
    return [*found, *preflight(session, of_folder(compiled), signer, base_url, now)]


@needs(Right.SEND)
def unasked_links(
    session: Session, _: Actor, compiled: CompiledCourse, signer: Signer, base_url: str
) -> Links:
    """The addresses that its mails lead to and that nobody asked lately, for `ask_links`."""
    looked = look(session, of_folder(compiled), signer, base_url, business_now(session), math.inf)
    return unasked(session, looked.links)


@needs(Right.SEND)
def publish_course(
    session: Session,
    actor: Actor,
    compiled: CompiledCourse,
    found: Sequence[Problem],
    signer: Signer,
    base_url: str,
    *,
    bring: Bring = NOT_BROUGHT,
    agreed: Collection[str] = (),
) -> Plan:
    """Put a course in place. `found` are the problems of its files, which the preflight adds to.

    Raises FaultyFiles for errors, NotAgreed for warnings that nobody agreed to, and Refused.
    """
    now = business_now(session)
    problems = _all_problems(session, compiled, found, signer, base_url)
    refuse_faulty(f"The course {compiled.source.slug}", problems)
    ask_for_yes((), problems, agreed)
    plan = publish(session, compiled, now, bring=bring)
    if plan.changes:
        record(session, actor, "course publish", 1, course=plan.slug, version=plan.version)
    elif plan.has_other_files:
        record(session, actor, "course keep files", course=plan.slug, version=plan.version)
    return plan


@needs(Right.SEND)
def write_step_tests(
    session: Session,
    actor: Actor,
    slug: str,
    step: str,
    to: Sequence[str],
    *,
    as_email: str,
    signer: Signer,
    base_url: str,
    keyring: Keyring,
) -> list[OneMail]:
    """A published step as a mail to each of these addresses, noted as sent; send them outside the session.

    Raises Refused for too many, and as `compose_test` does.
    """
    now = business_now(session)
    refuse_many(session, actor.who, to, now)
    course = get_course(session, slug)
    way = transport_for_test(session, course)
    made = [
        compose_test(
            *(session, course, step),
            to=address,
            as_email=as_email or None,
            signer=signer,
            base_url=base_url,
            now=now,
            keyring=keyring,
        )
        for address in to
    ]
    record(session, actor, STEP_TESTED, len(made), course=slug, step=step)
    return [OneMail(email, way.id, way.slug) for email in made]


@needs(Right.SEND)
def undo_course(session: Session, actor: Actor, slug: str) -> Undone:
    """Take back the last publication for all that has not been sent; raises NotFound or Refused."""
    undone = undo_publication(session, slug, business_now(session))
    record(session, actor, "course undo", undone.readers, course=slug, version=undone.version)
    return undone


@needs(Right.SEND)
def enroll_subscriber(session: Session, actor: Actor, slug: str, subscriber_id: int) -> str:
    """Put somebody into a course; returns the state they are in, waiting also when one that has ended begins
    again as soon as they confirm. Raises NotFound or NotOnTheList."""
    course, who = get_course(session, slug), subscriber_of(session, subscriber_id)
    enrollment = enroll.enroll(session, course, who, business_now(session))
    record(session, actor, "course enroll", 1, course=slug)
    return EnrollmentState.WAITING if enrollment.waits else enrollment.state


@needs(Right.SEND)
def enroll_list(session: Session, actor: Actor, slug: str) -> int:
    """Put people of the course's list into it, MOST_ENROLLED at most; returns how many were not in it."""
    newly = enroll.enroll_list(session, get_course(session, slug), business_now(session), MOST_ENROLLED)
    if newly:
        record(session, actor, "course enroll", newly, course=slug)
    return newly


@needs(Right.SEE)
def simulate_course(
    session: Session, _: Actor, slug: str, people: Sequence[Invented], start: date | None, weeks: int
) -> Simulation:
    """What these invented people would get from `start` (today) on; nothing is written. Raises NotFound."""
    course = get_course(session, slug)
    plan = load_plan(session, course.id)
    subjects = {step.key: step.subject for step in course_steps(session, course)}
    day = start or business_now(session).date()
    setting = setting_of(session, plan, session.get_one(MailingList, course.list_id).slug)
    return simulate(plan, subjects, people, day, weeks, setting)


@needs(Right.SEE)
def show_foreseen(
    session: Session, _: Actor, slug: str, mail: Foreseen, signer: Signer, base_url: str
) -> Shown:
    """A mail of `simulate_course` as its reader would get it; raises NotFound, Refused, CannotRender."""
    return maker_of(session, slug, mail, signer, base_url).shown()


@needs(Right.SEE)
def look_ahead(session: Session, _: Actor, days: int) -> Forecast:
    """What leaves in the coming days, hour by hour, of courses, campaigns and series."""
    return forecast(session, business_now(session), days)
