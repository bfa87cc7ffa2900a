"""The page of settings: what each means and is, no secret of it, and the limits for one person."""

from __future__ import annotations

from sqlalchemy import select

from mailer.db import Sessions, session_scope
from mailer.models import Action, Role
from mailer.schedule.cap import read_cap
from mailer.settings import Settings, load_settings
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in


def test_every_setting_is_told_with_where_it_is_from_and_no_secret(
    settings: Settings, sessions: Sessions
) -> None:
    hire(sessions, Role.READER)
    given = settings.as_environment() | {
        "STEADYPOST_SMTP_URL": "smtp://ada:hunter2@relay.example",
        "STEADYPOST_KEEP_MONTHS": "12",
        "STEADYPOST_SECRET_KEY": "s" * 40,
    }
    del given["STEADYPOST_ORIGINS"]
    with running_app(load_settings(given)) as address:
        page = signs_in(address, Role.READER).get("/desk/settings").text
    for name in Settings.model_fields:
        assert f"STEADYPOST_{name.upper()}</code>" in page
    kept = page.partition('id="keep_months"')[2].partition("</tr>")[0]
    assert 'data-label="Value">12<' in kept
    assert 'data-label="From">environment<' in kept
    for secret in ("hunter2", "s" * 40, str(settings.database_url)):
        assert secret not in page


def test_an_owner_limits_the_mails_for_one_person_and_it_is_recorded(
    owen: Person, opal: Person, sessions: Sessions
) -> None:
    owen.get("/desk/settings")
    limits = {"per_day": "1", "per_week": "4", "quiet_from": "22:00", "quiet_until": "07:00"}
    answer = owen.post("/desk/settings/cap", **limits)
    assert "One person gets at most 1 a day and 4 a week" in answer.text
    assert "Nothing leaves from 22:00 to 07:00 on their clock." in answer.text
    assert "It was so already" in owen.post("/desk/settings/cap", **limits).text
    wrong = owen.post("/desk/settings/cap", per_day="2", quiet_from="22:00")
    assert (wrong.status_code, "are no hours" in wrong.text, 'value="2"' in wrong.text) == (422, True, True)
    assert owen.post("/desk/settings/cap", per_day="400").status_code == 422
    opal.get("/desk/settings")
    assert opal.post("/desk/settings/cap", per_day="3").status_code == 403
    with session_scope(sessions) as session:
        assert str(read_cap(session)) == "at most 1 a day and 4 a week"
    assert "There is no limit" in owen.post("/desk/settings/cap").text
    with session_scope(sessions) as session:
        asked = select(Action.what, Action.detail).where(Action.what.startswith("cap"))
        done = session.execute(asked.order_by(Action.id)).all()
    assert [what for what, _ in done] == ["cap set", "cap lift"]
    assert done[1].detail["before"]["per_week"] == "4"
