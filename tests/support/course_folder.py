"""A small course folder on disk, for what its author may write into it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailer.content.course_folder import CourseSource, Problem, StepSource, read_draft
from mailer.launch.check import check_course

TOML = """\
slug = "calm"
title = "A calm week"
zone = "Europe/London"
days = 30
{settings}

[sender]
name = "The Reading Room"
email = "course@steadypost.example"
postal_address = "12 Quiet Lane, Bristol"
{sections}"""


@dataclass(frozen=True)
class Folder:
    """What an author has: course.toml, whose own settings begin on line 5, and steps."""

    path: Path

    def course(self, settings: str = "", sections: str = "") -> None:
        """Write course.toml, with further settings on line 5 and sections from line 11 on."""
        text = TOML.format(settings=settings, sections=sections)
        (self.path / "course.toml").write_text(text, encoding="utf-8")

    def step(self, name: str, settings: str, body: str = "One idea.") -> None:
        """Write a step's file; its key is the name behind the number, its settings begin on line 4."""
        key = name.partition("-")[2]
        text = f'---\nkey: {key}\nsubject: "About {key}"\n{settings}\n---\n# {key}\n\n{body}\n'
        (self.path / f"{name}.md").write_text(text, encoding="utf-8")

    def translation(self, name: str, settings: str = 'subject: "Worüber"', body: str = "# Gedanke") -> None:
        (self.path / f"{name}.md").write_text(f"---\n{settings}\n---\n{body}\n", encoding="utf-8")

    def read(self) -> CourseSource:
        """The course; that something is wrong with it is the test's own mistake."""
        course, problems = read_draft(self.path)
        assert problems == []
        return course

    def steps(self) -> dict[str, StepSource]:
        return {step.key: step for step in self.read().steps}

    def problems(self) -> list[Problem]:
        return check_course(self.path)[1]

    def wrong(self) -> list[tuple[str, int, str]]:
        """All that `course check` would name."""
        return [(problem.path, problem.line, problem.what) for problem in self.problems()]
