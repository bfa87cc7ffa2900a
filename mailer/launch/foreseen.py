"""A mail that a simulation foresees, as its reader would get it: nothing is sent, and nobody need exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from mailer.audience.fields import declared_fields, typed_value
from mailer.clock import refuse_far
from mailer.content.course_folder import read_draft
from mailer.content.media import MediaFile, course_media
from mailer.delivery.claim import Claimed, read_setting
from mailer.delivery.compose import Composer
from mailer.delivery.facts import course_facts
from mailer.errors import NotFound
from mailer.launch.asked import refuse_faulty
from mailer.launch.check import CompiledCourse, compile_cached, in_language, progress_of
from mailer.launch.invented import Invented
from mailer.launch.mailing import of_folder
from mailer.launch.send_test import as_claimed, nearest
from mailer.launch.shown import Shown, published_pictures, with_pictures
from mailer.links import Signer
from mailer.models import DeliveryKind, Subscriber
from mailer.schedule.courses import get_course

ITSELF = 1
"""The enrollment of a reader who is in nothing: what they answered is found by it."""


@dataclass(frozen=True)
class Foreseen:
    """One mail of a simulation: the step as its line has it, the moment it leaves (aware UTC), what its
    reader said of each week by then, and whether it comes once more."""

    reader: Invented
    step: str
    at: datetime
    answers: Mapping[int, str] = field(default_factory=dict)
    is_repeat: bool = False

    def kept(self) -> dict[str, Any]:
        """What a claimed row has of it."""
        kind = DeliveryKind.REPEAT if self.is_repeat else DeliveryKind.STEP
        return {"kind": kind, "enrollment_id": ITSELF, "due_at": self.at}


@dataclass(frozen=True)
class Maker:
    """What makes one mail."""

    composer: Composer
    row: Claimed
    preheader: str
    pictures: tuple[MediaFile, ...]

    def shown(self) -> Shown:
        """To be looked at, its pictures inside it; raises CannotRender."""
        mail = self.composer.render(self.row)
        html = with_pictures(mail.html, self.pictures, self.composer.base_url)
        sender = self.composer.setting.sender_of(self.row)
        name = sender.name if sender is not None else ""
        return Shown(self.row.email, replace(mail, html=html), self.preheader, sender=name)

    def as_file(self) -> bytes:
        """As mail programs open it (RFC 5322); raises CannotRender."""
        return self.composer.compose(self.row, self.row.due_at).content


def maker_of(session: Session, course: str | Path, mail: Foreseen, signer: Signer, base_url: str) -> Maker:
    """What makes a mail of a published course, by its slug, or of a course folder as it is.

    Raises NotFound, FarOff, Refused for a step that is gone, FaultyFiles for one that has to be mended first.
    """
    refuse_far(mail.at)
    follows, _, key = mail.step.rpartition("/")
    if follows:
        return _of_course(session, follows, replace(mail, step=key), signer, base_url)
    if isinstance(course, Path):
        return _of_folder(session, course, mail, signer, base_url)
    return _of_course(session, course, mail, signer, base_url)


def _of_course(session: Session, slug: str, mail: Foreseen, signer: Signer, base_url: str) -> Maker:
    person = Subscriber(**_person(session, mail.reader))
    row = as_claimed(session, get_course(session, slug), mail.step, person, mail.at)._replace(**mail.kept())
    setting = read_setting(session, [row])
    composer = Composer(signer, base_url, setting, course_facts(session, [row]), said={ITSELF: mail.answers})
    pictures = published_pictures(session, setting.messages[row.message_id].templates.html)
    return Maker(composer, row, "", pictures)


def _of_folder(session: Session, folder: Path, mail: Foreseen, signer: Signer, base_url: str) -> Maker:
    source, _ = read_draft(folder)
    steps = zip(source.steps, progress_of(source), strict=True)
    step, position = next((one for one in steps if one[0].key == mail.step), (None, None))
    if step is None or position is None:
        raise NotFound(f"There is no step {mail.step!r} any more.")
    written = {one.language: one for one in step.translations}
    chosen = nearest(mail.reader.language, [source.language, *written], source.language)
    media = course_media(folder)
    course, text = in_language(source, step, written.get(chosen))
    message, problems = compile_cached(course, text, position, media.names)
    refuse_faulty(text.path.name, problems)
    if message is None:
        raise NotFound(f"{text.path.name} has no text yet.")
    mailing = of_folder(CompiledCourse(course, ((step, message),), media.files))
    row = mailing.row(0, mail.at, **_person(session, mail.reader))._replace(**mail.kept())
    composer = replace(mailing.composer(signer, base_url), said={ITSELF: mail.answers})
    return Maker(composer, row, message.preheader, media.files)


def _person(session: Session, reader: Invented) -> dict[str, Any]:
    """Their values for a mail."""
    fields = declared_fields(session) if reader.fields else {}
    values = {key: typed_value(cell, fields[key]) for key, cell in reader.fields.items() if key in fields}
    return {
        "email": reader.email,
        "name": reader.name,
        "language": reader.language or None,
        "zone": reader.zone or None,
        "fields": values or None,
    }
