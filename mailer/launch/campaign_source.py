"""What a campaign was written as: kept in a row of its own, and laid out as files to be checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from mailer.content.campaign_text import CampaignText, File
from mailer.content.file_edit import settings_of
from mailer.content.media import MediaFile, course_media
from mailer.errors import NotFound, Refused
from mailer.launch.campaign_check import CompiledCampaign
from mailer.models import CampaignDraft, Media
from mailer.seen import ChangedMeanwhile


def find_source(session: Session, slug: str) -> CampaignDraft | None:
    """What is written of the campaign of this slug, as it is now; None when its source is not kept."""
    chosen = select(CampaignDraft).where(CampaignDraft.slug == slug)
    return session.execute(chosen.execution_options(populate_existing=True)).scalar_one_or_none()


def get_source(session: Session, slug: str) -> CampaignDraft:
    """The same; raises NotFound."""
    found = find_source(session, slug)
    if found is None:
        raise NotFound(f"What {slug!r} was written as is not kept here.")
    return found


def text_of(kept: CampaignDraft) -> CampaignText:
    """A row's files and pictures."""
    files = tuple(File(one["name"], one["text"], bool(one.get("is_part"))) for one in kept.files)
    return CampaignText(files, dict(kept.pictures))


def keep_source(
    session: Session, slug: str, text: CampaignText, now: datetime, *, who: str, is_made: bool
) -> CampaignDraft:
    """Keep what a campaign is written as; `is_made` when its messages are made of just this.

    The same again changes nothing but that.
    """
    kept = find_source(session, slug)
    if kept is None:
        kept = CampaignDraft(slug=slug, created_at=now, digest="", made_of="")
        session.add(kept)
    if kept.digest != text.digest:
        kept.files = [asdict(one) for one in text.files]
        kept.pictures = dict(text.pictures)
        kept.digest, kept.saved_at, kept.saved_by = text.digest, now, who
        kept.subject = (settings_of(text.first.text) or {}).get("subject", "")
    if is_made:
        kept.made_of = text.digest
    session.flush()
    return kept


def refuse_unseen(session: Session, slug: str, text: CampaignText, seen: str, *, who: str) -> None:
    """Raises ChangedMeanwhile where `text` would replace what its author has not seen: another than that of
    the digest `seen`, or (nothing said) what somebody else than `who` has saved. Nothing may save meanwhile.
    """
    kept = find_source(session, slug)
    if kept is None:
        if seen:
            raise ChangedMeanwhile(f"What was written of {slug} is not there any more; nothing was saved.")
        return
    is_seen = seen == kept.digest if seen else kept.saved_by == who
    if text.digest != kept.digest and not is_seen:
        raise ChangedMeanwhile(
            f"{slug} was saved by {kept.saved_by} meanwhile, so nothing was saved. Look at its source, and "
            "give its `digest` as `seen` to replace it."
        )


def refuse_unfinished(session: Session, slug: str) -> None:
    """Raises Refused when what was written last has errors: what would be sent is older than that."""
    chosen = select(CampaignDraft.digest, CampaignDraft.made_of).where(CampaignDraft.slug == slug)
    row = session.execute(chosen).one_or_none()
    if row is not None and row.digest != row.made_of:
        raise Refused(f"What was written last in {slug} has errors; mend them first, then send it.")


def read_source(paths: Sequence[Path], compiled: CompiledCampaign) -> CampaignText:
    """The files that a campaign was just compiled of, with the texts of its variants beside them."""
    files = [File(path.name, path.read_text(encoding="utf-8-sig")) for path in paths]
    known = {one.name for one in files}
    home = paths[0].parent
    for source in (compiled.source, *compiled.translations):
        for variant in source.variants:
            if variant.file and variant.file not in known:
                known.add(variant.file)
                text = (home / variant.file).read_text(encoding="utf-8-sig")
                files.append(File(variant.file, text, is_part=True))
    shown = {file.name for file in compiled.media}
    pictures = (file for path in paths for file in course_media(path.parent).files)
    return CampaignText(tuple(files), {one.source: one.name for one in pictures if one.name in shown})


@contextmanager
def laid_out(session: Session, text: CampaignText) -> Iterator[list[Path]]:
    """The campaign's mails as files in a folder, with its parts and pictures, as long as the block lasts."""
    with TemporaryDirectory(prefix="steadypost-") as name:
        folder = Path(name)
        for one in text.files:
            (folder / Path(one.name).name).write_text(one.text, encoding="utf-8", newline="\n")
        for source, content in picture_contents(session, text).items():
            path = folder / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield [folder / one.name for one in text.mails]


def picture_contents(session: Session, text: CampaignText) -> dict[str, bytes]:
    """The bytes of each of its pictures, by how a text names it."""
    chosen = select(Media.name, Media.content).where(Media.name.in_(set(text.pictures.values())))
    contents = dict(session.execute(chosen).all())
    return {source: contents[name] for source, name in text.pictures.items() if name in contents}


def put_pictures(session: Session, files: Sequence[MediaFile]) -> None:
    """Publish pictures, each under the name that its bytes have."""
    for file in files:
        values = {"name": file.name, "content_type": file.content_type, "content": file.content}
        session.execute(insert(Media).values(values).on_conflict_do_nothing(index_elements=["name"]))
