"""A series' files: checked when they are added, kept in its row, and compiled for each occurrence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.clock import local_date
from mailer.content.course_source import Problem
from mailer.content.media import course_media
from mailer.content.series_file import Repeats, SeriesReader, read_repeats
from mailer.content.series_text import Occasion, TooMuch, baked, in_words, sample_occasion
from mailer.errors import MailerError
from mailer.launch.campaign_check import CompiledCampaign, check_campaign
from mailer.launch.check import sorted_problems
from mailer.models import Media
from mailer.schedule.cadence import Cadence, Every
from mailer.schedule.timing import EVERY_DAY


class CannotMake(MailerError):
    """Mend the series' file and add it again, or what it names."""


@dataclass(frozen=True)
class CheckedSeries:
    """A series' files in order: `sample` is what one occurrence of it would be."""

    sample: CompiledCampaign
    repeats: Repeats
    template: Mapping[str, Any]

    @property
    def slug(self) -> str:
        return self.sample.source.slug

    def cadence(self, today: date) -> Cadence:
        """When it repeats, counted from its first day, or from `today`."""
        said = self.repeats
        anchor = said.begins or today
        usual_weekdays = EVERY_DAY if said.unit == Every.DAY else 1
        return Cadence(
            every=Every(said.unit),
            at=said.at,
            zone=said.zone,
            anchor=anchor,
            step=said.step,
            weekdays=said.weekdays or usual_weekdays,
            days=said.days or (1,),
            is_local=said.is_local,
            until=said.until,
            times=said.times,
        )


def check_series(
    session: Session, paths: Sequence[Path], now: datetime
) -> tuple[CheckedSeries | None, list[Problem]]:
    """The series and every problem in its files; None when an error stands in the way.

    The first file says when it repeats, and all that a campaign's says; the others are translations of it.
    """
    timing: list[Problem] = []
    repeats = read_repeats(paths[0], timing) or Repeats()
    today = local_date(now, repeats.zone)
    occasion = sample_occasion(today, has_feed=bool(repeats.feed), zone=repeats.zone)
    compiled, problems = check_campaign(session, paths, SeriesReader(occasion))
    problems = sorted_problems(list(dict.fromkeys([*problems, *timing, *_apart(paths)])))
    if compiled is None or any(not problem.is_warning for problem in problems):
        return None, problems
    found = CheckedSeries(baked_campaign(compiled), repeats, _template(paths, compiled))
    if found.cadence(today).first_after(now) is None:
        what = "It falls on no day that is still to come."
        name, line = paths[0].name, compiled.source.lines.get("until", 1)
        problems.append(Problem(name, line, what, "Look at `every`, `on`, `from` and `until`."))
        return None, sorted_problems(problems)
    return found, problems


def compile_occurrence(
    session: Session, template: Mapping[str, Any], slug: str, occasion: Occasion
) -> CompiledCampaign:
    """The campaign `slug` of a series as its row keeps it; raises CannotMake.

    Its files and pictures are put into a folder for the time being, so that they are read and checked by the
    same code as somebody's own.
    """
    with TemporaryDirectory(prefix="steadypost-series-") as name:
        folder = Path(name)
        paths = [folder / Path(one["name"]).name for one in template["files"]]
        for path, one in zip(paths, template["files"], strict=True):
            path.write_text(one["text"], encoding="utf-8")
        _put_pictures(session, folder, template["media"])
        try:
            compiled, problems = check_campaign(session, paths, SeriesReader(occasion, slug))
        except TooMuch as error:
            raise CannotMake(str(error)) from None
        if compiled is None:
            raise CannotMake(next(str(one) for one in problems if not one.is_warning))
        return baked_campaign(compiled)


def baked_campaign(compiled: CompiledCampaign) -> CompiledCampaign:
    """The same, with what was filled in as plain text of its mails, and of the subject in lists."""
    source = replace(compiled.source, subject=in_words(compiled.source.subject))
    return replace(compiled, source=source, messages=tuple(baked(message) for message in compiled.messages))


def _apart(paths: Sequence[Path]) -> list[Problem]:
    """Files that do not lie together: their pictures could not be told apart."""
    home = paths[0].resolve().parent
    fix = "Put a series' files, and their folder media, into one folder."
    return [
        Problem(path.name, 1, "This file lies in another folder than the first.", fix)
        for path in paths[1:]
        if path.resolve().parent != home
    ]


def _template(paths: Sequence[Path], compiled: CompiledCampaign) -> dict[str, Any]:
    files = [{"name": path.name, "text": path.read_text(encoding="utf-8-sig")} for path in paths]
    shown = {file.name for file in compiled.media}
    pictures = (file for path in paths for file in course_media(path.parent).files)
    return {"files": files, "media": {one.source: one.name for one in pictures if one.name in shown}}


def _put_pictures(session: Session, folder: Path, media: Mapping[str, str]) -> None:
    chosen = select(Media.name, Media.content).where(Media.name.in_(set(media.values())))
    contents = dict(session.execute(chosen).all())
    for source, name in media.items():
        path = folder / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[name])
