"""One step of a course folder as it is being typed: what is wrong with it, and the mail it becomes."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.audience.addresses import normalise
from mailer.clock import real_now
from mailer.content.compile import CompiledMessage, compile_step
from mailer.content.course_folder import CourseSource, Problem, StepSource, read_draft
from mailer.content.course_source import Translation
from mailer.content.draft_store import text_files
from mailer.content.media import CourseMedia, course_media
from mailer.delivery.one_mail import OneMail
from mailer.delivery.signing import Keyring
from mailer.errors import MailerError, NotFound
from mailer.launch.campaign_source import put_pictures
from mailer.launch.check import CompiledCourse, in_language, progress_of, sorted_problems
from mailer.launch.mailing import Mailing, of_folder
from mailer.launch.send_test import nearest, transport_of
from mailer.launch.shown import Shown, reader_for, with_pictures
from mailer.links import Signer
from mailer.models import Course, Enrollment, Sender
from mailer.schedule.answers import newest_answers
from mailer.schedule.conditions import meets


@dataclass(frozen=True)
class StepLook:
    """A step's text, read in its course. `message` is None while an error stands in the way.

    `problems` are those of its own file; `step` is None when the text cannot even be read.
    """

    course: CourseSource
    step: StepSource | None
    message: CompiledMessage | None
    problems: tuple[Problem, ...]
    media: CourseMedia


def look_at_step(folder: Path, name: str, text: str) -> StepLook:
    """What `text` would be as the file `name` of a course folder; the folder itself is not touched."""
    with tempfile.TemporaryDirectory(prefix="steadypost-") as place:
        beside = Path(place) / folder.name
        beside.mkdir()
        for path in (folder / "course.toml", *text_files(folder)):
            shutil.copyfile(path, beside / path.name)
        (beside / name).write_text(text, encoding="utf-8", newline="\n")
        course, problems = read_draft(beside)
    course = replace(course, folder=folder)
    media = course_media(folder)
    message = None
    for step, at in zip(course.steps, progress_of(course), strict=True):
        for translation in (None, *step.translations):
            written = translation or step
            if written.path.name == name and written.body.strip():
                said = in_language(course, step, translation)
                message, found = compile_step(*said, position=at, media=media.names)
                problems += found
    own = sorted_problems([problem for problem in problems if problem.path == name])
    return StepLook(course, _step_of(course, name), message, tuple(own), media)


def _step_of(course: CourseSource, name: str) -> StepSource | None:
    """The step that a file is, or that it translates."""
    for step in course.steps:
        files: list[StepSource | Translation] = [step, *step.translations]
        if any(one.path.name == name for one in files):
            return step
    return None


def show_step(
    session: Session,
    look: StepLook,
    now: datetime,
    *,
    as_subscriber: int | None,
    signer: Signer,
    base_url: str,
) -> Shown:
    """The mail of a step as a subscriber would get it, by the composer of real mails.

    Raises NotFound for a subscriber who is gone, CannotRender for what this person's values cannot fill.
    """
    mailing, message = _mailing(look)
    who, person = reader_for(session, as_subscriber)
    aside = "" if as_subscriber is None else _aside(session, look, as_subscriber, person["language"], now)
    row, said = mailing.row(0, now, **person), _said(session, look, as_subscriber)
    if said:
        row = row._replace(enrollment_id=next(iter(said)))
    mail = replace(mailing.composer(signer, base_url), said=said).render(row)
    shown = replace(mail, html=with_pictures(mail.html, look.media.files, base_url))
    return Shown(who, shown, message.preheader, aside)


def compose_step_test(
    session: Session,
    look: StepLook,
    now: datetime,
    *,
    to: str,
    as_subscriber: int | None,
    signer: Signer,
    base_url: str,
    keyring: Keyring,
) -> OneMail:
    """The same mail to an address of the author's, by the way that the course's sender goes if it has one.

    Its pictures are published, under the names that their bytes have. Raises as `show_step`, and BadAddress.
    """
    mailing, _ = _mailing(look)
    _, person = reader_for(session, as_subscriber)
    sender = session.execute(select(Sender).where(Sender.slug == look.course.slug)).scalar_one_or_none()
    keys = {}
    if sender is not None:
        own = keyring.keys_of(session, [replace(mailing.sender, id=sender.id)])
        keys = {mailing.sender.id: own.get(sender.id, ())}
    put_pictures(session, look.media.files)
    # Of its moment the Message-ID is made, and mail programs show a second mail of the same id to nobody.
    row = mailing.row(0, now, **{**person, "email": normalise(to)[0]})._replace(created_at=real_now())
    email = replace(mailing.composer(signer, base_url), keys=keys).compose(row, now)
    way = transport_of(session, sender)
    return OneMail(email, way.id, way.slug)


def _mailing(look: StepLook) -> tuple[Mailing, CompiledMessage]:
    if look.step is None or look.message is None:
        raise NotFound("There is no mail to show before the errors named above are mended.")
    compiled = CompiledCourse(look.course, ((look.step, look.message),), look.media.files)
    return of_folder(compiled), look.message


def _said(session: Session, look: StepLook, subscriber_id: int | None) -> dict[int, dict[int, str]]:
    """What this subscriber answered to check-ins, by their enrollment; nothing without one."""
    chosen = (
        select(Enrollment.id)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.subscriber_id == subscriber_id, Course.slug == look.course.slug)
        .order_by(Enrollment.id.desc())
        .limit(1)
    )
    enrollment_id = session.execute(chosen).scalar() if subscriber_id is not None else None
    return {} if enrollment_id is None else {enrollment_id: {}, **newest_answers(session, [enrollment_id])}


def _aside(session: Session, look: StepLook, subscriber_id: int, language: str | None, now: datetime) -> str:
    """That this subscriber would not get the step, or another one or another language of it."""
    step, course = look.step, look.course
    if step is None or look.message is None:
        return ""
    if not _meets(session, look, step, subscriber_id, now):
        return "whom its rule leaves out"
    beside = (one for one in course.steps if step.is_plain and one.instead_of == step.key)
    for other in beside:
        if _meets(session, look, other, subscriber_id, now):
            return f"who gets {other.path.name} instead"
    if step.easier_than:
        return "who gets it after finding that week too hard"
    written = {course.language, *(one.language for one in step.translations)}
    theirs = nearest(language, written, course.language)
    return f"who gets it in {theirs}" if theirs != look.message.language else ""


def _meets(session: Session, look: StepLook, step: StepSource, subscriber_id: int, now: datetime) -> bool:
    if not step.condition:
        return True
    try:
        return meets(session, step.condition, look.course.slug, subscriber_id, now)
    except MailerError:
        # A rule about what is not published yet: the check tells of it.
        return False
