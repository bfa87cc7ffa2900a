"""The visual editor's page: its own policy, what it is given of others' texts, saving, turning, back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from mailer.content.campaign_text import CampaignText, File
from mailer.content.visual import design_of
from mailer.db import Sessions, session_scope
from mailer.launch.campaign_draft import create_draft
from mailer.launch.campaign_source import get_source
from mailer.models import Role
from mailer.settings import Settings
from mailer.web.desk import DESK_POLICY
from tests.conftest import NOW
from tests.integration.desk.test_campaign_pages import DIGEST, PIXEL, begins, found
from tests.support.designs import EVERYTHING
from tests.support.newsroom import set_up_news
from tests.support.reader_pages import running_app
from tests.support.staff import Person, hire, signs_in

HOME = "/desk/campaigns"
MATTER = "---\nslug: {slug}\nsubject: Spring\nlists: [news]\n---\n"
HOSTILE = EVERYTHING.replace(
    "{{ greeting }}",
    '<img src="x" onerror="alert(1)"><script>alert(2)</script><a href="javascript:alert(3)">x</a>',
)
DATA = re.compile(r'<script type="application/json" id="visual-data">(.*?)</script>', re.DOTALL)


@pytest.fixture
def desk(settings: Settings, sessions: Sessions) -> Iterator[str]:
    """Two campaigns in MJML, one of them by somebody who means harm."""
    set_up_news(sessions)
    hire(sessions, Role.MARKETER, Role.OPERATOR)
    with session_scope(sessions) as session:
        for slug, body in (("every", EVERYTHING), ("hostile", HOSTILE)):
            text = CampaignText((File(f"{slug}.mjml", MATTER.format(slug=slug) + body),))
            create_draft(session, slug, text, NOW, who="tests")
    with running_app(settings) as address:
        yield address


@pytest.fixture
def marc(desk: str) -> Person:
    return signs_in(desk, Role.MARKETER)


def data_of(page: str) -> dict[str, Any]:
    match = DATA.search(page)
    assert match, page
    said: dict[str, Any] = json.loads(match[1])
    return said


def test_the_page_alone_may_write_styles_at_elements_and_no_page_runs_what_is_in_a_mail(marc: Person) -> None:
    answer = marc.get(f"{HOME}/every/visual")
    policy = answer.headers["content-security-policy"]
    assert policy == DESK_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert script == "script-src 'self'", "no inline script, no handler, no javascript: address, no eval"
    for path in ("every/edit", "every/check", "every", "hostile/edit"):
        assert marc.get(f"{HOME}/{path}").headers["content-security-policy"] == DESK_POLICY
    assert data_of(answer.text)["tree"] == design_of(EVERYTHING).tree

    page = marc.get(f"{HOME}/hostile/visual").text
    assert "Something stands in this text that the visual editor does not show" in page
    for line in (
        "`<script>` cannot stand",
        "has the attribute `onerror`",
        "javascript:alert(3)` does not work",
    ):
        assert line in unescape(page)
    assert "visual-data" not in page
    assert "grapes" not in page
    assert "<script>alert" not in page


def test_saving_is_told_of_by_line_and_never_over_what_somebody_else_saved(marc: Person, desk: str) -> None:
    page = marc.get(f"{HOME}/every/visual").text
    tree = data_of(page)["tree"]
    fields = {"name": "every.mjml", "digest": found(DIGEST, page), "visual": json.dumps(tree)}
    part = marc.post(f"{HOME}/every/visual/preview", **fields).text
    assert "There is no picture media/none.png" in unescape(part)
    assert re.search(r'href="/desk/campaigns/every/edit\?file=every.mjml#line-\d+"', part)
    assert "no picture" in unescape(marc.post(f"{HOME}/every/visual", **fields).text)
    assert marc.get(f"{HOME}/every/source").text == MATTER.format(slug="every") + "\n" + EVERYTHING

    opal = signs_in(desk, Role.OPERATOR)
    theirs = opal.get(f"{HOME}/every/visual").text
    of_opal = {**fields, "digest": found(DIGEST, theirs)}
    tree["children"][0]["attributes"]["background-color"] = "#eeeeee"
    assert "Saved." in opal.post(f"{HOME}/every/visual", **{**of_opal, "visual": json.dumps(tree)}).text
    refused = marc.post(f"{HOME}/every/visual", **{**fields, "digest": found(DIGEST, page)})
    assert refused.status_code == 422
    assert "Somebody else has saved" in refused.text
    assert "Save mine over theirs" in refused.text
    assert "#eeeeee" in marc.get(f"{HOME}/every/source").text

    for visual in ("", "{}"):
        nothing = marc.post(f"{HOME}/every/visual", **{**of_opal, "visual": visual})
        assert "load the page again" in nothing.text
    assert "#eeeeee" in marc.get(f"{HOME}/every/source").text


def test_markdown_is_turned_when_somebody_says_so_and_back_again(marc: Person, sessions: Sessions) -> None:
    begins(marc)
    markdown = marc.get(f"{HOME}/spring/source").text
    page = marc.get(f"{HOME}/spring/visual").text
    assert "Turn it into MJML?" in page
    assert marc.get(f"{HOME}/spring/source").text == markdown, "looking turns nothing"
    digest = found(DIGEST, page)
    again = marc.post(f"{HOME}/spring/visual/turn", name="spring.md", digest="0" * 64)
    assert "Somebody else has saved" in again.text
    page = marc.post(f"{HOME}/spring/visual/turn", name="spring.md", digest=digest).text
    assert "It is MJML now, in spring.mjml." in page
    assert "Unsubscribe" in json.dumps(data_of(page)["tree"])
    assert marc.get(f"{HOME}/spring/check").text.count("Nothing was found") == 1
    with session_scope(sessions) as session:
        kept = get_source(session, "spring")
        assert kept.digest == kept.made_of, "what would be sent is made of it"

    text = marc.get(f"{HOME}/spring/edit").text
    assert "Back to spring.md" in text
    page = marc.post(f"{HOME}/spring/visual/back", name="spring.mjml", digest=found(DIGEST, text)).text
    assert "It is spring.md again." in page
    assert marc.get(f"{HOME}/spring/source").text == markdown
    page = marc.get(f"{HOME}/spring/visual").text
    assert "Take up spring.mjml again" in page
    page = marc.post(f"{HOME}/spring/visual/back", name="spring.md", digest=found(DIGEST, page)).text
    assert "It is spring.mjml again." in page


def test_a_picture_is_added_from_the_editor_and_shown_by_its_own_name(marc: Person) -> None:
    marc.get(f"{HOME}/every/edit")
    where, key = f"{HOME}/every/visual/pictures", {"form-key": marc.key}
    good = marc.client.post(where, files={"picture": ("A Lamp.PNG", PIXEL)}, headers=key)
    assert good.json() == {"source": "media/a-lamp.png"}
    # Another of the same name gets a number, and the same once more is the one there is.
    other, third = PIXEL[:-1] + b"x", PIXEL + b"y"
    for picture, name in ((other, "a-lamp-2"), (PIXEL, "a-lamp"), (other, "a-lamp-2"), (third, "a-lamp-3")):
        answer = marc.client.post(where, files={"picture": ("a-lamp.png", picture)}, headers=key)
        assert answer.json() == {"source": f"media/{name}.png"}
    bad = marc.client.post(where, files={"picture": ("x.svg", b"<svg/>")}, headers=key)
    assert (bad.status_code, "is no PNG" in bad.json()["error"]) == (422, True)
    shown = marc.client.get(f"{HOME}/every/media/a-lamp.png")
    assert shown.headers["location"].startswith("/media/")
    assert marc.client.get(f"{HOME}/every/media/none.png").status_code == 404
