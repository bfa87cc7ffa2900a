"""Author's files that came over the network, checked as a folder's would be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.orm import Session

from mailer.content.course_source import Problem
from mailer.content.course_zip import unpacked
from mailer.launch.asked import refuse_faulty
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.check import CompiledCourse, check_course


def compile_course(content: bytes) -> tuple[CompiledCourse, list[Problem]]:
    """The course in a zip file, compiled, and its warnings; raises FaultyFiles, or Refused."""
    with unpacked(content) as folder:
        compiled, problems = check_course(folder)
    refuse_faulty("The course", problems)
    assert compiled is not None  # noqa: S101
    return compiled, problems


def compile_campaign(session: Session, texts: Sequence[str]) -> tuple[CompiledCampaign, list[Problem]]:
    """The campaign of these files' texts, the first and its translations, and its warnings.

    In what is wrong they are called campaign.md, translation-1.md and so on. Raises FaultyFiles.
    """
    with TemporaryDirectory(prefix="steadypost-") as home:
        names = ["campaign.md", *(f"translation-{number}.md" for number in range(1, len(texts)))]
        paths = [Path(home) / name for name in names]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text, encoding="utf-8")
        compiled, problems = check_campaign(session, paths)
    refuse_faulty("The campaign", problems)
    assert compiled is not None  # noqa: S101
    return compiled, problems
