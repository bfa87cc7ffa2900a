"""One step of a course, compiled once for all its readers, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mailer.content.assemble import CompiledMessage, assemble
from mailer.content.course_folder import CourseSource, Problem, StepSource
from mailer.content.html import CONTENT_WIDTH, Picture
from mailer.content.layout import Frame, Progress
from mailer.content.lint import lint_blocks, lint_control_balance
from mailer.content.markdown import Findings, parser, read_blocks
from mailer.content.media import pixel_width
from mailer.content.placeholders import Placeholders
from mailer.content.variables import CANNOT_RENDER, author_environment, sample_context

__all__ = ["CompiledMessage", "Progress", "compile_step"]

MOST_BYTES = 60_000
"""Gmail cuts a mail off at 102 kB of HTML; long before that it is slow to open on a phone."""


def compile_step(
    course: CourseSource, step: StepSource, *, position: Progress, media: Mapping[str, str]
) -> tuple[CompiledMessage | None, list[Problem]]:
    """The compiled mail of one step, and what is wrong with it: all problems, not only the first.

    `media` maps media/x.png to the published name. The message is None when a problem is an error.
    """
    name = step.path.name
    fixed = (course.title, course.list_title, course.disclaimer, *vars(course.sender).values())
    placeholders = Placeholders(step.body, step.subject, step.preheader, *fixed)
    findings = Findings()
    subject = _header(step, "subject", placeholders, findings)
    preheader = _header(step, "preheader", placeholders, findings)
    body = Findings()
    markdown = parser(body)
    blocks = read_blocks(markdown, placeholders.take_out(step.body, body.add))
    lint_blocks(blocks, placeholders, media, body)
    problems = [Problem(name, line, what, fix) for line, what, fix in findings.found]
    problems += [
        Problem(name, line + step.body_line, placeholders.shown(what), fix) for line, what, fix in body.found
    ]
    if problems:
        return None, problems
    shown: dict[str, None] = {}
    frame = _frame(course, step, position, placeholders, subject, preheader)
    picture = _picture(course.folder, media, placeholders, shown)
    try:
        message = assemble(frame, blocks, markdown, placeholders, picture)
    except ValueError as error:  # from the MJML compiler, for what our own check of a block overlooked
        what = f"The mail's MJML cannot be compiled ({error})."
        return None, [Problem(name, step.body_line, what, "Look at each ```mjml block of this step.")]
    unfit = _template_problems(name, step.body_line, message)
    if unfit:
        return None, unfit
    return replace(message, images=tuple(shown)), _size_problems(name, step.body_line, message)


def _header(step: StepSource, field: str, placeholders: Placeholders, findings: Findings) -> str:
    """The subject or preheader with its tags taken out."""
    line = step.lines.get(field, 1)
    taken = placeholders.take_out(
        getattr(step, field), lambda _offset, what, fix: findings.add(line, what, fix)
    )
    lint_control_balance(taken, line, placeholders, findings)
    return taken


def _frame(
    course: CourseSource,
    step: StepSource,
    position: Progress,
    placeholders: Placeholders,
    subject: str,
    preheader: str,
) -> Frame:
    purposes = ("view", "manage", "unsubscribe")
    return Frame(
        language=course.language,
        purpose="step",
        masthead=course.title,
        subject=subject,
        preheader=preheader,
        list_title=course.list_title,
        postal_address=course.sender.postal_address,
        disclaimer=course.disclaimer,
        links={purpose: placeholders.expression(f"links.{purpose}") for purpose in purposes},
        kind=step.kind,
        progress=position,
    )


def _picture(
    folder: Path, media: Mapping[str, str], placeholders: Placeholders, shown: dict[str, None]
) -> Picture:
    """Where each picture is published and how wide it is shown; what was asked for is noted in `shown`."""

    def picture(source: str) -> tuple[str, int]:
        published = media[source]
        shown[published] = None
        width = pixel_width((folder / source).read_bytes()) or CONTENT_WIDTH
        return f"{placeholders.expression('base_url')}/media/{published}", min(width, CONTENT_WIDTH)

    return picture


def _template_problems(name: str, line: int, message: CompiledMessage) -> list[Problem]:
    """A last look: no mail is published that its readers' templates could not be made of."""
    environment = author_environment(autoescape=True)
    for template in (message.subject, message.preheader, message.html, message.text):
        try:
            environment.from_string(template).render(sample_context())
        except CANNOT_RENDER as error:
            what = f"The mail's tags do not fit together ({error})."
            return [Problem(name, line, what, "Look at each {% if %} and {{ … }} of this step.")]
    return []


def _size_problems(name: str, line: int, message: CompiledMessage) -> list[Problem]:
    size = len(message.html.encode())
    if size <= MOST_BYTES:
        return []
    what = f"The mail is {size // 1000} kB of HTML, more than {MOST_BYTES // 1000} kB."
    return [Problem(name, line, what, "Split the step in two.", is_warning=True)]
