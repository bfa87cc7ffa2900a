"""A campaign's variants: compiled, published, and held against who sends them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.content.campaign_file import CampaignSource, read_variant
from mailer.content.compile import Compiled, CompiledMessage, compile_campaign
from mailer.content.course_source import Problem, SenderSource
from mailer.content.course_words import known_or_near
from mailer.content.media import MediaFile, course_media
from mailer.content.newest import Newest
from mailer.content.trial import FIRST, Measure, Trial, Variant, VariantSource
from mailer.delivery.roster import transports_of
from mailer.errors import Refused
from mailer.launch.messages import put_message
from mailer.models import Campaign, MailingList, Sender

Key = tuple[CampaignSource, tuple[tuple[str, int], ...], tuple[tuple[str, str], ...]]
_KEPT: Newest[Key, Compiled] = Newest(32)
"""Mails that this process compiled, by their text, the lines it stands on and the pictures there are."""


@dataclass(frozen=True)
class CompiledVariant:
    """A variant beside A: what its author wrote, its message in each language, and what each was made of."""

    source: VariantSource
    messages: tuple[CompiledMessage, ...]
    files: tuple[CampaignSource, ...]


def compile_one(
    source: CampaignSource, problems: list[Problem]
) -> tuple[CompiledMessage | None, dict[str, MediaFile]]:
    """One mail of a campaign with the pictures that it shows, what is wrong with it told."""
    pictures = course_media(source.path.parent)
    # While somebody types, the same is asked for by the check, by the mail beside the text and by its frame.
    # How it is sent, in phases or as a test, changes nothing in a mail.
    said = replace(source, path=Path(source.path.name), variants=(), test=None, canary=None)
    key = said, tuple(source.lines.items()), tuple(sorted(pictures.names.items()))
    message, found = _KEPT.get(key, lambda: compile_campaign(source, pictures.names))
    if source.body.strip():  # told already, and all else that could be said follows from it
        problems += found
    if message is None:
        return None, {}
    return message, {file.name: file for file in pictures.files if file.name in message.images}


def compile_variants(
    sources: Sequence[CampaignSource], problems: list[Problem]
) -> tuple[tuple[CompiledVariant, ...], dict[str, MediaFile]]:
    """Every variant in every language, with their pictures; what is wrong is told."""
    first, found, media = sources[0], [], dict[str, MediaFile]()
    for variant in first.variants:
        messages, files = [], []
        for source in sources:
            written = next((one for one in source.variants if one.name == variant.name), None)
            written = written or VariantSource(variant.name)
            if source is not first:
                problems += _not_as_the_first(source, variant, written)
            said = read_variant(source, written, problems)
            message, pictures = compile_one(said, problems)
            media |= pictures
            if message is not None:
                messages.append(message)
                files.append(said)
        found.append(CompiledVariant(variant, tuple(messages), tuple(files)))
    letters = {variant.name for variant in first.variants}
    for source in sources[1:]:
        for one in source.variants:
            if one.name not in letters:
                what = f"{first.path.name} has no variant {one.name}."
                fix = "Delete it, or write it there as well."
                problems.append(_problem(source, f"variants.{one.name}", what, fix))
    return tuple(found), media


def _not_as_the_first(
    source: CampaignSource, variant: VariantSource, written: VariantSource
) -> Iterator[Problem]:
    """What a translation must say of a variant because the first file does, and what it must not."""
    place = f"variants.{variant.name}"
    if written.sender:
        yield _problem(source, f"{place}.sender", "A translation names a sender.", "Delete it.")
    for name in ("subject", "file"):
        if getattr(variant, name) and not getattr(written, name):
            what = f"Variant {variant.name} has no `{name}` in {source.language}."
            yield _problem(source, place, what, f"Write it below `variants:`, `{variant.name}:`.")


def trial_problems(session: Session, source: CampaignSource) -> Iterator[Problem]:
    """Senders of variants that are not known, and tests that could not be decided or sent."""
    slugs = session.execute(select(Sender.slug)).scalars().all()
    for one in source.variants:
        if one.sender and one.sender not in slugs:
            what = f"There is no sender {one.sender!r}."
            yield _problem(source, f"variants.{one.name}.sender", what, known_or_near(one.sender, slugs))
            return
    if source.test is None:
        return
    own = _own_sender(session, source)
    named = [one.sender for one in source.variants if one.sender]
    others = session.execute(select(Sender).where(Sender.slug.in_(named))).scalars().all()
    problem = untracked(source.test.measure, [own, *others])
    if problem:
        yield _problem(source, "test.measure", *problem)
    if own is not None and (problem := other_ways(session, own, others)):
        yield _problem(source, "variants", *problem)


def untracked(measure: Measure, senders: Collection[Sender | None]) -> tuple[str, str] | None:
    """What keeps a test by this measure from being decided, and what to do; None is a sender yet unknown."""
    if measure not in (Measure.CLICKS, Measure.OPENS):
        return None
    for sender in senders:
        if sender is None:
            what = f"The sender of this file is not known yet, so nobody counts its {measure}."
            first = "Create the draft without the test first, or add the sender on the desk"
            return what, f"{first}; then `steadypost sender edit SENDER --track-{measure}` counts them."
        counts = sender.track_clicks if measure is Measure.CLICKS else sender.track_opens
        if not counts:
            what = f"Nobody counts the {measure} of {sender.slug}, so that they cannot decide."
            command = f"steadypost sender edit {sender.slug} --track-{measure}"
            return what, f"`{command}` counts them, or test by unsubscribes or ask."
    return None


def other_ways(session: Session, own: Sender, others: Collection[Sender]) -> tuple[str, str] | None:
    """Why a variant's sender cannot be taken: its mail would leave by relays that are not its own."""
    ways = {transport.id for transport, _ in transports_of(session, own)}
    for sender in others:
        if {transport.id for transport, _ in transports_of(session, sender)} != ways:
            what = f"The sender {sender.slug} goes by other transports than {own.slug}."
            return what, f"Give both the same: `steadypost sender transport add {sender.slug} …`."
    return None


