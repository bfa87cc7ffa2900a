"""One mail's body made into a step and compiled, for tests that show a body and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from pathlib import Path

from mailer.content.compile import CompiledMessage, Progress
from mailer.content.course_folder import CourseSource, OptIn, Problem, SenderSource
from mailer.content.variables import author_environment, sample_context

TINY_COURSE = Path(__file__).parent / "courses" / "tiny"
"""Three lessons and a protocol step, with every kind of block."""

EVERY_BLOCK = """\
{{ greeting }} Some *text*.

## A heading

- a list

| a | b |
|---|---|
| 1 | 2 |

> A quotation

::: action
Do this.
:::

::: checklist
- One
- Two
:::

::: callout
Careful.
:::

::: question Really?
Yes.
:::

::: button https://a.example/x?b=1&c=2 Go on
:::

::: next
More.
:::

```mjml
<mj-spacer height="10px" />
```
"""

BODY_LINE = 7
"""The line of its file a test's body begins on: after a front matter of six lines."""

POSITION = Progress(lesson=5, lessons=18, day=9, days=30, week=2, weeks=4)


@dataclass(frozen=True)
class Written:
    """One body as a course's step, and what compiling made of it."""

    message: CompiledMessage | None
    problems: list[Problem]

    @property
    def faults(self) -> list[tuple[int, str]]:
        """(line, what) of each problem, by line."""
        return sorted((problem.line, problem.what) for problem in self.problems)

    def html(self, **values: object) -> str:
        """The HTML part for a reader with the sample values and `values`."""
        assert self.message is not None, self.problems
        template = author_environment(autoescape=True).from_string(self.message.html)
        return template.render(sample_context() | values)

    def text(self, **values: object) -> str:
        """The text part, for the same reader."""
        assert self.message is not None, self.problems
        template = author_environment(autoescape=False).from_string(self.message.text)
        return template.render(sample_context() | values)

    def text_body(self, **values: object) -> str:
        """The text part's middle: without the head and the foot that the layout adds."""
        head_and_body = self.text(**values).split("\n\n" + "-" * 72)[0]
        return head_and_body.split("=\n\n", 1)[1]


Write = Callable[..., Written]


def course_around(folder: Path) -> CourseSource:
    """A course without steps of its own."""
    return CourseSource(
        folder=folder,
        slug="evening-walks",
        title="Evening walks",
        subtitle="",
        language="en",
        zone="Etc/UTC",
        list_slug="evening-walks",
        list_title="Evening walks",
        opt_in=OptIn.DOUBLE,
        consent="",
        days=30,
        send_time=time(8),
        disclaimer="No medical advice.",
        sender=SenderSource("The Walking Room", "walks@example.org", "3 Garden Row, Lisbon"),
        steps=(),
    )
