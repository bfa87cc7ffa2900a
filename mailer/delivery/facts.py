"""What the mails of a batch say about their courses, read once per batch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from mailer.delivery.claim import Claimed, Setting
from mailer.delivery.compose import CourseFacts
from mailer.models import Course, Step
from mailer.render.personalize import Templates
from mailer.schedule.answers import newest_answers

PROGRESS = re.compile(r"(?<![\w.])progress\s*[.\[]")
"""The variables `progress.…`, but not `links.progress`; a sentence that ends in the word costs a query."""


def course_facts(session: Session, rows: Iterable[Claimed]) -> dict[int, CourseFacts]:
    """The facts of every course that one of `rows` belongs to, by course id."""
    ids = {row.course_id for row in rows if row.course_id is not None}
    if not ids:
        return {}
    found = session.execute(
        select(
            Course.id,
            Course.title,
            Course.subtitle,
            Course.days,
            Course.zone,
            func.count(Step.id),
            func.coalesce(func.min(Step.day), 1),
            func.array_agg(Step.week.distinct()).filter(Step.week.is_not(None)),
        )
        .outerjoin(
            Step,
            and_(
                Step.course_id == Course.id,
                Step.retired_at.is_(None),
                # Nobody gets a step and also what stands beside it.
                Step.instead_of == "",
                Step.easier_than == "",
            ),
        )
        .where(Course.id.in_(ids))
        .group_by(Course.id)
    )
    return {row[0]: CourseFacts(*row[1:-1], weeks=_in_order(row[-1])) for row in found}


def _in_order(weeks: Iterable[int | None] | None) -> tuple[int, ...]:
    return tuple(sorted(week for week in weeks or () if week is not None))


def said_in(session: Session, rows: Iterable[Claimed], setting: Setting) -> dict[int, dict[int, str]]:
    """What readers answered to their check-ins, by enrollment and week, for those of `rows` that tell of it.

    One query for all of them, and none where no message tells of it, as nearly always.
    """
    telling = {id_ for id_, message in setting.messages.items() if _tells_progress(message.templates)}
    if not telling:
        return {}
    asked = {row.enrollment_id for row in rows if row.message_id in telling and row.enrollment_id}
    return newest_answers(session, asked)


@lru_cache(maxsize=256)
def _tells_progress(templates: Templates) -> bool:
    return any(map(PROGRESS.search, (templates.subject, templates.html, templates.text)))
