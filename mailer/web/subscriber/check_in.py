"""A week's check-in: the link asks, one of three buttons tells; telling again changes it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from mailer.db import business_now
from mailer.feedback.check_in import Asked, WeekNotSent, look_at, record
from mailer.i18n import format_date
from mailer.models import Answer
from mailer.reports.progress import Letter, journey_of
from mailer.reports.reader import ReaderPage
from mailer.web.deps import READ, FormFields, Parts, PartsDep
from mailer.web.language import spoken
from mailer.web.subscriber.reader import delivery_of, read_reader

router = APIRouter()


@router.api_route("/m/{token}/check-in", methods=READ)
def ask(token: str, parts: PartsDep, answer: str = "", week: str = "") -> Response:
    """Changes nothing: mail scanners follow every link, also those that name an answer."""
    with parts.session() as session:
        reader = read_reader(parts, session, token)
        asked = look_at(session, delivery_of(parts, token), _number(week))
    return _page(parts, reader, asked, chosen=answer)


@router.post("/m/{token}/check-in")
def act(token: str, fields: FormFields, parts: PartsDep) -> Response:
    """Keeps the answer, and shows what follows; a form that is not ours changes nothing."""
    with parts.session() as session:
        delivery_id, now = delivery_of(parts, token), business_now(session)
        reader = read_reader(parts, session, token)
        asked = look_at(session, delivery_id, _number(fields.get("week", "")))
        answer, week = _answer(fields.get("answer", "")), asked.week
        if answer is None or week is None:
            return _page(parts, reader, asked, status=422)
        try:
            asked = record(session, delivery_id, week, answer, now)
        except WeekNotSent:
            return _page(parts, reader, asked, status=422)
        following = next(iter(journey_of(session, delivery_id, now).ahead), None)
    return _page(parts, reader, asked, is_told=not asked.has_left, following=following)


def _answer(value: str) -> Answer | None:
    return Answer(value) if value in set(Answer) else None


def _number(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 4 else None


def _page(
    parts: Parts,
    reader: ReaderPage,
    asked: Asked,
    *,
    chosen: str = "",
    is_told: bool = False,
    following: Letter | None = None,
    status: int = 200,
) -> Response:
    return parts.pages.render(
        "subscriber/check_in.html",
        reader.language,
        status=status,
        asked=asked,
        answers=[str(answer) for answer in Answer],
        chosen=_answer(chosen) or (asked.answer or ""),
        is_told=is_told,
        following=following,
        following_on=format_date(following.on, spoken(reader.language)) if following else "",
        sender_name=reader.sender_name,
    )
