"""A program and a colleague write one campaign; and what a program brings, looks at and takes away again."""

from __future__ import annotations

from pathlib import Path

from mailer.accounts.operators import find_operator
from mailer.accounts.sessions import actor_of
from mailer.db import Sessions, session_scope
from mailer.desk import campaign_drafts as writing
from mailer.models import Role
from tests.integration.api.conftest import Program, joins
from tests.integration.api.test_courses_and_campaigns_by_the_api import SPRING
from tests.integration.api.test_how_the_api_works import kind
from tests.support.cast import ADA
from tests.support.staff import STAFF

NEWER = SPRING.replace("from nine to five", "from ten to six")


def saved_at_the_desk(sessions: Sessions, text: str) -> None:
    """As Olive saves the first file of `spring` at the desk."""
    with session_scope(sessions) as session:
        owner = find_operator(session, STAFF[Role.OWNER][0])
        assert owner is not None
        actor = actor_of(owner)
        sheet = writing.open_file(session, actor, "spring")
        fields = {"file": text, "digest": sheet.digest}
        writing.save_file(session, actor, "spring", sheet.file.name, fields)


def test_what_a_colleague_saved_is_not_replaced_unseen(shop: Program, calm: Path, sessions: Sessions) -> None:
    joins(shop, ADA)
    shop.post("/campaigns", {"markdown": SPRING})
    first = shop.get("/campaigns/spring/source").json()
    assert [one["text"] for one in first["files"]] == [SPRING]
    assert first["is_ready"]
    # What it saved itself, a program replaces without a word.
    assert shop.post("/campaigns", {"markdown": NEWER}).json()["is_changed"]
    saved_at_the_desk(sessions, NEWER.replace("six", "seven"))
    at = {"at": "2027-03-01T09:00:00+00:00", "agreed": ["warnings"]}
    assert shop.post("/campaigns/spring/schedule", at).status_code == 200
    for seen in ({}, {"seen": first["digest"]}):
        answer = shop.post("/campaigns", {"markdown": SPRING} | seen)
        assert (answer.status_code, kind(answer)) == (409, "changed-meanwhile")
    theirs = shop.get("/campaigns/spring/source").json()
    assert "from ten to seven" in theirs["files"][0]["text"]
    assert shop.get("/campaigns/spring").json()["state"] == "scheduled"
    mine = shop.post("/campaigns", {"markdown": SPRING, "seen": theirs["digest"]})
    assert (mine.status_code, mine.json()["was_scheduled"]) == (200, True)
    assert kind(shop.get("/campaigns/autumn/source")) == "not-found"
    autumn = SPRING.replace("slug: spring", "slug: autumn")
    assert kind(shop.post("/campaigns", {"markdown": autumn, "seen": "0" * 64})) == "changed-meanwhile"
