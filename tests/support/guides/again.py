"""A guide that is imported into its folder again, after its author or its writer changed something."""

from __future__ import annotations

from pathlib import Path

from mailer.content.guide import Fate, ImportReport, import_guide
from tests.support.guides.samples import SLEEP


class Desk:
    """A guide and its course folder, as its author has them before them."""

    def __init__(self, folder: Path) -> None:
        self.guide = folder / "guide.txt"
        self.course = folder / "course"
        self.guide.write_text(SLEEP.read_text(encoding="utf-8"), encoding="utf-8")
        self.first = self.again()

    def again(self, **options: object) -> ImportReport:
        return import_guide(self.guide, self.course, **options)  # type: ignore[arg-type]

    def rewrite_guide(self, *changes: tuple[str, str]) -> None:
        text = self.guide.read_text(encoding="utf-8")
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        self.guide.write_text(text, encoding="utf-8")

    def file(self, key: str) -> Path:
        return next(
            path for path in self.course.glob("*.md") if f"key: {key}\n" in path.read_text(encoding="utf-8")
        )

    def edit(self, key: str, before: str, after: str) -> None:
        text = self.file(key).read_text(encoding="utf-8")
        assert before in text
        self.file(key).write_text(text.replace(before, after), encoding="utf-8")

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.course.iterdir()}


def fates(report: ImportReport) -> dict[str, Fate]:
    """What happened, apart from what stayed as it was."""
    return {step.key: step.fate for step in report.steps if step.fate is not Fate.UNCHANGED}


def days(report: ImportReport) -> dict[str, int]:
    """The day of each step."""
    return {step.key: step.day for step in report.steps}
