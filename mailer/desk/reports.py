"""What campaigns and courses did, in numbers."""

from __future__ import annotations

from datetime import date

from sqlalchemy.orm import Session

from mailer.accounts.rights import Actor, Right, needs
from mailer.db import business_now
from mailer.reports.course_report import COHORTS, CourseFigures, course_figures
from mailer.reports.sent import Overview, overview
from mailer.schedule.courses import get_course


@needs(Right.SEE)
def see_overview(session: Session, _: Actor) -> Overview:
    """The last campaigns and every course."""
    return overview(session, business_now(session))


@needs(Right.SEE)
def see_course(
    session: Session,
    _: Actor,
    slug: str,
    *,
    is_asked: bool,
    before: date | None = None,
    most: int | None = COHORTS,
) -> CourseFigures:
    """One course, step by step; raises NotFound, or TooLong when all of it was asked for in vain.

    Of its cohorts `most` (None: all), those before a Monday where one is said.
    """
    return course_figures(session, get_course(session, slug), is_asked=is_asked, before=before, most=most)
