"""What campaigns and courses did, in numbers: as tables, as charts, and as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from fastapi import APIRouter, Request, Response

from mailer.desk import reports as desk
from mailer.errors import NotFound
from mailer.reports.course_list import MOST_COUNTED
from mailer.reports.course_report import CourseFigures, StepReaders
from mailer.reports.csv_file import BOM, csv_lines
from mailer.reports.patience import as_far_as_counted
from mailer.reports.sent import Overview
from mailer.web.deps import READ, PartsDep
from mailer.web.signed_in import See
from mailer.web.taking_out import attached, csv_answer

router = APIRouter()

PATH = "/desk/reports"
NOBODY = StepReaders()


@router.api_route(PATH, methods=READ)
def overview(request: Request, parts: PartsDep, actor: See) -> Response:
    """The last campaigns, and every course."""
    with parts.session() as session:
        found = desk.see_overview(session, actor)
    return parts.desk.page(request, "reports/overview.html", actor, found=found)


@router.get(PATH + "/{part}.csv")
def overview_csv(part: str, parts: PartsDep, actor: See) -> Response:
    """One of the overview's tables as a file: nobody's own data is in it."""
    if part not in OVERVIEW:
        raise NotFound(f"There is no table {part!r}; there are {', '.join(OVERVIEW)}.")
    with parts.session() as session:
        found = desk.see_overview(session, actor)
    columns, rows = OVERVIEW[part]
    return csv_answer(f"{part}.csv", columns, [rows(found)])


@router.api_route(PATH + "/courses/{slug}", methods=READ)
def course(
    request: Request, slug: str, parts: PartsDep, actor: See, count: str = "", before: date | None = None
) -> Response:
    """Its funnel, its cohorts and its answers; all but the steps only on demand where there is much."""
    with parts.session() as session:
        found, cannot = as_far_as_counted(
            lambda is_asked: desk.see_course(session, actor, slug, is_asked=is_asked, before=before),
            count == "yes",
        )
    older = found.cohorts.older if found.cohorts else None
    return parts.desk.page(
        request,
        f"reports/{'figures' if request.headers.get('hx-request') else 'course'}.html",
        actor,
        found=found,
        cannot=cannot,
        nobody=NOBODY,
        before=before,
        older=parts.desk.url(f"{PATH}/courses/{slug}", count=count, before=older) if older else "",
    )


@router.get(PATH + "/courses/{slug}/{part}.csv")
def course_csv(slug: str, part: str, parts: PartsDep, actor: See) -> Response:
    """One of its tables as a file, with every week that somebody began in: nobody's own data is in it."""
    if part not in TABLES:
        raise NotFound(f"There is no table {part!r}; there are {', '.join(TABLES)}.")
    with parts.session() as session:
        found = desk.see_course(session, actor, slug, is_asked=True, most=None)
    headers = attached(f"{slug}-{part}.csv")
    return Response(
        BOM + csv_lines(TABLES[part](found)), media_type="text/csv; charset=utf-8", headers=headers
    )


def _steps(found: CourseFigures) -> Iterator[Sequence[object]]:
    yield (
        *("day", "step", "subject", "kind", "due", "accepted", "refused", "not sent", "unknown", "open"),
        *("people who clicked", "machine requests", "all requests", "left", "stopped", "sent again"),
    )
    for one in found.steps:
        did = (found.readers or {}).get(one.key, NOBODY)
        yield (
            *(one.day, one.key, one.subject, one.kind),
            *(one.due, one.accepted, one.refused, one.not_sent, one.unknown, one.open),
            *(did.people, did.machines, did.requests, did.left, did.stopped, one.again),
        )
    if before := (found.readers or {}).get(""):
        yield ("", "", "before the first step", *[""] * 10, before.left, before.stopped, "")


def _cohorts(found: CourseFigures) -> Iterator[Sequence[object]]:
    if found.cohorts is None:
        return
    weeks = [f"reached week {week}" for week in found.cohorts.weeks]
    yield "week of", "began", *weeks, "still in it", "finished", "left or stopped", "not confirmed"
    for one in found.cohorts.rows:
        yield one.week, one.began, *one.reached, one.active, one.finished, one.left, one.waiting


def _answers(found: CourseFigures) -> Iterator[Sequence[object]]:
    yield "week", "sent to", "done", "not yet", "too hard", "silent"
    for one in found.answers or ():
        yield one.week, one.sent, one.done, one.not_yet, one.too_hard, one.silent


def _campaigns(found: Overview) -> Iterator[Sequence[object]]:
    for one in found.campaigns:
        began = one.starts_at.isoformat(timespec="seconds") if one.starts_at else ""
        clicked = "" if one.clicked is None else one.clicked  # more than are counted at a glance
        yield (
            *(one.slug, one.subject, began, one.state),
            *(one.audience, one.accepted, one.not_reached, one.open, clicked),
        )


def _courses(found: Overview) -> Iterator[Sequence[object]]:
    for one in found.courses:
        readers = one.line.readers if one.line.readers < MOST_COUNTED else f"{MOST_COUNTED} or more"
        yield one.line.slug, one.line.title, readers, one.accepted, one.not_reached, one.open


SUMS = ("accepted", "not reached", "open")
OVERVIEW: Mapping[str, tuple[Sequence[str], Callable[[Overview], Iterator[Sequence[object]]]]] = {
    "campaigns": (
        ("campaign", "subject", "began", "state", "audience", *SUMS, "people who clicked"),
        _campaigns,
    ),
    "courses": (("course", "title", "readers", *SUMS), _courses),
}
TABLES = {"steps": _steps, "cohorts": _cohorts, "answers": _answers}
