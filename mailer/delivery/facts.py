"""What the mails of a batch say about their courses, read once per batch."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from mailer.delivery.claim import Claimed
from mailer.delivery.compose import CourseFacts
from mailer.models import Course, Step


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
    return {row[0]: CourseFacts(*row[1:]) for row in found}
