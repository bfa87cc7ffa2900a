"""The audit log: found by person, act and day, in pages, and as a file that runs nothing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Action
from tests.support.staff import Person

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def noted(sessions: Sessions, *actions: Action) -> None:
    with session_scope(sessions) as session:
        session.add_all(actions)


def did(who: str, what: str, at: datetime = NOON, rows: int = 1, **detail: str) -> Action:
    return Action(at=at, who=who, what=what, rows=rows, detail=detail)


def rows_of(person: Person, **query: str) -> list[dict[str, str]]:
    answer = person.client.get("/desk/audit.csv", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_it_is_found_by_person_act_and_day(marc: Person, sessions: Sessions) -> None:
    noted(
        sessions,
        did("ada", "campaign send"),
        did("ada", "campaign cancel", NOON + timedelta(days=1)),
        did("ben", "hold release"),
    )
    for query, found in (
        ({"who": "ada"}, ["campaign cancel", "campaign send"]),
        ({"what": "campaign s"}, ["campaign send"]),
        ({"day": "2026-03-02"}, ["hold release", "campaign send"]),
        ({"who": "ada", "day": "2026-03-03"}, ["campaign cancel"]),
        ({"what": "%"}, []),
    ):
        page = marc.get("/desk/audit", **query).text
        shown = [what for what in ("campaign send", "campaign cancel", "hold release") if f">{what}<" in page]
        assert sorted(shown) == sorted(found), query
        assert [row["what"] for row in rows_of(marc, **query)] == found, query
    assert "Nothing fits" in marc.get("/desk/audit", who="nobody").text


def test_a_day_is_one_of_who_looks(marc: Person, sessions: Sessions) -> None:
    # 23:30 in London's winter is half past midnight of the next day in Berlin.
    noted(sessions, did("ada", "late act", datetime(2026, 3, 2, 23, 30, tzinfo=UTC)))
    assert ">late act<" in marc.get("/desk/audit", day="2026-03-02").text
    marc.get("/desk/you")
    marc.post("/desk/you", name="Marc", zone="Europe/Berlin", theme="auto")
    assert ">late act<" not in marc.get("/desk/audit", day="2026-03-02").text
    assert ">late act<" in marc.get("/desk/audit", day="2026-03-03").text


def test_older_rows_are_a_page_further(marc: Person, sessions: Sessions) -> None:
    noted(sessions, *(did("ada", f"act {number:03}") for number in range(120)))
    page = marc.get("/desk/audit", who="ada").text
    assert [">act 119<" in page, ">act 070<" in page, ">act 069<" in page] == [True, True, False]
    assert "Older" in page
    last = marc.client.get("/desk/audit", params={"who": "ada", "before": "21"}).text
    assert "Older" not in last


def test_a_cell_that_a_spreadsheet_would_run_is_only_shown(marc: Person, sessions: Sessions) -> None:
    noted(sessions, did("=HYPERLINK(1)", "@SUM(1)", rows=-3), did("ada", "plain", name="=1+1"))
    _, plain, formula = rows_of(marc)[:3]  # the newest is this very export
    assert (formula["who"], formula["what"], formula["rows"]) == ("'=HYPERLINK(1)", "'@SUM(1)", "-3")
    assert plain["detail"] == '{"name": "=1+1"}'


def test_taking_it_out_takes_the_right_and_is_in_the_log(
    marc: Person, rea: Person, sessions: Sessions
) -> None:
    assert rea.client.get("/desk/audit.csv").status_code == 403
    assert "as CSV" not in rea.get("/desk/audit").text
    rows_of(marc, who="ada")
    with session_scope(sessions) as session:
        newest = session.scalars(select(Action).order_by(Action.id.desc())).first()
        assert newest is not None
        assert (newest.who, newest.what) == ("marc@example.org", "audit export")
        assert newest.detail == {"person": "ada"}


def test_more_than_one_piece_is_one_whole_file(marc: Person, sessions: Sessions) -> None:
    noted(sessions, *(did("ada", f"act {number}") for number in range(2001)))
    found = [row["what"] for row in rows_of(marc, who="ada")]
    assert found == [f"act {number}" for number in range(2000, -1, -1)]


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "0001-01-01"])
def test_a_day_that_is_none_is_told(marc: Person, day: str) -> None:
    assert marc.get("/desk/audit.csv", day=day).status_code == 422
    answer = marc.get("/desk/audit", day=day)
    assert (answer.status_code, "2026-03-31" in answer.text) == (422, True)


@pytest.mark.parametrize(
    "path",
    ["/desk/deliveries/abc", "/desk/audit?before=x", "/desk/imports?before=x", "/desk/history.csv?of=bad"],
)
def test_a_mistyped_address_is_a_page_in_plain_words(owen: Person, path: str) -> None:
    answer = owen.client.get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "Content-Security-Policy" in answer.headers
