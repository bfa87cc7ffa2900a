"""An import's row: how far it has come, so that a run that was killed is gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from mailer.audience.lists import keep_list
from mailer.audience.staging import Staging
from mailer.errors import Refused

FORGOTTEN_AFTER = timedelta(days=7)
"""Addresses of a file that nobody goes on with are not kept for longer."""
IN_USE = 7_301_994
"""Our key among PostgreSQL's advisory locks: shared by whoever works on an import, alone by who ends it."""


class Elsewhere(Refused):
    """Somebody else is importing the same file; `what` says so."""

    def __init__(self) -> None:
        super().__init__("Another process is importing this file into this list; let it end, or stop it.")


@dataclass(frozen=True)
class Unfinished:
    """An import as it stands. It is read as a whole before anybody is added.

    `guess` is the first row whose letters depend on a guess of the encoding, with its line number.
    `parts` are those of the people that have been added, with what became of them.
    """

    id: int
    is_read: bool
    rows_read: int
    rows_refused: int
    guess: tuple[int, str] | None
    parts: Mapping[int, Mapping[str, int]]

    @property
    def staging(self) -> Staging:
        """Its tables."""
        return Staging(self.id)

    def total(self, name: str) -> int:
        """The sum of one count over all parts that are done."""
        return sum(counts[name] for counts in self.parts.values())


def begin(session: Session, digest: bytes, list_id: int, source: str, now: datetime) -> Unfinished:
    """The unfinished import of this digest as it was left, or a new one; Refused for a list that is gone."""
    keep_list(session, list_id)
    stale = text("SELECT id FROM imports WHERE finished_at IS NULL AND started_at < :then")
    for old in session.execute(stale, {"then": now - FORGOTTEN_AFTER}).scalars().all():
        forget(session, old)
    values = {"digest": digest, "list_id": list_id, "source": source, "now": now}
    new = session.execute(text(_BEGIN), values).scalar_one_or_none()
    if new is not None:
        Staging(new).create(session)
    return _look(session, "digest = :value", digest)


_BEGIN = """
    INSERT INTO imports (digest, list_id, source, state, started_at)
    VALUES (:digest, :list_id, :source, 'reading', :now)
    ON CONFLICT (digest) WHERE finished_at IS NULL DO NOTHING RETURNING id
"""


def look(session: Session, import_id: int) -> Unfinished:
    """How far it is now; raises Elsewhere when it has been ended."""
    return _look(session, "id = :value", import_id)


def _look(session: Session, which: str, value: object) -> Unfinished:
    columns = "id, state, rows_read, rows_refused, guess, parts"
    row = session.execute(
        text(f"SELECT {columns} FROM imports WHERE {which} AND finished_at IS NULL"),  # noqa: S608
        {"value": value},
    ).one_or_none()
    if row is None:
        raise Elsewhere
    return Unfinished(
        row.id,
        row.state == "adding",
        row.rows_read,
        row.rows_refused,
        (row.guess["line"], row.guess["text"]) if row.guess else None,
        {int(number): counts for number, counts in row.parts.items()},
    )


def enter(session: Session, import_id: int) -> Unfinished:
    """To be called before working on it: until the transaction ends, nobody ends the import."""
    session.execute(text("SELECT pg_advisory_xact_lock_shared(:key, :id)"), _lock(import_id))
    return look(session, import_id)


def _alone(session: Session, import_id: int) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(:key, :id)"), _lock(import_id))


def _lock(import_id: int) -> dict[str, int]:
    return {"key": IN_USE, "id": import_id % 2**31}


def record_rows(
    session: Session,
    before: Unfinished,
    rows: int,
    refused: int,
    guess: tuple[int, str] | None,
    *,
    is_last: bool,
) -> Unfinished:
    """Note that more of the file has been read; raises Elsewhere when somebody else has read it."""
    values = {
        "id": before.id,
        "before": before.rows_read,
        "rows": rows,
        "refused": refused,
        "guess": json.dumps({"line": guess[0], "text": guess[1]}) if guess else None,
        "state": "adding" if is_last else "reading",
    }
    noted = session.execute(
        text(
            "UPDATE imports SET rows_read = rows_read + :rows, rows_refused = rows_refused + :refused, "
            "guess = coalesce(guess, CAST(:guess AS jsonb)), state = :state "
            "WHERE id = :id AND rows_read = :before AND state = 'reading' RETURNING id"
        ),
        values,
    )
    if noted.first() is None:
        raise Elsewhere
    return look(session, before.id)


def record_part(session: Session, import_id: int, number: int, counts: Mapping[str, int]) -> None:
    """Note that a part of the people has been added; raises Elsewhere when somebody else has done it.

    To be called last in its transaction: whoever adds another part waits here for the commit.
    """
    noted = session.execute(
        text(
            "UPDATE imports SET parts = parts || CAST(:part AS jsonb) "
            "WHERE id = :id AND parts -> :number IS NULL RETURNING id"
        ),
        {"id": import_id, "number": str(number), "part": json.dumps({str(number): counts})},
    )
    if noted.first() is None:
        raise Elsewhere


def finish(session: Session, import_id: int, now: datetime) -> None:
    """End it. What stays is that it took place, with its counts and without an address."""
    _alone(session, import_id)
    Staging(import_id).drop(session)
    session.execute(
        text("UPDATE imports SET state = 'finished', finished_at = :now, guess = NULL WHERE id = :id"),
        {"id": import_id, "now": now},
    )


def forget(session: Session, import_id: int) -> None:
    """Drop an unfinished import, as if it had not been begun; people who were added stay."""
    _alone(session, import_id)
    Staging(import_id).drop(session)
    session.execute(text("DELETE FROM imports WHERE id = :id AND finished_at IS NULL"), {"id": import_id})


def forget_digest(session: Session, digest: bytes) -> None:
    """The same for the one of this digest, if there is one."""
    found = text("SELECT id FROM imports WHERE digest = :digest AND finished_at IS NULL")
    for import_id in session.execute(found, {"digest": digest}).scalars().all():
        forget(session, import_id)