def refuse_undecidable(session: Session, campaign: Campaign) -> None:
    """Raises Refused when the campaign's test could not be decided as its senders are now."""
    trial = Trial.of(campaign.trial)
    if trial is None:
        return
    own = session.get_one(Sender, campaign.sender_id)
    ids = {variant.sender_id for variant in trial.variants if variant.sender_id is not None}
    others = session.execute(select(Sender).where(Sender.id.in_(ids))).scalars().all()
    for found in (untracked(trial.plan.measure, [own, *others]), other_ways(session, own, others)):
        if found:
            raise Refused(" ".join(found))


def put_variants(
    session: Session, source: CampaignSource, variants: Sequence[CompiledVariant]
) -> list[Variant]:
    """Publish the variants beside A, each in messages of its own: a mail's message says which it is."""
    found = []
    for variant in variants:
        name, sender = variant.source.name, variant.source.sender
        sender_id = None
        if sender:
            sender_id = session.execute(select(Sender.id).where(Sender.slug == sender)).scalar_one()
        place = f"campaign/{source.slug}/{name}"
        messages = {
            message.language: put_message(session, place, message, sender_id=sender_id)
            for message in variant.messages
        }
        subject = variant.source.subject or source.subject
        found.append(Variant(name, subject, messages, sender_id))
    return found


def trial_of(
    session: Session, source: CampaignSource, variants: Sequence[CompiledVariant], first: Mapping[str, int]
) -> Trial | None:
    """The campaign's test with all of its variants published; None when it has none."""
    if source.test is None or not variants:
        return None
    a = Variant(FIRST, source.subject, first)
    return Trial(source.test, (a, *put_variants(session, source, variants)))


def _own_sender(session: Session, source: CampaignSource) -> Sender | None:
    """The file's sender, if it is there already."""
    chosen = select(Sender).order_by(Sender.id).limit(1)
    if isinstance(source.sender, SenderSource):
        # A sender that says the same is taken, as `put_draft` does.
        names = ("name", "email", "reply_to", "postal_address")
        chosen = chosen.filter_by(**{name: getattr(source.sender, name) for name in names})
    elif source.sender:
        chosen = chosen.where(Sender.slug == source.sender)
    else:
        chosen = chosen.join(MailingList, MailingList.sender_id == Sender.id)
        chosen = chosen.where(MailingList.slug.in_(source.lists[:1]))
    return session.execute(chosen).scalar_one_or_none()


def _problem(source: CampaignSource, setting: str, what: str, fix: str) -> Problem:
    line = source.lines.get(setting) or source.lines.get(setting.rpartition(".")[0])
    line = line or source.lines.get(setting.partition(".")[0], 1)
    return Problem(source.path.name, line, what, fix)
