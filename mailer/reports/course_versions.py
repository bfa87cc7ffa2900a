"""A course's published versions, and what differs between two of them in the words that readers see."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from mailer.content.timing_words import shown_weekdays
from mailer.content.variables import CANNOT_RENDER, author_environment, sample_context
from mailer.errors import NotFound
from mailer.models import Course, CourseVersion, Message

MOST_VERSIONS = 50
CONTEXT = 160
"""Signs of what is the same that are shown around a difference."""
WORDS = re.compile(r"\n+|[^\S\n]+|[^\s]+")
NAMES = {"list_title": "list's title", "opt_in": "opt-in", "quiet": "quiet dates", "until": "leaves before"}
TIMING = ("until", "weekdays", "not_before", "quiet")
SETTINGS = (
    *("subject", "kind", "day", "send_time", *TIMING),
    *("week", "condition", "instead_of", "easier_than"),
)


@dataclass(frozen=True)
class VersionRow:
    """A published version; `steps` is how many it has, `has_files` whether the files it is of are kept."""

    number: int
    published_at: datetime
    steps: int
    has_files: bool


class Side(StrEnum):
    BOTH = "both"
    OLD = "old"
    NEW = "new"


@dataclass(frozen=True)
class Piece:
    """Some words, and in which of the two texts they stand."""

    side: Side
    words: str


@dataclass(frozen=True)
class Setting:
    """A setting that differs; empty where one of the two does not say it."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class StepDifference:
    """How one step differs: `what` is added, gone or changed; `pieces` is empty when the text is the same."""

    key: str
    subject: str
    what: str
    settings: tuple[Setting, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Difference:
    """All that differs between two versions of a course."""

    old: int
    new: int
    settings: tuple[Setting, ...]
    steps: tuple[StepDifference, ...]


def versions_of(
    session: Session, course: Course, before: int | None = None, limit: int = MOST_VERSIONS
) -> list[VersionRow]:
    """Its newest versions, newest first, or those before the version of a number."""
    rows = session.execute(
        select(
            CourseVersion.number,
            CourseVersion.published_at,
            func.jsonb_array_length(CourseVersion.manifest["steps"]),
            CourseVersion.files_digest.is_not(None),
        )
        .where(
            CourseVersion.course_id == course.id, true() if before is None else CourseVersion.number < before
        )
        .order_by(CourseVersion.number.desc())
        .limit(limit)
    )
    return [VersionRow(*row) for row in rows]


def difference(session: Session, course: Course, old: int, new: int) -> Difference:
    """What differs between two versions; raises NotFound when there is no such version."""
    before, after = manifest_of(session, course, old), manifest_of(session, course, new)
    return compared(session, Kept(old, before), Kept(new, after))


@dataclass(frozen=True)
class Kept:
    """What a version keeps, or would keep; `texts` are those of mails not published yet, by their ids."""

    number: int
    manifest: Mapping[str, Any]
    texts: Mapping[int, str] = field(default_factory=dict)


def compared(session: Session, old: Kept, new: Kept) -> Difference:
    """What differs between the two in the words that readers see, each translation a step of its own."""
    earlier, later = _mails(old.manifest), _mails(new.manifest)
    ids = {mail["message_id"] for mail in (*earlier.values(), *later.values())}
    published = session.execute(select(Message.id, Message.text).where(Message.id.in_(ids))).all()
    texts = {**dict(published), **old.texts, **new.texts}
    keys = sorted(earlier.keys() | later.keys(), key=lambda key: (later.get(key) or earlier[key])["day"])
    steps = (_of_step(key, earlier.get(key), later.get(key), texts) for key in keys)
    header, other = old.manifest["header"], new.manifest["header"]
    settings = _settings(header, other, [*other, *header])
    return Difference(old.number, new.number, settings, tuple(one for one in steps if one is not None))


def _mails(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each step by its key, and each of its translations by "key.language"; a translation has no settings."""
    found: dict[str, dict[str, Any]] = {}
    for step in manifest["steps"]:
        timing = dict(step.get("timing", {}))
        if "weekdays" in timing:
            timing["weekdays"] = shown_weekdays(timing["weekdays"])
        found[step["key"]] = {**step, **timing}
        for language, message_id in step.get("languages", {}).items():
            if message_id != step["message_id"]:
                about = {"day": step["day"], "subject": f"{step['subject']} ({language})"}
                found[f"{step['key']}.{language}"] = {**about, "message_id": message_id}
    return found


def pieces_of(old: str, new: str) -> tuple[Piece, ...]:
    """Two texts as one, word by word, with what only one of them has."""
    one, other = WORDS.findall(old), WORDS.findall(new)
    found: list[Piece] = []
    # Without the shortcut for frequent words: in a long letter all of "the" and " " would count for nothing.
    for kind, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind == "equal":
            is_first, is_last = not found, b == len(one)
            found.append(Piece(Side.BOTH, _around("".join(one[a:b]), is_first, is_last)))
            continue
        found += [Piece(Side.OLD, "".join(one[a:b]))] if a < b else []
        found += [Piece(Side.NEW, "".join(other[c:d]))] if c < d else []
    return tuple(found)


def _around(words: str, is_first: bool, is_last: bool) -> str:
    """What of words that both texts have is needed to see where the others stand."""
    if len(words) <= 2 * CONTEXT:
        return words
    before = "" if is_first else words[:CONTEXT].rpartition(" ")[0]
    after = "" if is_last else words[-CONTEXT:].partition(" ")[2]
    return f"{before} […] {after}"


def manifest_of(session: Session, course: Course, number: int) -> dict[str, Any]:
    """What a version put in place; raises NotFound."""
    found: dict[str, Any] | None = session.execute(
        select(CourseVersion.manifest).where(
            CourseVersion.course_id == course.id, CourseVersion.number == number
        )
    ).scalar_one_or_none()
    if found is None:
        raise NotFound(f"{course.slug} has no version {number}.")
    return found


def _of_step(
    key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, texts: Mapping[int, str]
) -> StepDifference | None:
    """How a step differs; None when it does not."""
    if old is None or new is None:
        only = new or old or {}
        side = Side.NEW if old is None else Side.OLD
        what = "added" if old is None else "gone"
        text = (Piece(side, _said(texts.get(only["message_id"], ""))),)
        return StepDifference(key, only["subject"], what, (), text)
    settings = _settings(old, new, SETTINGS)
    pieces: tuple[Piece, ...] = ()
    if old["message_id"] != new["message_id"]:
        pieces = pieces_of(*(_said(texts.get(one["message_id"], "")) for one in (old, new)))
        if all(piece.side is Side.BOTH for piece in pieces):
            pieces = ()  # a picture, or the mails' own look
            settings += (Setting("look", "", "pictures or layout"),)
    if not settings and not pieces:
        return None
    return StepDifference(key, new["subject"], "changed", settings, pieces)


def _settings(old: Mapping[str, Any], new: Mapping[str, Any], names: Sequence[str]) -> tuple[Setting, ...]:
    return tuple(
        Setting(NAMES.get(name, name.replace("_", " ")), _shown(old.get(name)), _shown(new.get(name)))
        for name in dict.fromkeys(names)
        if (old.get(name) or "") != (new.get(name) or "")
    )


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _said(template: str) -> str:
    """The words of a text part as a sample reader sees them; as it is written where that cannot be made."""
    try:
        return author_environment(autoescape=False).from_string(template).render(sample_context())
    except CANNOT_RENDER:
        return template
