"""What of a course is published now, beside what its author has; and the fingerprints that tell."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.content.course_folder import StepSource
from mailer.launch.check import CompiledCourse
from mailer.launch.messages import message_digest
from mailer.models import Course, CourseVersion, Message, Step


@dataclass(frozen=True)
class Known:
    """A published step beside what its author has now; `is_same_mail` compares what readers see.

    `texts` are the fingerprints of its translations, by language; `pages` the HTML of each, "" its own.
    """

    step: Step
    is_same_mail: bool
    texts: Mapping[str, str]
    pages: Mapping[str, str]


def source_digest(step: StepSource) -> str:
    """A fingerprint of what the author wrote, whenever and whoever it is sent to."""
    return _digest(step.subject, step.preheader, step.kind, str(step.week), step.body)


def text_digests(step: StepSource) -> dict[str, str]:
    """The same of each of a step's translations, by language."""
    return {one.language: _digest(one.subject, one.preheader, one.body) for one in step.translations}


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def known_steps(session: Session, course: Course, compiled: CompiledCourse) -> dict[str, Known]:
    """Every step that was ever published, by key; retired ones too, for they may come back."""
    mails = {step.key: {"": message} for step, message in compiled.steps}
    for step, message in compiled.translations:
        mails[step.key][message.language] = message
    rows = session.execute(
        select(Step, Message)
        .join(Message, Message.id == Step.message_id)
        .where(Step.course_id == course.id)
        .order_by(Step.day, Step.key)
        .execution_options(populate_existing=True)
    ).all()
    translations = _translations(session, [row.Step for row in rows])
    texts = {step["key"]: step.get("texts", {}) for step in _manifest(session, course)["steps"]}
    known = {}
    for row in rows:
        key, published = row.Step.key, {"": row.Message, **translations[row.Step.id]}
        has = {tag: (mail.digest, mail.language) for tag, mail in published.items()}
        gets = {tag: (message_digest(mail), mail.language) for tag, mail in mails.get(key, {}).items()}
        pages = {tag: mail.html for tag, mail in published.items()}
        known[key] = Known(row.Step, has == gets, texts.get(key, {}), pages)
    return known


def published_header(session: Session, course: Course) -> dict[str, Any]:
    """What course.toml said when the course was published last."""
    header: dict[str, Any] = _manifest(session, course)["header"]
    return header


def _manifest(session: Session, course: Course) -> dict[str, Any]:
    manifest: dict[str, Any] = session.execute(
        select(CourseVersion.manifest)
        .where(CourseVersion.course_id == course.id)
        .order_by(CourseVersion.number.desc())
        .limit(1)
    ).scalar_one()
    return manifest


def _translations(session: Session, steps: Sequence[Step]) -> dict[int, dict[str, Message]]:
    """The published message of each language that a step was translated to, by the step's id."""
    ids = {message_id for step in steps for message_id in step.languages.values()}
    rows = session.execute(select(Message).where(Message.id.in_(ids))).scalars() if ids else ()
    by_id = {message.id: message for message in rows}
    return {
        step.id: {tag: by_id[number] for tag, number in step.languages.items() if number != step.message_id}
        for step in steps
    }


def published_subjects(session: Session, course_id: int) -> dict[str, str]:
    """The subject of each published step, by its key."""
    return dict(session.execute(select(Step.key, Step.subject).where(Step.course_id == course_id)).all())
