"""`steadypost subscriber export` and `erase`: what somebody may ask for about themselves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from mailer.cli.asking import Yes, actor, ask_first
from mailer.cli.connect import connect
from mailer.cli.show import as_json, count, say
from mailer.desk import subscribers as desk
from mailer.errors import Refused


def export(
    email: str,
    to: Annotated[
        Path | None, typer.Option(help="Write it into this new file, which only you may read.")
    ] = None,
) -> None:
    """Print all that is kept of somebody as JSON: consents, courses, answers, mails. It is recorded."""
    with connect() as connected, connected.session() as session:
        who = desk.find_subscriber(session, actor(), email).person.id
        found = desk.export_subscriber(session, actor(), who)
        if to is not None:
            # Before the record of it is kept: what could not be written was not taken out.
            _write(to, json.dumps(found, indent=2, ensure_ascii=False, default=str))
    if to is None:
        as_json(found)
    else:
        say(f"Written: {to}.")


def erase(
    email: str,
    yes: Yes = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Forget somebody for good: all but a hash of their address, which keeps imports from bringing them back.

    Asks first; it cannot be undone.
    """
    with connect() as connected:
        with connected.session() as session:
            found = desk.find_subscriber(session, actor(), email)
        lists, courses = count(len(found.lists), "list"), count(len(found.courses), "course")
        ask_first(
            f"Forget {found.person.email} for good, with {lists}, {courses} and all mails and answers?",
            yes=yes,
        )
        with connected.session() as session:
            erased = desk.erase_subscriber(session, actor(), found.person.id)
    if as_json_:
        as_json({"mails": erased.mails, "lists": erased.lists})
        return
    say(f"Erased: {count(erased.mails, 'mail')}, {count(erased.lists, 'list')} and all else that was known.")


def _write(path: Path, text: str) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise Refused(f"{path} cannot be written ({error.strerror}); name a new file.") from None
