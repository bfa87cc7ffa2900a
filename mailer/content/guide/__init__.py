"""From a guide (.txt, .md, .html, .docx) to a course folder, and again when the guide has changed."""

from __future__ import annotations

from mailer.content.guide.importing import course_slug, default_folder, import_guide
from mailer.content.guide.model import LineNote
from mailer.content.guide.report import Fate, ImportReport, StepReport, Tie, TieOption

__all__ = [
    "Fate",
    "ImportReport",
    "LineNote",
    "StepReport",
    "Tie",
    "TieOption",
    "course_slug",
    "default_folder",
    "import_guide",
]
