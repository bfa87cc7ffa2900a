"""`steadypost course publish` where people are in the course: each group is told, and asked about."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from mailer.db import Sessions, session_scope, step_clock
from mailer.models import Enrollment, EnrollmentState, Step, Subscriber
from mailer.schedule.courses import get_course
from tests.conftest import NOW
from tests.integration.cli_course.conftest import Steadypost
from tests.support.cast import ADA, BEN, join_course, publish_folder, step_file, write_course


def test_those_past_a_new_step_are_asked_about_and_those_who_finished_get_it_only_when_that_is_said(
    steadypost: Steadypost, sessions: Sessions, database_url: str, folder: Path
) -> None:
    with session_scope(sessions) as session:
        step_clock(session, NOW)
        publish_folder(session, folder, NOW)
        course = get_course(session, "calm")
        ada, ben = (join_course(session, course, email, NOW).id for email in (ADA, BEN))
        of_ada, of_ben = (Enrollment.subscriber_id == one for one in (ada, ben))
        session.execute(update(Enrollment).where(of_ada).values(last_day=2, last_delivery_id=None))
        ended = {"state": EnrollmentState.FINISHED, "ended_at": NOW, "next_due_at": None, "last_day": 4}
        session.execute(update(Enrollment).where(of_ben).values(**ended))
        step_clock(session, NOW + timedelta(days=3))
    steps = {f"0{day}-{key}.md": step_file(key, day) for key, day in (("hello", 1), ("rest", 2), ("walk", 4))}
    write_course(folder, {**steps, "01-new.md": step_file("new", 1)} | {"01-hello.md": step_file("hello", 3)})

    planned = steadypost("course", "plan", folder, database_url=database_url).out
    told = (
        "0 waiting: on its day; 1 already past: --past skip | next | end; "
        "1 finished: nothing, or --finished new"
    )
    assert " ".join(told.split()) in " ".join(planned.split())
    nobody = steadypost("course", "publish", folder, database_url=database_url)
    assert nobody.code == 1
    assert nobody.sentence == (
        "1 reader past new: say --past skip, next or end (or --past KEY=next of one step), or --yes."
    )
    wrong = steadypost("course", "publish", folder, "--past", "walk=next", database_url=database_url)
    assert wrong.sentence == "Nobody is past the step 'walk' without it, so there is nothing to say about it."
    odd = steadypost("course", "publish", folder, "--past", "soon", database_url=database_url)
    assert "write skip, next or end" in odd.sentence

    chosen = ("--past", "new=next", "--finished", "new")
    assert steadypost("course", "publish", folder, *chosen, database_url=database_url).code == 0
    with session_scope(sessions) as session:
        new = session.execute(select(Step.id).where(Step.key == "new")).scalar_one()
        rows = session.execute(
            select(Subscriber.email, Enrollment.state, Enrollment.extras, Enrollment.last_extras)
            .join(Enrollment, Enrollment.subscriber_id == Subscriber.id)
            .order_by(Subscriber.id)
        ).all()
    assert [tuple(row) for row in rows] == [(ADA, "active", [new], []), (BEN, "active", [], [new])]
