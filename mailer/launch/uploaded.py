"""Author's files that came over the network, checked as a folder's would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from sqlalchemy.orm import Session

from mailer.content.campaign_text import CampaignText, File, checked_text
from mailer.content.course_source import Problem
from mailer.content.course_zip import unpacked
from mailer.launch.asked import refuse_faulty
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.campaign_source import laid_out
from mailer.launch.check import CompiledCourse, check_course
from mailer.launch.series_template import CheckedSeries, check_series

NO_PICTURES: Mapping[str, str] = MappingProxyType({})


def compile_course(content: bytes) -> tuple[CompiledCourse, list[Problem]]:
    """The course in a zip file, compiled, and its warnings; raises FaultyFiles, or Refused."""
    with unpacked(content) as folder:
        compiled, problems = check_course(folder)
    refuse_faulty("The course", problems)
    assert compiled is not None  # noqa: S101
    return compiled, problems


def compile_campaign(
    session: Session, texts: Sequence[str]
) -> tuple[CompiledCampaign, CampaignText, list[Problem]]:
    """The campaign of these files' texts, the first and its translations; its files, and its warnings.

    In what is wrong they are called campaign.md, translation-1.md and so on. Raises FaultyFiles, or Refused.
    """
    text = _text_of("campaign.md", texts)
    with laid_out(session, text) as paths:
        compiled, problems = check_campaign(session, paths)
    refuse_faulty("The campaign", problems)
    assert compiled is not None  # noqa: S101
    return compiled, text, problems


def compile_series(
    session: Session, texts: Sequence[str], now: datetime, pictures: Mapping[str, str] = NO_PICTURES
) -> tuple[CheckedSeries, list[Problem]]:
    """The series of these files' texts, the first (series.md) and its translations, and its warnings.

    `pictures` has the published name of each by how a text names it. Raises FaultyFiles, or Refused.
    """
    text = replace(_text_of("series.md", texts), pictures=pictures)
    with laid_out(session, text) as paths:
        checked, problems = check_series(session, paths, now)
    refuse_faulty("The series", problems)
    assert checked is not None  # noqa: S101
    return checked, problems


def _text_of(first: str, texts: Sequence[str]) -> CampaignText:
    names = [first, *(f"translation-{number}.md" for number in range(1, len(texts)))]
    files = (File(name, checked_text(name, text)) for name, text in zip(names, texts, strict=True))
    return CampaignText(tuple(files))
