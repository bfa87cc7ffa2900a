"""A course folder as the scheduler would see it, were it published now."""

from __future__ import annotations

from mailer.content.course_source import CourseSource, StepSource
from mailer.schedule.courses import CoursePlan
from mailer.schedule.decide import Ways
from mailer.schedule.flow import read_flow
from mailer.schedule.place import StepPlan
from mailer.schedule.timing import read_timing


def plan_of(source: CourseSource) -> CoursePlan:
    """The plan of a course that nobody may have published. Its ids mean nothing outside of it."""
    steps = [
        _step(number, step) for number, step in enumerate(source.steps, start=1) if step.key and step.day
    ]
    flow = read_flow(source.flow.as_values())
    return CoursePlan(
        id=0,
        slug=source.slug,
        list_id=0,
        zone=source.zone,
        language=source.language,
        steps=tuple(step for step in steps if not step.easier_than),
        ways=Ways(
            tuple(step for step in steps if step.easier_than), flow.policy, flow.stale_after, bool(flow.then)
        ),
        flow=flow,
    )


def _step(number: int, step: StepSource) -> StepPlan:
    return StepPlan(
        id=number,
        key=step.key,
        day=step.day,
        send_time=step.send_time,
        message_id=0,
        timing=read_timing(step.timing.as_values()),
        condition=step.condition,
        instead_of=step.instead_of,
        easier_than=step.easier_than,
        week=step.week,
    )
