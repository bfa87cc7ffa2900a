"""Everything about a campaign's files that would go wrong, found at once, before anything goes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.aim import Aim
from mailer.audience.lists import list_lists
from mailer.content.campaign_file import AIM, CampaignSource, read_campaign
from mailer.content.compile import CompiledMessage
from mailer.content.course_source import Problem
from mailer.content.course_words import known_or_near
from mailer.content.media import MediaFile
from mailer.launch.campaign_variants import CompiledVariant, compile_one, compile_variants, trial_problems
from mailer.launch.check import sorted_problems
from mailer.models import Campaign, Segment, Sender


@dataclass(frozen=True)
class CompiledCampaign:
    """A campaign's files, ready to be a draft: the first, and the same message in each language.

    `translations` are the other files, in the order of `messages`.
    """

    source: CampaignSource
    messages: tuple[CompiledMessage, ...]
    media: tuple[MediaFile, ...]
    variants: tuple[CompiledVariant, ...] = ()
    translations: tuple[CampaignSource, ...] = ()


class ReadFile(Protocol):
    """How a file becomes a campaign: as it stands, or a series' with its values filled in."""

    def __call__(
        self, path: Path, problems: list[Problem], *, is_translation: bool
    ) -> CampaignSource | None: ...


def check_campaign(
    session: Session, paths: Sequence[Path], read: ReadFile = read_campaign
) -> tuple[CompiledCampaign | None, list[Problem]]:
    """The compiled campaign and every problem in its files; None when an error stands in the way.

    The first file says to whom it goes and who it is from, and speaks to everybody whose language has no
    file of its own; the others are translations of it.
    """
    problems: list[Problem] = []
    sources: list[CampaignSource] = []
    messages: list[CompiledMessage] = []
    media: dict[str, MediaFile] = {}
    for number, path in enumerate(paths):
        source = read(path, problems, is_translation=number > 0)
        if source is None:
            continue
        sources.append(source)
        message, pictures = compile_one(source, problems)
        media |= pictures
        if message is not None:
            messages.append(message)
    variants: tuple[CompiledVariant, ...] = ()
    if sources:
        problems += [*_unknown(session, sources[0]), *_differences(sources[0], sources[1:])]
        variants, pictures = compile_variants(sources, problems)
        media |= pictures
        problems += trial_problems(session, sources[0])
    problems = sorted_problems(list(dict.fromkeys(problems)))
    if any(not problem.is_warning for problem in problems):
        return None, problems
    ready = sources[0], tuple(messages), tuple(media.values()), variants, tuple(sources[1:])
    return CompiledCampaign(*ready), problems


def aim_of(source: CampaignSource) -> Aim:
    """Whom of its lists' people a file says it is for."""
    return Aim(source.segment, source.exclude_segment, source.exclude_lists, source.not_if_sent)


def _unknown(session: Session, source: CampaignSource) -> Iterator[Problem]:
    """Lists, senders, segments and campaigns that do not exist."""
    yield from _unknown_senders_and_lists(session, source)
    segments = session.execute(select(Segment.slug)).scalars().all()
    for name in ("segment", "exclude_segment"):
        slug = getattr(source, name)
        if slug and slug not in segments:
            fix = known_or_near(slug, segments) if segments else "Make it with `steadypost segment add`."
            yield _problem(source, name, f"There is no segment {slug!r}.", fix)
    campaigns = session.execute(select(Campaign.slug)).scalars().all()
    for slug in source.not_if_sent:
        if slug == source.slug or slug not in campaigns:
            what = "is this campaign" if slug == source.slug else "is no campaign"
            fix = "Name one that was sent; `steadypost campaign list` shows them."
            yield _problem(source, "not_if_sent", f"{slug!r} {what}.", fix)


def _unknown_senders_and_lists(session: Session, source: CampaignSource) -> Iterator[Problem]:
    lists = {one.slug: one.sender_id for one in list_lists(session)}
    for name in ("lists", "exclude_lists"):
        for slug in getattr(source, name):
            if slug not in lists:
                fix = known_or_near(slug, lists) if lists else "Make it with `steadypost list add`."
                yield _problem(source, name, f"There is no list {slug!r}.", fix)
    if not isinstance(source.sender, str):
        return
    senders = session.execute(select(Sender.slug)).scalars().all()
    if source.sender and source.sender not in senders:
        fix = known_or_near(source.sender, senders) if senders else "Write a block with name and email."
        yield _problem(source, "sender", f"There is no sender {source.sender!r}.", fix)
    elif not source.sender and source.lists and lists.get(source.lists[0], 0) is None:
        what = f"The list {source.lists[0]} has no sender, and the campaign names none."
        yield _problem(
            source, "sender", what, "Write `sender:` with name, email and postal_address below it."
        )
    elif not source.sender and not source.lists and "segment" in source.lines:
        fix = "Write `sender:` with the slug of one that is known, or with name, email and postal_address."
        yield _problem(source, "segment", "A campaign without lists names no sender.", fix)


def _differences(first: CampaignSource, others: Iterable[CampaignSource]) -> Iterator[Problem]:
    """Translations that are not of the same campaign, or of a language that is there already."""
    files = {first.language: first.path.name}
    for other in others:
        if other.slug and first.slug and other.slug != first.slug:
            fix = f"Write `slug: {first.slug}`: a translation belongs to the same campaign."
            yield _problem(other, "slug", f"The slug is not that of {first.path.name}.", fix)
        if other.language in files:
            what = f"The language {other.language} is also that of {files[other.language]}."
            yield _problem(
                other, "language", what, "Write the language of this file, such as `language: de`."
            )
        files.setdefault(other.language, other.path.name)
        for name in ("lists", *AIM, "sender", "test", "canary"):
            theirs = getattr(other, name)
            is_another = theirs and theirs != getattr(first, name)
            if is_another or (name == "test" and name in other.lines):
                what = f"`{name}` is not that of {first.path.name}."
                yield _problem(other, name, what, "Delete it: the first file says it for all.")


def _problem(source: CampaignSource, setting: str, what: str, fix: str) -> Problem:
    return Problem(source.path.name, source.lines.get(setting, 1), what, fix)
