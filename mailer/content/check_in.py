"""Check-ins in a mail: where a week asks how it went, and where a course sums up what was said."""

from __future__ import annotations

from collections.abc import Sequence

from mailer.content.expressions import Tag, TagKind
from mailer.content.layout import CheckInFrame, Frame, Progress
from mailer.content.markdown import Block, BlockKind, Findings
from mailer.content.placeholders import Placeholders
from mailer.models import Answer, StepKind

NOTHING_SAID = "–"
"""What a summary shows of a week that the reader said nothing of."""


def check_in_frame(placeholders: Placeholders, kind: StepKind, progress: Progress) -> CheckInFrame:
    """What a course's mail can say of check-ins; its buttons only in the mail of a week."""
    is_week = kind is StepKind.PROTOCOL and progress.week is not None
    address = placeholders.expression("links.check_in")
    return CheckInFrame(
        answers={str(answer): f"{address}?answer={answer}" for answer in Answer} if is_week else {},
        said=tuple((week, _said(placeholders, week)) for week in range(1, progress.weeks + 1)),
        progress=placeholders.expression("links.progress"),
        repeat=(_control(placeholders, "if is_repeat"), _control(placeholders, "endif")),
    )


def _said(placeholders: Placeholders, week: int) -> str:
    # A mail lives longer than the course it was compiled in: this week may be one of it no more.
    return placeholders.expression(f'progress["{week}"] | default("{NOTHING_SAID}")')


def _control(placeholders: Placeholders, inside: str) -> str:
    word = inside.split()[0]
    return placeholders.keep(Tag(TagKind.CONTROL, f"{{% {inside} %}}", 0, word))


def with_check_in(blocks: Sequence[Block], frame: Frame) -> list[Block]:
    """The blocks with a week's question behind its checklist, or at the end where it has none."""
    if frame.check_in is None or not frame.check_in.answers:
        return list(blocks)
    places = [number for number, block in enumerate(blocks, 1) if block.kind is BlockKind.CHECKLIST]
    place = places[-1] if places else len(blocks)
    return [*blocks[:place], Block(BlockKind.CHECK_IN, 0), *blocks[place:]]


def lint_summaries(blocks: Sequence[Block], frame: Frame, findings: Findings) -> None:
    """Adds to `findings` each summary of a mail that has no weeks to sum up."""
    for block in blocks:
        if block.kind is BlockKind.SUMMARY and (frame.check_in is None or not frame.check_in.said):
            what = "A summary tells of a course's weeks, and there are none here."
            findings.add(block.line, what, "Delete it, or give the course's protocol steps a `week`.")
