"""What differs between the version in place and a draft, before that is published."""

from __future__ import annotations

from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from mailer.content.compile import CompiledMessage
from mailer.launch.check import CompiledCourse
from mailer.launch.effect import header_of
from mailer.launch.messages import message_digest
from mailer.models import Course, Message
from mailer.reports.course_versions import Difference, Kept, compared, manifest_of

SETTINGS = ("key", "kind", "day", "week", "subject", "condition", "instead_of", "easier_than")


def draft_difference(session: Session, course: Course, compiled: CompiledCourse) -> Difference:
    """What publishing would change in the words that readers see; `new` is the number it would get."""
    published = manifest_of(session, course, course.version)
    drafted = _Drafted(_digests(session, published))
    mails = {step.key: {"": message} for step, message in compiled.steps}
    for step, message in compiled.translations:
        mails[step.key][message.language] = message
    steps = []
    for step, _message in compiled.steps:
        ids = {tag: drafted.id_of(step.key, tag, mail) for tag, mail in mails[step.key].items()}
        steps.append(
            {
                **{name: getattr(step, name) for name in SETTINGS},
                "send_time": f"{step.send_time:%H:%M}",
                "timing": step.timing.as_values(),
                "message_id": ids.pop(""),
                "languages": ids,
            }
        )
    manifest = {"header": header_of(compiled.source), "steps": steps}
    draft = Kept(course.version + 1, manifest, drafted.texts)
    return compared(session, Kept(course.version, published), draft)


class _Drafted:
    """The mails of a draft: one that is in place has its id, any other one below zero, and a text."""

    def __init__(self, known: dict[tuple[str, str], tuple[int, str]]) -> None:
        self.known = known
        self.texts: dict[int, str] = {}
        self._ids = count(-1, -1)

    def id_of(self, key: str, language: str, mail: CompiledMessage) -> int:
        known = self.known.get((key, language))
        if known is not None and known[1] == message_digest(mail):
            return known[0]
        number = next(self._ids)
        self.texts[number] = mail.text
        return number


def _digests(session: Session, manifest: dict[str, Any]) -> dict[tuple[str, str], tuple[int, str]]:
    """The id and fingerprint of each mail in place, by its step and language ("": the step's own)."""
    ids = {
        (step["key"], tag): message_id
        for step in manifest["steps"]
        for tag, message_id in {**step.get("languages", {}), "": step["message_id"]}.items()
    }
    rows = session.execute(select(Message.id, Message.digest).where(Message.id.in_(ids.values()))).all()
    digests = dict(rows)
    return {place: (message_id, digests[message_id]) for place, message_id in ids.items()}
