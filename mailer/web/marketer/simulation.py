"""A course's days lived through on the desk, for readers who are typical, written down, or here already."""

from __future__ import annotations

import json
from datetime import date, datetime

from fastapi import APIRouter, Request, Response

from mailer.desk import simulating as desk
from mailer.desk.step_texts import rules_to_choose
from mailer.errors import MailerError, NotFound
from mailer.launch.chosen_readers import MOST_READERS, text_of_file
from mailer.launch.foreseen import Foreseen
from mailer.launch.invented import Invented
from mailer.launch.shown import Shown
from mailer.launch.simulate import Line
from mailer.launch.typical import Life
from mailer.sealing import SealedWithAnotherKey
from mailer.web.deps import READ, Parts, PartsDep
from mailer.web.marketer.courses import PATH, drafts_of
from mailer.web.marketer.mail_frame import framed, shown_or_why
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
def simulate_for(request: Request, slug: str, actor: See, upload: UploadDep, parts: PartsDep) -> Response:
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


@router.api_route(PATH + "/{slug}/simulate/mail", methods=READ)
def show_mail(request: Request, slug: str, reader: str, mail: str, parts: PartsDep, actor: See) -> Response:
    """One mail of it as its reader would get it."""
    asked = _foreseen(parts, reader, mail)
    shown, cannot = _shown(parts, actor, slug, asked)
    return parts.desk.page(
        request,
        "courses/simulated.html",
        actor,
        slug=slug,
        mail=asked,
        shown=shown,
        cannot=cannot,
        frame={"reader": reader, "mail": mail},
    )


@router.get(PATH + "/{slug}/simulate/frame")
def show_frame(
    slug: str, reader: str, mail: str, parts: PartsDep, actor: See, dark: bool = False
) -> Response:
    """The mail itself, for a frame that lets nothing out of it."""
    shown, cannot = _shown(parts, actor, slug, _foreseen(parts, reader, mail))
    return framed(shown, cannot, is_dark=dark)


def _shown(parts: Parts, actor: See, slug: str, mail: Foreseen) -> tuple[Shown | None, str]:
    asked = actor, drafts_of(parts), slug, mail, parts.signer, parts.base_url
    return shown_or_why(parts, lambda session: desk.show_foreseen(session, *asked))


def sealed_reader(parts: Parts, reader: Invented) -> str:
    """Whose mails a page shows, for its address: nobody reads it there, and nothing of it is kept."""
    facts = [reader.email, reader.name, reader.zone, reader.language, dict(reader.fields)]
    return parts.seal.close(json.dumps(facts))


def line_told(line: Line) -> str:
    """Which mail it is, for the address of its page."""
    answers = " ".join(f"{week}={answer}" for week, answer in line.answers)
    return f"{line.step} {line.due_at.isoformat()} {'again' if line.is_repeat else 'first'} {answers}".strip()


def _foreseen(parts: Parts, reader: str, mail: str) -> Foreseen:
    """The mail of an address that we wrote; raises NotFound for another."""
    try:
        email, name, zone_name, language, fields = json.loads(parts.seal.open(reader))
        step, at, turn, *said = mail.split(" ")
        answers = {int(week): answer for week, _, answer in (one.partition("=") for one in said)}
        who = Invented(email, name, zone_name, language, fields=fields)
        return Foreseen(who, step, datetime.fromisoformat(at), answers, turn == "again")
    except (SealedWithAnotherKey, ValueError):
        raise NotFound("This address is no longer good; live through the course once more.") from None


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
        readers=[sealed_reader(parts, life.reader) for life in lives],
        line_told=line_told,
        charted=lives[:CHARTED],
        rules=rules,
        most=MOST_READERS,
        given=fields,
        error=error,
    )
