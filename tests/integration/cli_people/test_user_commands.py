"""`steadypost user`: the way back in for whoever has a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailer.accounts.operators import find_operator
from mailer.accounts.people import LAST_OWNER
from mailer.db import Sessions, session_scope
from mailer.models import Action, Operator, Role
from tests.support.staff import STAFF, hire

OWEN, MARC = STAFF[Role.OWNER][0], STAFF[Role.MARKETER][0]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def steadypost(database_url: str, tmp_path: Path) -> Run:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mailer.cli", "user", *arguments],
            env={
                **os.environ,
                "STEADYPOST_DATABASE_URL": database_url,
                "STEADYPOST_DATA_DIR": str(tmp_path),
                "STEADYPOST_BASE_URL": "https://mail.example",
                "STEADYPOST_SECRET_KEY": "a-secret-for-commands-long-enough-to-be-one",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_an_owner_who_lost_everything_gets_back_in(steadypost: Run, sessions: Sessions) -> None:
    hire(sessions, Role.OWNER)
    with session_scope(sessions) as session:
        session.execute(update(Operator).values(totp_since=Operator.created_at, totp_sealed="lost"))
    assert json.loads(steadypost("list", "--json").stdout)[0]["second_factor"] is True
    assert steadypost("factor-off", OWEN.upper()).stdout == f"{OWEN} signs in with the password alone.\n"
    assert json.loads(steadypost("list", "--json").stdout)[0]["second_factor"] is False
    assert steadypost("link", OWEN).stdout.startswith("https://mail.example/desk/join/")


def test_roles_and_suspending(steadypost: Run, sessions: Sessions) -> None:
    hire(sessions, Role.OWNER, Role.MARKETER)
    for arguments in (("role", OWEN, "reader"), ("suspend", OWEN)):
        refused = steadypost(*arguments)
        assert (refused.returncode, LAST_OWNER.format(who=OWEN) in refused.stderr) == (1, True)
    assert steadypost("role", MARC, "owner").returncode == 0
    assert steadypost("suspend", OWEN).returncode == 0
    assert "suspended" in steadypost("list").stdout
    assert steadypost("restore", OWEN).stdout == f"{OWEN} can sign in again, as owner.\n"
    with session_scope(sessions) as session:
        what = session.scalars(select(Action.what).order_by(Action.id)).all()
        marc = find_operator(session, MARC)
    assert what[-3:] == ["user role", "user suspend", "user restore"]
    assert marc is not None
    assert marc.role == Role.OWNER


def test_somebody_who_is_not_there_is_told(steadypost: Run) -> None:
    for arguments in (("link", MARC), ("role", MARC, "owner"), ("factor-off", MARC), ("restore", MARC)):
        refused = steadypost(*arguments)
        assert (refused.returncode, "steadypost user list" in refused.stderr) == (1, True), arguments
