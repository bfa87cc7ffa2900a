"""Taking an import back: whoever came by it and has done nothing since is as if it had not been."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.import_files import KEPT, evidence_of
from mailer.db import one_by_one
from mailer.errors import Refused
from mailer.models import ImportFile, ImportFileState

AT_ONCE = 2000

_S = ImportFileState


@dataclass(frozen=True)
class Undone:
    """How many were forgotten and how many taken off the list; `after` is where to go on, None: done."""

    forgotten: int
    taken_off: int
    after: int | None


def why_not(file: ImportFile, now: datetime) -> str:
    """Why an import cannot be taken back, as a sentence; empty when it can."""
    if file.state == _S.UNDONE:
        return "It was taken back already."
    if file.state != _S.FINISHED or file.import_id is None or file.finished_at is None:
        return "Only an import that has ended can be taken back."
    if not file.report.get("joined"):
        return "Nobody joined the list by it, so there is nothing to take back."
    if now > file.finished_at + KEPT:
        return "It ended more than a week ago; take people off the list one by one, or write to them no more."
    return ""


def begin(session: Session, file: ImportFile, now: datetime) -> None:
    """Have it taken back, by the workers; raises Refused."""
    if why := why_not(file, now):
        raise Refused(why)
    first, last = session.execute(text(_RANGE), {"import": file.import_id}).one()
    file.state, file.problem = _S.UNDOING, ""
    file.progress = {"after": (first or 1) - 1, "last": last or 0, "forgotten": 0, "taken_off": 0}


def undo_part(session: Session, file: ImportFile) -> Undone:
    """Take back the next AT_ONCE people who joined, in the order of their subscriptions.

    Forgotten is who is known by this import alone and was never mailed; somebody else on the list without
    having confirmed is taken off it. Whoever confirmed, left or joined a course since stays as they are, and
    so does who was known before and is asked to confirm: they are mailed nothing unless they do.
    """
    values = {
        "after": file.progress["after"],
        "last": file.progress["last"],
        "list": file.list_id,
        "at": file.ordered_at,
        "source": evidence_of(file).source,
        "state": "active" if file.joins_active else "pending",
        "limit": AT_ONCE,
    }
    # Some thousands of a million, and of ten million mails.
    with one_by_one(session):
        session.execute(text(_FOUND), values)
        session.execute(text("ANALYZE found"))
        last = session.execute(text("SELECT max(id) FROM found")).scalar_one()
        forgotten = session.execute(text(_FORGET), {"at": file.ordered_at}).rowcount  # type: ignore[attr-defined]
        taken_off = session.execute(text(_TAKE_OFF)).rowcount if file.joins_active else 0  # type: ignore[attr-defined]
        session.execute(text("DROP TABLE found"))
    return Undone(forgotten, taken_off, last)


def end(file: ImportFile, now: datetime) -> None:
    """Note that all of it is taken back."""
    file.state, file.finished_at = _S.UNDONE, now
    file.report = {**file.report, "undone": {key: file.progress[key] for key in ("forgotten", "taken_off")}}


_RANGE = """
    SELECT min(nullif(CAST(part -> 'first' AS bigint), 0)), max(CAST(part -> 'last' AS bigint))
    FROM imports, jsonb_path_query(parts, '$.*') AS part WHERE imports.id = :import
"""

# As the import left them: a confirmation, a leaving or a coming back writes a later moment.
_FOUND = """
    CREATE TEMPORARY TABLE found ON COMMIT DROP AS
    SELECT s.id, s.subscriber_id
    FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber_id
    WHERE s.id > :after AND s.id <= :last
      AND s.list_id = :list AND s.state = :state AND s.changed_at = :at
      AND EXISTS (SELECT 1 FROM consents c
                  WHERE c.subscription_id = s.id AND c.at = :at AND c.source = :source)
      AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.subscriber_id = s.subscriber_id
                      AND e.created_at >= :at)
    -- Nobody may put these people on another list between now and the end.
    ORDER BY s.id LIMIT :limit FOR UPDATE OF s, p
"""

_FORGET = """
    DELETE FROM subscribers p USING found f
    WHERE p.id = f.subscriber_id AND p.created_at = :at
      AND NOT EXISTS (SELECT 1 FROM subscriptions o WHERE o.subscriber_id = p.id AND o.id <> f.id)
      AND NOT EXISTS (SELECT 1 FROM enrollments e WHERE e.subscriber_id = p.id)
      AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.subscriber_id = p.id
                      AND d.state NOT IN ('planned', 'held', 'suppressed', 'skipped', 'cancelled'))
"""

_TAKE_OFF = "DELETE FROM subscriptions s USING found f WHERE s.id = f.id"
