"""A course's days lived through on the desk, for readers who are typical, written down, or here already."""

from __future__ import annotations

from datetime import date

from fastapi import APIRouter, Request, Response

from mailer.desk import simulating as desk
from mailer.desk.step_texts import rules_to_choose
from mailer.errors import MailerError, NotFound
from mailer.launch.chosen_readers import MOST_READERS, text_of_file
from mailer.launch.typical import Life
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.courses import PATH, drafts_of
from mailer.web.marketer.uploads import ROOM, UploadDep
from mailer.web.signed_in import See
from mailer.web.taking_out import csv_answer

router = APIRouter()

COLUMNS = ("reader", "at", "their time", "step", "subject", "why")
MOST_PEOPLE = 200_000
"""Bytes of a file with people."""
CHARTED = 8
"""More lines than these tell nobody anything in one chart."""


@router.api_route(PATH + "/{slug}/simulate", methods=READ)
def simulate(request: Request, slug: str, parts: PartsDep, actor: See, start: date | None = None) -> Response:
    """What typical readers get, and when."""
    lives = _lives(parts, actor, slug, start, desk.Chosen())
    return _page(request, parts, actor, slug, lives, {"start": start.isoformat() if start else ""})


@router.post(PATH + "/{slug}/simulate", max_body_size=2 * MOST_PEOPLE + ROOM)
def simulate_for(request: Request, slug: str, upload: UploadDep, parts: PartsDep, actor: See) -> Response:
    """What chosen readers get: of a file, or a few who meet a rule. Nothing of it is kept."""
    fields = dict(upload.fields)
    try:
        if upload.content:
            # The file is in the field from now on: a browser does not keep it for the next try.
            fields["people"] = text_of_file(upload.content)
        start = date.fromisoformat(fields["start"]) if fields.get("start") else None
        chosen = desk.Chosen(fields.get("people", ""), fields.get("who", ""))
        lives = _lives(parts, actor, slug, start, chosen)
    except NotFound:
        raise
    except (MailerError, ValueError) as error:
        said = str(error) if isinstance(error, MailerError) else "The day they begin on is no date."
        return _page(request, parts, actor, slug, [], fields, said)
    if fields.get("take") == "csv":
        return _csv(slug, lives)
    return _page(request, parts, actor, slug, lives, fields)


@router.get(PATH + "/{slug}/simulate.csv")
def simulate_csv(slug: str, parts: PartsDep, actor: See, start: date | None = None) -> Response:
    """The same mail by mail, as a file."""
    return _csv(slug, _lives(parts, actor, slug, start, desk.Chosen()))


def _lives(parts: Parts, actor: See, slug: str, start: date | None, chosen: desk.Chosen) -> list[Life]:
    with parts.session() as session:
        return desk.live_through(session, actor, drafts_of(parts), slug, start, chosen)


def _csv(slug: str, lives: list[Life]) -> Response:
    rows = [
        (life.who, line.due_at.isoformat(), line.local_time, line.step, line.subject, line.reason)
        for life in lives
        for line in life.sends
    ]
    return csv_answer(f"{slug}-simulated.csv", COLUMNS, [rows])


def _page(
    request: Request,
    parts: Parts,
    actor: See,
    slug: str,
    lives: list[Life],
    fields: dict[str, str],
    error: str = "",
) -> Response:
    with parts.session() as session:
        rules = rules_to_choose(session, actor)
    return parts.desk.page(
        request,
        "courses/simulate.html",
        actor,
        slug=slug,
        lives=lives,
        charted=lives[:CHARTED],
        rules=rules,
        most=MOST_READERS,
        given=fields,
        error=error,
    )
